"""Threads that help other threads with the updates of their runs."""

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager

from dqn_exp.agent.native.memory import Memory
from dqn_exp.agent.native.tasks import help_with
from dqn_exp.core.callback import callback
from dqn_exp.core.compile_time import Static


class Helpers:
    """Threads that wait for an update, and carry out tasks of it."""

    def __init__(self, num_threads: int) -> None:
        """Takes the number of threads, with those that are helped; they begin when needed."""
        self._num_threads, self._share = num_threads, num_threads - 1
        self._pool = ThreadPoolExecutor(max(1, num_threads - 1))

    def share_among(self, num_helped: int) -> None:
        """Sets how many threads are helped at once; each has an equal number of helpers."""
        self._share = max(0, self._num_threads // num_helped - 1)

    def compile(self, spec: Static, memory: Memory) -> None:
        """Compiles or loads the code, if there are any threads."""
        if self._num_threads > 1:
            help_with(spec, memory)

    def close(self) -> None:
        """Ends the threads."""
        self._pool.shutdown()

    @contextmanager
    def at_work(self, spec: Static, memory: Memory) -> Iterator[None]:
        """Lets the threads help with the updates that are made with a memory in this block."""
        count = self._share
        if not count:
            yield
            return
        futures: list[Future[None]] = []

        def call() -> None:
            for future in filter(Future.done, futures):
                future.result()
            futures[:] = [future for future in futures if not future.done()]
            for _ in range(count - len(futures)):
                futures.append(self._pool.submit(help_with, spec, memory))

        with callback(call) as helpers, callback(_rest) as rest:
            memory.at.helpers, memory.at.rest = helpers, rest
            try:
                yield
            finally:
                memory.at.helpers = 0
                _wait_for(futures)


def _wait_for(futures: Sequence[Future[None]]) -> None:
    """Waits for dismissed helpers, which end at once, and raises what they have raised."""
    try:
        wait(futures)
    except KeyboardInterrupt:
        wait(futures)  # They may still call back.
        raise
    for future in futures:
        future.result()


def _rest() -> None:
    """Lets the processor do other work for a moment."""
    time.sleep(1e-4)
