"""Training in processes of this machine, with loky, https://loky.readthedocs.io."""

import os
import re
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from multiprocessing import resource_tracker

import loky
import torch

from dqn_exp.core.errors import WorkerError, last_line_of
from dqn_exp.files.result import Result
from dqn_exp.sweep.executor import Report, Task, train_task
from dqn_exp.sweep.signals import SIGNALS
from dqn_exp.training.progress import Progress

WATCH_SECONDS = 0.5


@dataclass
class _Worker:
    """A process with a pool of its own: if it dies, no other pool is broken."""

    pool: loky.ProcessPoolExecutor
    pid: int
    future: Future[list[Result]] | None = None

    @property
    def is_busy(self) -> bool:
        return self.future is not None and not self.future.done()


@dataclass(frozen=True)
class _WorkerTask:
    """A task that a worker trains."""

    worker: _Worker
    future: Future[list[Result]]

    def is_done(self) -> bool:
        return self.future.done()

    def results(self) -> list[Result]:
        try:
            return self.future.result()
        except BaseException as error:  # Errors of the pool and of the task.
            ended = re.search(r"exit codes of the workers are {(.+?)}", str(error))
            reason = f"ended with {ended[1]}" if ended else last_line_of(error)
            raise WorkerError(f"process {self.worker.pid}: {reason}") from error


class ProcessExecutor:
    """Trains each population in a process; processes share the cores, or have a GPU each."""

    has_workers = True

    def __init__(self, num_workers: int | None, device: str, num_cores: int) -> None:
        """Starts without processes.

        Args:
            num_workers: number of processes; None for one per core, or per GPU that they may use.
            device: of the runs; with cuda, each worker sees one of the GPUs.
            num_cores: cores to share.
        """
        self._gpus = _visible_gpus() if device == "cuda" else []
        num_gpus = 1 if device.startswith("cuda:") else len(self._gpus)
        self.num_workers = num_workers or num_gpus or num_cores
        self.num_threads: int | None = max(1, num_cores // self.num_workers)
        self._workers: list[_Worker | None] = [None] * self.num_workers

    def submit(
        self, task: Task, report: Report, should_stop: Callable[[], bool], progress: Progress
    ) -> _WorkerTask:
        """Starts a task on an idle worker."""
        del report, should_stop, progress
        index = next(i for i, one in enumerate(self._workers) if one is None or not one.is_busy)
        try:
            worker = self._alive(index)
            worker.future = worker.pool.submit(train_task, task)
        except Exception:  # The worker died while idle; the next call starts a new one.
            self._end(index)
            raise
        return _WorkerTask(worker, worker.future)

    def stop(self) -> None:
        """Asks all workers to end after the current step, with checkpoints."""
        for worker in self._workers:
            if worker is not None and worker.is_busy:
                os.kill(worker.pid, signal.SIGTERM)

    def close(self) -> None:
        """Ends all workers at once."""
        for index in range(self.num_workers):
            self._end(index)

    def _alive(self, index: int) -> _Worker:
        worker = self._workers[index]
        if worker is not None and (worker.future is None or worker.future.exception() is None):
            return worker
        self._end(index)
        gpu = {"CUDA_VISIBLE_DEVICES": self._gpus[index % len(self._gpus)]} if self._gpus else {}
        pool = loky.ProcessPoolExecutor(max_workers=1, timeout=None, env=gpu, initializer=_begin)
        # Its start would unblock the signals.
        resource_tracker.ensure_running()
        # The new process inherits the blocked signals until it is ready for them.
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        try:
            worker = _Worker(pool, pool.submit(os.getpid).result())
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        self._workers[index] = worker
        return worker

    def _end(self, index: int) -> None:
        worker, self._workers[index] = self._workers[index], None
        if worker is not None:
            worker.pool.shutdown(wait=True, kill_workers=True)


def _begin() -> None:
    # A terminal sends Ctrl-C to all processes; the parent decides what follows.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    threading.Thread(target=_end_with_parent, args=(os.getppid(),), daemon=True).start()


def _end_with_parent(parent: int) -> None:
    # If the parent is gone, the runs end after the current step, and then the process.
    while True:
        time.sleep(WATCH_SECONDS)
        if os.getppid() != parent:
            os.kill(os.getpid(), signal.SIGTERM)


def _visible_gpus() -> list[str]:
    if chosen := os.environ.get("CUDA_VISIBLE_DEVICES"):
        return chosen.split(",")
    return [str(index) for index in range(torch.cuda.device_count())]
