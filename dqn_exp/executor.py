"""What trains populations: this process, or workers."""

import logging
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from dqn_exp.interruption import deferred_interrupts
from dqn_exp.lock import at_work
from dqn_exp.population import Run, train_population
from dqn_exp.progress import NoProgress, Progress, make_progress
from dqn_exp.result import Result
from dqn_exp.run_log import LogFile, run_logs

Tell = Callable[[Sequence[Result]], None]


@dataclass(frozen=True)
class Task:
    """A population to be trained, with what a worker must know of the process that sends it.

    directory: of the sweep.
    environment: variables that the runs want to have set.
    log_files: of each run.
    log_level: of the root logger.
    sys_path: where modules are found, such as those of environments.
    """

    runs: Sequence[Run]
    directory: Path
    environment: Mapping[str, str]
    log_files: Mapping[Path, Sequence[LogFile]]
    log_level: int
    sys_path: Sequence[str]


class Submitted(Protocol):
    """A task that an executor has been given."""

    def is_done(self) -> bool:
        """Returns whether it is over, well or badly."""
        ...

    def results(self) -> list[Result]:
        """Returns the results of a task that is over.

        Raises:
            WorkerError: if its worker has died.
        """
        ...


class Executor(Protocol):
    """Trains populations.

    num_workers: populations that are trained at the same time.
    num_threads: that each of them should use; None for one a core.
    has_workers: whether it is other processes that train.
    """

    has_workers: bool
    num_workers: int
    num_threads: int | None

    def submit(self, task: Task, tell: Tell, should_stop: Callable[[], bool]) -> Submitted:
        """Begins with a task.

        Args:
            task: the population.
            tell: may be called with the results while they come to be.
            should_stop: may be asked whether to interrupt the runs.
        """
        ...

    def stop(self) -> None:
        """Asks all workers to end at the next step, with checkpoints."""
        ...

    def close(self) -> None:
        """Ends all workers, whatever they do."""
        ...


@dataclass(frozen=True)
class Done:
    """A task that was over when it was submitted."""

    found: list[Result]

    def is_done(self) -> bool:
        """Returns true."""
        return True

    def results(self) -> list[Result]:
        """Returns the results."""
        return self.found


class InProcessExecutor:
    """Trains in this process, one population after the other."""

    has_workers = False
    num_workers = 1
    num_threads: int | None = None

    def submit(self, task: Task, tell: Tell, should_stop: Callable[[], bool]) -> Done:
        """Trains a population to its end."""
        progress = make_progress(task.runs[0].config.log.progress)
        return Done(_train(task, tell, should_stop, progress))

    def stop(self) -> None:
        """Does nothing: what trains asks by itself."""

    def close(self) -> None:
        """Does nothing."""


def train_task(task: Task) -> list[Result]:
    """Trains a population in a worker; returns the results, in the order of the runs."""
    for path in task.sys_path:
        if path not in sys.path:
            sys.path.append(path)
    logging.getLogger().setLevel(task.log_level)
    with (
        run_logs() as logs,
        at_work(task.directory, is_alone=False),
        deferred_interrupts(is_patient=True) as interruption,
    ):
        for directory, files in task.log_files.items():
            logs.add(directory, files)
        return _train(task, lambda results: None, lambda: interruption.is_asked, NoProgress())


def _train(
    task: Task, tell: Tell, should_stop: Callable[[], bool], progress: Progress
) -> list[Result]:
    with _variables(task.environment):
        return train_population(task.runs, tell, should_stop, progress)


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
