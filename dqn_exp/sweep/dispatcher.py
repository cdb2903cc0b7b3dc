"""Dispatch of populations to an executor, until every run has ended."""

import logging
import sys
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial

from hydra.core.utils import JobReturn, JobStatus

from dqn_exp.core.errors import RunError, WorkerError, describe_error, last_line_of
from dqn_exp.core.wording import quantity
from dqn_exp.files.failure import describe_failure
from dqn_exp.files.ownership import grant_ownership, new_token, revoke_ownership
from dqn_exp.files.result import Result, Status, read_result
from dqn_exp.files.run_log import LogFile, RunLogs, run_logs
from dqn_exp.sweep.executor import Executor, Submitted, Task
from dqn_exp.sweep.hydra_internals import close_job, open_job
from dqn_exp.sweep.job import Job
from dqn_exp.sweep.signals import Interruption
from dqn_exp.sweep.sweep_context import SweepContext
from dqn_exp.sweep.sweep_progress import SweepProgress
from dqn_exp.training.monitor import Monitor, NoMonitor
from dqn_exp.training.population import Run
from dqn_exp.training.progress import Progress

log = logging.getLogger(__name__)

POLL_SECONDS = 0.2
RETRY_SECONDS = (1.0, 10.0, 100.0)
"""Pauses after workers that could not be started one after the other, while none trains."""

READ_SECONDS = 2.0
"""Interval at which the results of workers' runs are read."""

Group = Sequence[Job]


