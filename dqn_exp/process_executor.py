"""Workers that are processes of this machine, with loky, https://loky.readthedocs.io."""

import os
import re
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass

import loky

from dqn_exp.errors import WorkerError, last_line_of
from dqn_exp.executor import Task, Tell, train_task
from dqn_exp.interruption import SIGNALS
from dqn_exp.result import Result

WATCH_SECONDS = 0.5


@dataclass
class _Worker:
    """A process, in a pool of its own: where one dies, its pool is broken and no other."""

    pool: loky.ProcessPoolExecutor
    pid: int
    future: Future[list[Result]] | None = None

    @property
    def is_busy(self) -> bool:
        return self.future is not None and not self.future.done()


@dataclass(frozen=True)
class _OfWorker:
    """A task that a worker trains."""

    worker: _Worker
    future: Future[list[Result]]

    def is_done(self) -> bool:
        return self.future.done()

    def results(self) -> list[Result]:
        try:
            return self.future.result()
        except BaseException as error:  # A pool that breaks and a task that raises.
            ended = re.search(r"exit codes of the workers are {(.+?)}", str(error))
            reason = f"ended with {ended[1]}" if ended else last_line_of(error)
            raise WorkerError(f"process {self.worker.pid}: {reason}") from error


class ProcessExecutor:
    """Trains each population in one of some processes; they share the cores, or have a GPU each."""

    has_workers = True

    def __init__(self, num_workers: int | None, device: str, num_cores: int) -> None:
        """Args: the number of processes; None for one a GPU or a core.

        device: of the runs; where it is cuda, each worker sees one of the GPUs.
        num_cores: that are shared out.
        """
        self._gpus = _visible_gpus() if device == "cuda" else []
        self.num_workers = num_workers or len(self._gpus) or num_cores
        self.num_threads: int | None = max(1, num_cores // self.num_workers)
        self._workers: list[_Worker | None] = [None] * self.num_workers

    def submit(self, task: Task, tell: Tell, should_stop: Callable[[], bool]) -> _OfWorker:
        """Begins with a task; there is a worker that is free."""
        del tell, should_stop
        index = next(i for i, one in enumerate(self._workers) if one is None or not one.is_busy)
        try:
            worker = self._alive(index)
            worker.future = worker.pool.submit(train_task, task)
        except Exception:  # It died while it had nothing to do; the next one is a new one.
            self._end(index)
            raise
        return _OfWorker(worker, worker.future)

    def stop(self) -> None:
        """Asks all workers to end at the next step, with checkpoints."""
        for worker in self._workers:
            if worker is not None and worker.is_busy:
                os.kill(worker.pid, signal.SIGTERM)

    def close(self) -> None:
        """Ends all workers, whatever they do."""
        for index in range(self.num_workers):
            self._end(index)

    def _alive(self, index: int) -> _Worker:
        worker = self._workers[index]
        if worker is not None and (worker.future is None or worker.future.exception() is None):
            return worker
        self._end(index)
        gpu = {"CUDA_VISIBLE_DEVICES": self._gpus[index % len(self._gpus)]} if self._gpus else {}
        pool = loky.ProcessPoolExecutor(max_workers=1, timeout=None, env=gpu, initializer=_begin)
        # The new process inherits that it hears no signal before it is ready for one.
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
    # A terminal sends Ctrl-C to all processes; what follows from it is for the first to say.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    threading.Thread(target=_end_with_parent, args=(os.getppid(),), daemon=True).start()


def _end_with_parent(parent: int) -> None:
    # Where the parent is gone, runs end at their next step; after them, the process does.
    while True:
        time.sleep(WATCH_SECONDS)
        if os.getppid() != parent:
            os.kill(os.getpid(), signal.SIGTERM)


def _visible_gpus() -> list[str]:
    if chosen := os.environ.get("CUDA_VISIBLE_DEVICES"):
        return chosen.split(",")
    import torch  # Late: a worker, which imports this module first, must import the engine before.

    return [str(index) for index in range(torch.cuda.device_count())]
