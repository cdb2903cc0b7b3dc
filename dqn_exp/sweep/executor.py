"""The interface of executors, which train populations, and the one of this process."""

import logging
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from dqn_exp.files.lock import lock_directory
from dqn_exp.files.result import Result
from dqn_exp.files.run_log import LogFile, run_logs
from dqn_exp.sweep.signals import deferred_interrupts
from dqn_exp.training.monitor import Monitor
from dqn_exp.training.population import Run, train_population
from dqn_exp.training.progress import NoProgress, Progress

Report = Callable[[Sequence[Result]], None]


@dataclass(frozen=True)
class Task:
    """A population to be trained, with the environment of the process that sends it to a worker.

    Attributes:
        runs: of the population.
        directory: of the sweep.
        environment: environment variables to set.
        log_files: of each run.
        log_level: of the root logger.
        sys_path: search path of modules, such as those of environments.
        monitor: makes the monitor of the population, where it trains.
    """

    runs: Sequence[Run]
    directory: Path
    environment: Mapping[str, str]
    log_files: Mapping[Path, Sequence[LogFile]]
    log_level: int
    sys_path: Sequence[str]
    monitor: Callable[[], Monitor]


class Submitted(Protocol):
    """A task that was submitted to an executor."""

    def is_done(self) -> bool:
        """Returns whether the task is over, successfully or not."""
        ...

    def results(self) -> list[Result]:
        """Returns the results of a task that is over.

        Raises:
            WorkerError: If its worker died.
        """
        ...


class Executor(Protocol):
    """Trains populations.

    Attributes:
        has_workers: whether other processes train.
        num_workers: populations that train at the same time.
        num_threads: threads per population; None for one per core.
    """

    has_workers: bool
    num_workers: int
    num_threads: int | None

    def submit(
        self, task: Task, report: Report, should_stop: Callable[[], bool], progress: Progress
    ) -> Submitted:
        """Starts a task.

        Args:
            task: the population.
            report: may be called with intermediate results.
            should_stop: may be called; if it returns true, the runs are interrupted.
            progress: may be updated.
        """
        ...

    def stop(self) -> None:
        """Asks all workers to end after the current step, with checkpoints."""
        ...

    def close(self) -> None:
        """Ends all workers at once."""
        ...


@dataclass(frozen=True)
class Done:
    """A task that was over when `submit` returned."""

    found: list[Result]

    def is_done(self) -> bool:
        """Returns true."""
        return True

    def results(self) -> list[Result]:
        """Returns the results."""
        return self.found


class InProcessExecutor:
    """Trains in this process, one population after another."""

    has_workers = False
    num_workers = 1
    num_threads: int | None = None

    def submit(
        self, task: Task, report: Report, should_stop: Callable[[], bool], progress: Progress
    ) -> Done:
        """Trains a population to the end."""
        return Done(_train(task, report, should_stop, progress))

    def stop(self) -> None:
        """Does nothing: training calls `should_stop` itself."""

    def close(self) -> None:
        """Does nothing."""


def train_task(task: Task) -> list[Result]:
    """Trains a population in a worker; returns the results in the order of the runs."""
    for path in task.sys_path:
        if path not in sys.path:
            sys.path.append(path)
    logging.getLogger().setLevel(task.log_level)
    with (
        run_logs() as logs,
        lock_directory(task.directory, exclusive=False),
        deferred_interrupts(ignores_repeats=True) as interruption,
    ):
        for directory, files in task.log_files.items():
            logs.add(directory, files)
        return _train(task, lambda results: None, lambda: interruption.is_requested, NoProgress())


def _train(
    task: Task, report: Report, should_stop: Callable[[], bool], progress: Progress
) -> list[Result]:
    with _variables(task.environment):
        return train_population(task.runs, report, should_stop, progress, task.monitor())


@contextmanager
def _variables(values: Mapping[str, str]) -> Iterator[None]:
    previous = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in previous.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