class Dispatcher:
    """Trains groups of jobs, each as a population, and closes every job that has ended.

    If a worker dies, its unfinished runs are split into two halves that resume from their
    checkpoints, so that a run that kills its worker is eventually alone.
    """

    def __init__(
        self,
        sweep: SweepContext,
        executor: Executor,
        progress: Progress,
        interruption: Interruption,
        *,
        on_end: Callable[[Job, Result], None] = lambda job, result: None,
        make_monitor: Callable[[Group], Callable[[], Monitor]] = lambda group: NoMonitor,
    ) -> None:
        """Starts without jobs.

        Args:
            sweep: what all jobs share.
            executor: trains the populations.
            progress: shows the progress of all jobs.
            interruption: set by an interrupt.
            on_end: called when a job has ended, once for each.
            make_monitor: returns what makes the monitor of a group, where it trains.
        """
        self._sweep, self._executor = sweep, executor
        self._interruption, self._on_end, self._make_monitor = interruption, on_end, make_monitor
        self._waiting: deque[Group] = deque()
        self._source: Iterator[Group] = iter(())
        self._running: list[tuple[Group, Submitted]] = []
        self._opened: dict[int, tuple[Job, JobReturn, list[LogFile]]] = {}
        self._results: dict[int, Result] = {}
        self._progress = SweepProgress(progress, self._results)
        self._ended: set[int] = set()
        self._num_deaths: Counter[int] = Counter()
        self._num_refusals, self._is_full = 0, False
        self._next_reading = 0.0
        self.returns: dict[int, JobReturn] = {}

    def train(self, groups: Iterable[Group], num_jobs: int) -> None:
        """Trains all groups, unless interrupted; `returns` then has the outcome of each job.

        Args:
            groups: the next one is taken when a worker is free.
            num_jobs: in all groups together, for the progress; an estimate will do.
        """
        self._source, self._progress.num_jobs = iter(groups), num_jobs
        with run_logs(on_console=num_jobs == 1) as logs:
            try:
                self._work(logs)
            finally:
                self._executor.close()
                self._progress.close()
                # Jobs whose workers are abandoned, and jobs that still wait for a worker.
                for job, *_ in list(self._opened.values()):
                    self._mark(job, "interrupted", None)
                    self._close(job, logs)

    def _work(self, logs: RunLogs) -> None:
        is_stopping = False
        while True:
            if self._interruption.is_requested and not is_stopping:
                is_stopping = True
                self._executor.stop()
            while self._has_room() and (group := self._next()) is not None:
                self._begin(group, logs)
            if not self._running:
                return
            self._handle_running(logs)

    def _has_room(self) -> bool:
        is_idle = len(self._running) < self._executor.num_workers and not self._is_full
        return is_idle and not self._interruption.is_requested

    def _next(self) -> Group | None:
        return self._waiting.popleft() if self._waiting else next(self._source, None)

    def _begin(self, group: Group, logs: RunLogs) -> None:
        group = [job for job in group if job.num in self._opened or self._open(job)]
        files = {job.directory: self._opened[job.num][2] for job in group}
        for directory, of_run in files.items():
            logs.add(directory, of_run)
        if not group:
            return
        token = new_token() if self._executor.has_workers else None
        task = Task(
            runs=[self._to_run(job, token) for job in group],
            directory=self._sweep.directory,
            environment=group[0].environment,
            log_files=files,
            log_level=logging.getLogger().level,
            sys_path=list(sys.path),
            monitor=self._make_monitor(group),
        )
        report = partial(self._take_results, group)
        should_stop = partial(getattr, self._interruption, "is_requested")
        try:
            submitted = self._executor.submit(task, report, should_stop, self._progress.part(group))
        except Exception as error:  # A cluster may raise any error.
            if not self._interruption.is_requested:
                self._put_back(group, last_line_of(error), logs)
        else:
            self._num_refusals = 0
            self._running.append((group, submitted))

    def _put_back(self, group: Group, reason: str, logs: RunLogs) -> None:
        """Lets a group wait for the end of another one or, where none trains, some seconds."""
        what = quantity(len(group), "run")
        log.warning("A worker for %s could not be started: %s", what, reason)
        self._is_full = bool(self._running)
        if not self._is_full and self._num_refusals == len(RETRY_SECONDS):
            for job in group:
                self._mark(job, "failed", f"No worker could be started: {reason}")
                self._close(job, logs)
            return
        self._waiting.appendleft(group)
        if not self._is_full:
            self._wait(RETRY_SECONDS[self._num_refusals])
            self._num_refusals += 1

    def _wait(self, seconds: float) -> None:
        until = time.perf_counter() + seconds
        while time.perf_counter() < until and not self._interruption.is_requested:
            time.sleep(min(POLL_SECONDS, seconds))

    def _handle_running(self, logs: RunLogs) -> None:
        is_due = time.perf_counter() > self._next_reading
        if is_due:
            self._next_reading = time.perf_counter() + READ_SECONDS
        for group, submitted in list(self._running):
            if submitted.is_done():
                self._running.remove((group, submitted))
                self._settle(group, submitted, logs)
            elif is_due:
                self._take_results(group, [_read(job) for job in group])
        if self._running and self._executor.has_workers:
            self._progress.update(job for group, _ in self._running for job in group)
        if self._running:
            time.sleep(POLL_SECONDS)

    def _settle(self, group: Group, submitted: Submitted, logs: RunLogs) -> None:
        reason, self._is_full = "was interrupted", False
        try:
            self._take_results(group, submitted.results())
        except WorkerError as error:
            reason = f"died: {error}"
            self._take_results(group, [_read(job) for job in group])
        rest = [job for job in group if not self._has_ended(job)]
        for job in group:
            if job not in rest or self._interruption.is_requested:
                self._close(job, logs)
        if rest and not self._interruption.is_requested:
            self._resubmit(rest, reason, logs)

    def _resubmit(self, rest: Group, reason: str, logs: RunLogs) -> None:
        if len(rest) == 1:
            (job,) = rest
            self._num_deaths[job.num] += 1
            if (count := self._num_deaths[job.num]) > self._sweep.max_resubmissions:
                times = "once" if count == 1 else f"{count} times"
                error = f"A worker with only this run was lost {times}; the last one {reason}."
                self._mark(job, "failed", error)
                self._close(job, logs)
                return
        what = quantity(len(rest), "run")
        log.warning("A worker with %s %s. They resume from their checkpoints.", what, reason)
        middle = (len(rest) + 1) // 2
        self._waiting.extend(half for half in (rest[:middle], rest[middle:]) if half)

    def _open(self, job: Job) -> bool:
        try:
            sweep = self._sweep
            opened = open_job(job.config, job.directory, sweep.context, sweep.task_function)
            self._opened[job.num] = job, *opened
        except OSError as error:
            self._mark(job, "failed", describe_error(error))
            self.returns[job.num] = JobReturn(
                overrides=job.overrides,
                status=JobStatus.FAILED,
                _return_value=self._to_value(job),
            )
        return job.num in self._opened

    def _close(self, job: Job, logs: RunLogs) -> None:
        opened = self._opened.pop(job.num, None)
        if opened is not None:
            returned = opened[1]
            if self._executor.has_workers:
                revoke_ownership(job.directory)
            close_job(job.config, returned, self._to_value(job), self._sweep.context)
            logs.remove(job.directory)
            self.returns[job.num] = returned

    def _to_run(self, job: Job, token: str | None) -> Run:
        if token is not None:
            with suppress(OSError):  # The worker will fail to read it.
                grant_ownership(job.directory, token)
        config = job.checked
        if config.num_threads is None:
            config = config.model_copy(update={"num_threads": self._sweep.num_threads})
        values: dict[str, object] = config.hyperparameters()
        # A swept group, such as network, is not a key of the config.
        swept = {key: values.get(key, job.value_of(key)) for key in self._sweep.table.swept}
        return Run(config, job.directory, swept or values, token, self._progress.num_jobs)

    def _to_value(self, job: Job) -> float | Exception:
        result = self._results.get(job.num)
        if result is None:
            return RunError("The run never began.")
        if result.status == "completed" and result.objective is not None:
            return result.objective
        if result.status == "pruned":
            return float("nan")
        return RunError(describe_failure(result, job.directory))

    def _has_ended(self, job: Job) -> bool:
        return job.num in self._results and self._results[job.num].has_ended

    def _take_results(self, group: Group, results: Sequence[Result | None]) -> None:
        """Stores the results of a group, and writes the table if they change it."""
        changes = False
        for job, result in zip(group, results, strict=True):
            if result is not None:
                self._results[job.num] = result
                # The result itself may be a record that training changes.
                if result.has_ended and job.num not in self._ended:
                    self._ended.add(job.num)
                    self._on_end(job, result)
                changes |= self._sweep.table.update(job.num, result.status, result.objective)
        if changes:
            self._write_table()

    def _mark(self, job: Job, status: Status, error: str | None) -> None:
        """Writes the outcome of a run on behalf of a worker that cannot."""
        earlier = _read(job) or Result("running", job.checked.seed, job.checked.hash())
        if not earlier.has_ended:
            earlier = replace(earlier, status=status, error=error)
            try:
                earlier.write(job.directory)
            except OSError as problem:
                log.error("The result of %s cannot be written: %s", job.directory, problem)
        self._take_results([job], [earlier])

    def _write_table(self) -> None:
        try:
            self._sweep.table.write()
        except OSError:  # The table can be rebuilt from the files of the runs.
            log.exception("The table of the sweep could not be written.")


def _read(job: Job) -> Result | None:
    try:
        return read_result(job.directory)
    except (OSError, ValueError):  # Training or resuming the run will report the error.
        return None
