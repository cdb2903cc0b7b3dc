"""Training as jobs of SLURM, with submitit, https://github.com/facebookincubator/submitit."""

import contextlib
import os
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import submitit

from dqn_exp.core.errors import WorkerError, last_line_of
from dqn_exp.files.result import Result
from dqn_exp.sweep.executor import Report, Task, train_task
from dqn_exp.training.progress import Progress


@dataclass(frozen=True)
class Work:
    """A task that SLURM may stop on one machine and start again on another."""

    task: Task

    def __call__(self) -> list[Result]:
        """Trains the runs from their checkpoints.

        When the time is up or the job is preempted, SLURM sends SIGUSR2. The runs then end after
        the current step, with checkpoints, before submitit submits the job again.
        """
        again: list[Callable[[], object]] = []
        resubmit = signal.getsignal(signal.SIGUSR2)

        def end_first(number: int, frame: FrameType | None) -> None:
            if callable(resubmit):
                again.append(lambda: resubmit(number, frame))
            os.kill(os.getpid(), signal.SIGTERM)

        signal.signal(signal.SIGUSR2, end_first)
        results = train_task(self.task)
        signal.signal(signal.SIGUSR2, resubmit)
        if again:
            again[0]()
        return results

    def checkpoint(self) -> submitit.helpers.DelayedSubmission:
        """Returns what submitit submits again when the time is up or the job is preempted."""
        return submitit.helpers.DelayedSubmission(self)


@dataclass(frozen=True)
class _JobTask:
    """A task that is a job of the cluster."""

    job: submitit.Job[list[Result]]

    def is_done(self) -> bool:
        return self.job.done()

    def results(self) -> list[Result]:
        try:
            return self.job.result()
        except Exception as error:  # Submitit raises errors of many kinds.
            where = self.job.paths.stderr
            raise WorkerError(
                f"job {self.job.job_id}: {last_line_of(error)} (see {where})"
            ) from error


class SlurmExecutor:
    """Trains each population as one job."""

    has_workers = True

    def __init__(
        self, num_workers: int, cluster: str, folder: Path, parameters: Mapping[str, Any]
    ) -> None:
        """Starts without jobs.

        Args:
            num_workers: jobs at once.
            cluster: slurm, or local for processes of this machine that start in the same way.
            folder: for files of submitit, on a file system that all machines share.
            parameters: of submitit's `AutoExecutor`, such as timeout_min and slurm_partition.
        """
        self.num_workers = num_workers
        self.num_threads: int | None = parameters["cpus_per_task"]
        # Resubmitted as often as their time is up; `AutoExecutor` takes it only here.
        most: dict[str, Any] = {f"{kind}_max_num_timeout": 10**6 for kind in ("slurm", "local")}
        self._executor = submitit.AutoExecutor(folder=folder, cluster=cluster, **most)
        self._executor.update_parameters(**parameters)
        self._jobs: list[submitit.Job[list[Result]]] = []

    def submit(
        self, task: Task, report: Report, should_stop: Callable[[], bool], progress: Progress
    ) -> _JobTask:
        """Submits a task."""
        del report, should_stop, progress
        job = self._executor.submit(Work(task))
        self._jobs.append(job)
        return _JobTask(job)

    def stop(self) -> None:
        """Cancels all jobs; they end after the current step, with checkpoints."""
        for job in self._jobs:
            if not job.done():
                job.cancel(check=False)

    def close(self) -> None:
        """Cancels all remaining jobs."""
        with contextlib.suppress(Exception):
            self.stop()
