"""Scheduling of checkpoints within a time budget."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from dqn_exp.core.arrays import BoolArray
from dqn_exp.core.per_run import PerRunState

TIME_SHARE = 0.02
"""Limit of the time for checkpoints; they become less frequent to stay below it."""


class TimeBudget:
    """Limits an activity to a share of the time since the start."""

    def __init__(self, share: float) -> None:
        """Takes the share, in (0, 1]."""
        self._share = share
        self._began = time.perf_counter()
        self._spent = self._newest = 0.0

    @property
    def allows(self) -> bool:
        """Whether there is time for the activity, if it takes as long as last time."""
        elapsed = time.perf_counter() - self._began
        return self._spent + self._newest <= self._share * elapsed

    @contextmanager
    def expected(self) -> Iterator[None]:
        """Takes the time of this block as an estimate for the first activity."""
        began = time.perf_counter()
        yield
        self._newest = max(self._newest, time.perf_counter() - began)

    @contextmanager
    def measured(self) -> Iterator[None]:
        """Counts the time of this block."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self._newest = time.perf_counter() - began
            self._spent += self._newest


class CheckpointSchedule(PerRunState):
    """Selects the runs to save: those that are due, as far as the time budget allows."""

    rows = ("_is_due", "_turns")

    def __init__(self, count: int) -> None:
        """Starts with no checkpoint due, for `count` runs (N)."""
        self._is_due, self._any_due = np.zeros(count, dtype=np.bool_), False
        self._turns = np.zeros(count, dtype=np.int64)  # Order in which the runs were last saved.
        self._budget = TimeBudget(TIME_SHARE)

    @contextmanager
    def expected(self) -> Iterator[None]:
        """Takes the time of this block as an estimate for the first checkpoint."""
        with self._budget.expected():
            yield

    def mark_due(self, due: BoolArray) -> None:
        """Marks the runs `[N]` whose checkpoints are due."""
        self._is_due |= due
        self._any_due = bool(self._is_due.any())

    def due_rows(self) -> Iterator[int]:
        """Yields the rows of due runs, longest unsaved first, until the time budget is spent.

        The caller saves a run before it asks for the next one; that time is counted.
        """
        if not self._any_due or not self._budget.allows:
            return
        due = np.flatnonzero(self._is_due)
        for row in due[np.argsort(self._turns[due], kind="stable")].tolist():
            if not self._budget.allows:
                break
            self._is_due[row] = False
            self._turns[row] = self._turns.max() + 1
            with self._budget.measured():
                yield row
        self._any_due = bool(self._is_due.any())
