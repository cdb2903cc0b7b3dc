"""Work that may take only a share of the time."""

import time
from collections.abc import Iterator
from contextlib import contextmanager


class CostBound:
    """Lets something be done as long as it takes at most a share of the time since the start."""

    def __init__(self, share: float) -> None:
        """Args: `share` in (0, 1]."""
        self._share = share
        self._began = time.perf_counter()
        self._spent = self._newest = 0.0

    @property
    def allows(self) -> bool:
        """Whether there is time for once more what was done last."""
        elapsed = time.perf_counter() - self._began
        return self._spent + self._newest <= self._share * elapsed

    @contextmanager
    def expected(self) -> Iterator[None]:
        """Takes the time of this block for what the first time will take, but does not count it."""
        began = time.perf_counter()
        yield
        self._newest = max(self._newest, time.perf_counter() - began)

    @contextmanager
    def measured(self) -> Iterator[None]:
        """Counts what is done in this block."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self._newest = time.perf_counter() - began
            self._spent += self._newest
