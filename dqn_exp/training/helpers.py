"""Threads that help another thread with the updates of its run."""

import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

from dqn_exp.agent.native.memory import Memory
from dqn_exp.agent.native.tasks import help_with
from dqn_exp.core.callback import callback
from dqn_exp.core.compile_time import Static


class Helpers:
    """Threads that wait for an update, and carry out tasks of it."""

    def __init__(self, count: int) -> None:
        """Takes the number of threads, which begin when they are needed."""
        self._count, self._pool = count, ThreadPoolExecutor(max(1, count))

    def compile(self, spec: Static, memory: Memory) -> None:
        """Compiles or loads the code, if there are any threads."""
        if self._count:
            help_with(spec, memory)

    def close(self) -> None:
        """Ends the threads."""
        self._pool.shutdown()

    @contextmanager
    def at_work(self, spec: Static, memory: Memory) -> Iterator[None]:
        """Lets the threads help with the updates that are made with a memory in this block."""
        if not self._count:
            yield
            return
        futures: list[Future[None]] = []

        def call() -> None:
            for future in filter(Future.done, futures):
                future.result()
            futures[:] = [future for future in futures if not future.done()]
            for _ in range(self._count - len(futures)):
                futures.append(self._pool.submit(help_with, spec, memory))

        with callback(call) as helpers, callback(_rest) as rest:
            memory.at.helpers, memory.at.rest = helpers, rest
            try:
                yield
            finally:
                memory.at.helpers = 0
                for future in futures:
                    future.result()


def _rest() -> None:
    """Lets the processor do other work for a moment."""
    time.sleep(1e-4)
