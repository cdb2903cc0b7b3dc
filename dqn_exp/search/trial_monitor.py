"""Reports the evaluations of a trial's runs to Optuna, and prunes them together.

It works in the process that trains the runs, which may be on another machine.
"""

import copy
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import optuna
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, Trial

from dqn_exp.analysis.run_reader import read_table
from dqn_exp.analysis.statistics import statistic_of
from dqn_exp.core.arrays import Float64Array
from dqn_exp.files.csv_table import TABLES
from dqn_exp.search.options import SearchOptions
from dqn_exp.search.study import Budget, open_study

DECISION = "decision"
"""Attribute of a trial: the step at which it was last judged, whether it is pruned, and what the
pruner wants to know of it later."""


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


class BufferedStorage:
    """A storage that keeps what a pruner writes to itself.

    Attributes:
        attributes: system attributes that were written, of the one trial that is judged.
    """

    def __init__(self, storage: BaseStorage) -> None:
        """Takes the storage that is read."""
        self._storage, self.attributes = storage, dict[str, Any]()

    def set_trial_system_attr(self, trial_id: int, key: str, value: Any) -> None:
        """Keeps an attribute."""
        self.attributes[key] = value

    def __getattr__(self, name: str) -> Any:
        """Returns all else from the storage."""
        return getattr(self._storage, name)


class TrialMonitor:
    """Prunes the runs of a trial as soon as Optuna's pruner says so."""

    def __init__(self, plan: TrialPlan) -> None:
        """Reads the evaluations so far; all seeds of a step make a value."""
        self._plan, self._is_pruned = plan, False
        self._values: dict[int, dict[int, float]] = {}
        for seed, directory in enumerate(plan.runs):
            for step, value in _evaluations(directory, plan.budget.episodes):
                self._values.setdefault(step, {})[seed] = value
        self._judged = -1
        if DECISION in self._frozen.user_attrs:  # The process may have been killed as it acted.
            self._judged, self._is_pruned, attributes = self._frozen.user_attrs[DECISION]
            self._apply(attributes)

    @property
    def pruned(self) -> Collection[int]:
        """All runs of the population, once the trial is pruned."""
        return range(len(self._plan.trained)) if self._is_pruned else ()

    def add_evaluation(self, run: int, step: int, returns: Float64Array) -> None:
        """Takes an evaluation; with those of the other seeds it is reported."""
        self._values.setdefault(step, {})[self._plan.trained[run]] = float(returns.mean())
        is_last = step >= self._plan.budget.last
        is_open = step > self._judged and not self._is_pruned
        if is_open and not is_last and self._is_complete(step):
            self._report(step)
            self._is_pruned = self._judge(step)

    def _is_complete(self, step: int) -> bool:
        return len(self._values.get(step, {})) == len(self._plan.runs)

    def _report(self, step: int) -> None:
        known = self._frozen.intermediate_values
        for place, value in self._reported(step).items():
            if place not in known:
                self._trial.report(value, place)

    def _reported(self, step: int) -> Mapping[int, float]:
        """Returns what Optuna is told of a step: one value, or for paired seeds one of each."""
        values = [self._values[step][seed] for seed in range(len(self._plan.runs))]
        if self._plan.options.pruner == "wilcoxon":
            return dict(enumerate(values, step * len(values)))
        return {step: statistic_of(np.array(values), self._plan.options.statistic)}

    def _judge(self, step: int) -> bool:
        """Returns whether the trial is pruned at a step, and stores that for good."""
        buffered = BufferedStorage(self._trial.storage)
        study = copy.copy(self._study)
        study._storage = buffered  # type: ignore[assignment]
        is_pruned = bool(self._study.pruner.prune(study, self._frozen))
        # One entry of the journal, so that a killed process has decided or has not.
        decision = (step, is_pruned, buffered.attributes)
        self._trial.storage.set_trial_user_attr(self._trial._trial_id, DECISION, decision)
        self._apply(buffered.attributes)
        return is_pruned

    def _apply(self, attributes: Mapping[str, Any]) -> None:
        """Stores what the pruner knows of the trial."""
        for key, value in attributes.items():
            self._trial.storage.set_trial_system_attr(self._trial._trial_id, key, value)

    @property
    def _frozen(self) -> FrozenTrial:
        return self._trial.storage.get_trial(self._trial._trial_id)

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
