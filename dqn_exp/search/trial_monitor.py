"""Reports the evaluations of a trial's runs to Optuna, and prunes them together.

It works in the process that trains the runs, which may be on another machine.
"""

import copy
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
import optuna
from optuna.trial import Trial

from dqn_exp.analysis.run_reader import read_table
from dqn_exp.core.arrays import Float64Array
from dqn_exp.files.csv_table import TABLES
from dqn_exp.search.options import SearchOptions
from dqn_exp.search.statistic import to_value
from dqn_exp.search.study import Budget, open_study

RUNGS = "rungs"
"""Attribute of a trial: the step at which it was last judged, and its rungs before that."""


class TrialPlan(NamedTuple):
    """A trial, as it is sent to where its runs train.

    Attributes:
        directory: of the sweep.
        options: of the search.
        budget: of its runs.
        number: of the trial.
        runs: directories of all its runs, by seed.
        trained: seeds of the runs of the population.
    """

    directory: Path
    options: SearchOptions
    budget: Budget
    number: int
    runs: Sequence[Path]
    trained: Sequence[int]

    def make_monitor(self) -> "TrialMonitor":
        """Returns the monitor of the trial's runs."""
        return TrialMonitor(self)


class TrialMonitor:
    """Prunes the runs of a trial as soon as Optuna's pruner says so."""

    def __init__(self, plan: TrialPlan) -> None:
        """Reads the evaluations so far; all seeds of a step make a value."""
        self._plan, self._is_pruned = plan, False
        self._values: dict[int, dict[int, float]] = {}
        for seed, directory in enumerate(plan.runs):
            for step, value in _evaluations(directory, plan.budget.episodes):
                self._values.setdefault(step, {})[seed] = value
        reported = self._trial.storage.get_trial(self._trial._trial_id).user_attrs.get(RUNGS)
        if reported is not None:  # The process may have been killed before it acted.
            self._is_pruned = self._judge(reported[0])

    @property
    def pruned(self) -> Collection[int]:
        """All runs of the population, once the trial is pruned."""
        return range(len(self._plan.trained)) if self._is_pruned else ()

    def add_evaluation(self, run: int, step: int, returns: Float64Array) -> None:
        """Takes an evaluation; with those of the other seeds it is reported."""
        self._values.setdefault(step, {})[self._plan.trained[run]] = float(returns.mean())
        is_last = step >= self._plan.budget.last
        if not is_last and not self._is_pruned and self._is_complete(step):
            self._report(step)
            self._is_pruned = self._judge(step)

    def _is_complete(self, step: int) -> bool:
        return len(self._values.get(step, {})) == len(self._plan.runs)

    def _report(self, step: int) -> None:
        known = self._trial.storage.get_trial(self._trial._trial_id).intermediate_values
        for place, value in self._reported(step).items():
            if place not in known:
                self._trial.report(value, place)

    def _reported(self, step: int) -> Mapping[int, float]:
        """Returns what Optuna is told of a step: one value, or for paired seeds one of each."""
        values = [self._values[step][seed] for seed in range(len(self._plan.runs))]
        if self._plan.options.pruner == "wilcoxon":
            return dict(enumerate(values, step * len(values)))
        return {step: to_value(np.array(values), self._plan.options.statistic)}

    def _judge(self, step: int) -> bool:
        """Returns whether the trial is pruned at a step, however often it is asked."""
        storage, trial_id = self._trial.storage, self._trial._trial_id
        frozen = copy.deepcopy(storage.get_trial(trial_id))
        asked, rungs = frozen.user_attrs.get(RUNGS, (None, {}))
        own = {k: v for k, v in frozen.system_attrs.items() if k.startswith("completed_rung")}
        if asked != step:
            rungs = own
            storage.set_trial_user_attr(trial_id, RUNGS, (step, rungs))
        # Successive halving would take the rung that it has reached now for an earlier one.
        frozen.system_attrs = {k: v for k, v in frozen.system_attrs.items() if k not in own} | rungs
        return self._study.pruner.prune(self._study, frozen)

    @cached_property
    def _study(self) -> optuna.Study:
        plan = self._plan
        return open_study(plan.directory, plan.options, plan.budget)

    @cached_property
    def _trial(self) -> Trial:
        frozen = self._study.get_trials(deepcopy=False)[self._plan.number]
        return Trial(self._study, frozen._trial_id)


def _evaluations(directory: Path, episodes: int) -> Iterator[tuple[int, float]]:
    """Yields steps and mean returns of a run's complete evaluations; none if it has not begun."""
    rows = read_table(directory / "evaluations.csv", len(TABLES["evaluations"]))
    for step in np.unique(rows[:, 0]):
        returns = rows[rows[:, 0] == step, TABLES["evaluations"].index("return")]
        if len(returns) == episodes:
            yield int(step), float(returns.mean())
