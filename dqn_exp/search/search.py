"""A search: trials are asked for as workers become free, trained, and told to Optuna."""

import itertools
import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import optuna
from optuna.trial import FrozenTrial, Trial, TrialState

from dqn_exp.analysis.statistics import statistic_of
from dqn_exp.core.errors import ConfigError
from dqn_exp.core.wording import quantity, rounded
from dqn_exp.files.result import Result
from dqn_exp.search.options import SearchOptions
from dqn_exp.search.space import Space, suggest
from dqn_exp.search.study import Budget
from dqn_exp.search.trial_monitor import TrialMonitor, TrialPlan
from dqn_exp.sweep.job import Job

log = logging.getLogger(__name__)

Group = Sequence[Job]


class SearchParts(NamedTuple):
    """What a search works with.

    Attributes:
        directory: of the sweep.
        options: of the search.
        space: of the settings.
        budget: of a run.
        study: of Optuna.
        make_jobs: returns the jobs of a trial with a number and values, by seed, and lists those
            that are new.
        split: divides jobs that have not ended into populations.
    """

    directory: Path
    options: SearchOptions
    space: Space
    budget: Budget
    study: optuna.Study
    make_jobs: Callable[[int, Mapping[str, object]], Group]
    split: Callable[[Group], Iterator[Group]]


class Search:
    """Yields the populations of trials, and takes the results of their runs."""

    def __init__(self, parts: SearchParts, results: Mapping[int, Result]) -> None:
        """Takes what is known.

        Args:
            parts: of the search.
            results: of the jobs that have ended, by number.
        """
        self._parts = parts
        self._results = dict(results)
        self._jobs: dict[int, Group] = {}

    def groups(self) -> Iterator[Group]:
        """Yields populations, those of trials that were interrupted first."""
        began = time.monotonic()
        for frozen in self._trials(TrialState.RUNNING):
            yield from self._begin(Trial(self._parts.study, frozen._trial_id))
        while self._may_begin(time.monotonic() - began):
            yield from self._begin(self._parts.study.ask())

    def end_job(self, job: Job, result: Result) -> None:
        """Takes the result of a job; the last one of a trial ends it."""
        self._results[job.num] = result
        number = job.num // self._parts.options.seeds
        if all(one.num in self._results for one in self._jobs[number]):
            self._tell(number)

    def make_monitor(self, group: Group) -> Callable[[], TrialMonitor]:
        """Returns what makes the monitor of a population where it trains."""
        parts, number = self._parts, group[0].num // self._parts.options.seeds
        runs = [job.directory for job in self._jobs[number]]
        seeds = [job.checked.seed for job in group]
        plan = TrialPlan(parts.directory, parts.options, parts.budget, number, runs, seeds)
        return plan.make_monitor

    def _begin(self, trial: Trial) -> Iterator[Group]:
        for key, distribution in self._parts.space.distributions.items():
            suggest(trial, key, distribution)
        try:
            jobs = self._parts.make_jobs(trial.number, trial.params)
        except ConfigError as error:  # Values that are valid alone may exclude each other.
            log.warning("Trial %d has failed: %s", trial.number, error.problems[0])
            self._parts.study.tell(trial.number, state=TrialState.FAIL)
            return
        self._jobs[trial.number] = jobs
        left = [job for job in jobs if job.num not in self._results]
        if left:
            yield from self._parts.split(left)
        else:  # The process was killed before it could tell.
            self._tell(trial.number)

    def _may_begin(self, seconds: float) -> bool:
        options = self._parts.options
        done = self._trials(TrialState.COMPLETE)
        if options.target is not None and any(one.values[0] >= options.target for one in done):
            log.info("A trial has reached hydra.sweeper.target=%g.", options.target)
            return False
        if options.timeout is not None and seconds > options.timeout:
            log.info("No further trial begins after hydra.sweeper.timeout=%g s.", options.timeout)
            return False
        return len(self._trials()) < options.n_trials

    def _tell(self, number: int) -> None:
        """Tells Optuna how a trial has ended."""
        results = [self._results[job.num] for job in self._jobs[number]]
        study, statuses = self._parts.study, {result.status for result in results}
        if statuses <= {"completed"}:
            scores = np.array([result.objective for result in results], dtype=np.float64)
            study.tell(number, statistic_of(scores, self._parts.options.statistic))
        else:
            is_pruned = statuses <= {"completed", "pruned"}
            study.tell(number, state=TrialState.PRUNED if is_pruned else TrialState.FAIL)

    def _trials(self, *states: TrialState) -> list[FrozenTrial]:
        return self._parts.study.get_trials(deepcopy=False, states=states or None)


def describe_trials(trials: Sequence[FrozenTrial]) -> str:
    """Returns how many trials have ended in each way."""
    counts = {
        word: sum(trial.state == state for trial in trials)
        for word, state in (
            ("completed", TrialState.COMPLETE),
            ("pruned", TrialState.PRUNED),
            ("failed", TrialState.FAIL),
        )
    }
    parts = [f"{count} {word}" for word, count in counts.items() if count]
    return f"{sum(counts.values())} trials: {', '.join(parts) or 'none has ended'}."


def describe_best(trials: Sequence[FrozenTrial], statistic: str, seeds: int) -> Iterator[str]:
    """Yields a line for each of the best three trials."""
    for rank, trial in enumerate(itertools.islice(trials, 3), 1):
        values = " ".join(f"{key}={_shorten(value)}" for key, value in trial.params.items())
        name = statistic.upper() if statistic == "iqm" else statistic
        what = f"{name} of {quantity(seeds, 'seed')}"
        yield f"{rank}. trial {trial.number}: {rounded(trial.values[0])} ({what}) with {values}"


def _shorten(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
