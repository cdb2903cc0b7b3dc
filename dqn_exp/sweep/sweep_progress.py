"""Progress of all jobs of a sweep, in whatever populations they train."""

import math
import statistics
import time
from collections.abc import Iterable, Mapping, Sequence
from functools import partial

from dqn_exp.files.result import Result
from dqn_exp.sweep.job import Job
from dqn_exp.training.progress import PartOfProgress, Progress, ProgressSnapshot


class SweepProgress:
    """Shows how far the jobs of a sweep are.

    Attributes:
        num_jobs: of the sweep; an estimate will do.
    """

    def __init__(self, progress: Progress, results: Mapping[int, Result]) -> None:
        """Takes what is shown.

        Args:
            progress: shows it.
            results: of the jobs, by number, as far as they are known.
        """
        self._progress, self._results = progress, results
        self.num_jobs = 0

    def part(self, group: Sequence[Job]) -> PartOfProgress:
        """Returns the progress to which a population of this process reports."""
        return PartOfProgress(self._progress, partial(self._add_others, {job.num for job in group}))

    def update(self, jobs: Iterable[Job]) -> None:
        """Shows the progress if it is due, given the jobs that workers train."""
        if time.perf_counter() > self._progress.next_update:
            self._progress.update(self._snapshot(jobs))

    def close(self) -> None:
        """Removes it."""
        self._progress.close()

    def _snapshot(self, jobs: Iterable[Job]) -> ProgressSnapshot:
        live = [job for job in jobs if not self._has_ended(job)]
        ended = sum(result.has_ended for result in self._results.values())
        num_runs = max(self.num_jobs, ended + len(live))
        return ProgressSnapshot(
            share=(ended + sum(map(self._share, live))) / num_runs,
            num_live=len(live),
            num_runs=num_runs,
            run_steps=sum(result.steps for result in self._results.values()),
            mean_return=self._mean_return(live),
            return_of="evaluation",
        )

    def _add_others(self, group: set[int], snapshot: ProgressSnapshot) -> ProgressSnapshot:
        """Adds to the snapshot of a population the jobs that do not belong to it."""
        others = [result for num, result in self._results.items() if num not in group]
        ended = sum(result.has_ended for result in others)
        num_runs = max(self.num_jobs, ended + snapshot.num_runs)
        return snapshot._replace(
            share=(ended + snapshot.share * snapshot.num_runs) / num_runs,
            num_runs=num_runs,
            run_steps=snapshot.run_steps + sum(result.steps for result in others),
        )

    def _mean_return(self, jobs: Sequence[Job]) -> float:
        """Returns the mean of what the newest evaluations of jobs returned; NaN without any."""
        results = [self._results[job.num] for job in jobs if job.num in self._results]
        known = [one.eval_return_mean for one in results if one.eval_return_mean is not None]
        return statistics.fmean(known) if known else math.nan

    def _has_ended(self, job: Job) -> bool:
        return job.num in self._results and self._results[job.num].has_ended

    def _share(self, job: Job) -> float:
        result, budget = self._results.get(job.num), job.checked.trainer
        if result is None:
            return 0.0
        steps = result.steps / (budget.total_steps or math.inf)
        return max(steps, result.episodes / (budget.total_episodes or math.inf))
