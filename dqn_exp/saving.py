"""When the runs of a population are saved."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt

from dqn_exp.cost_bound import CostBound
from dqn_exp.per_run import PerRunState

SHARE_OF_TIME = 0.05
"""The most of the time that checkpoints on the way may take; they become more seldom for it."""

Errors = dict[int, Exception]
"""What has kept runs from being saved, by row."""


class Saving(PerRunState):
    """Saves runs whose checkpoints have been due, as far as there is time for it."""

    rows = ("_is_owed", "_turns")

    def __init__(
        self, count: int, is_finite: Callable[[int], bool], save: Callable[[int], None]
    ) -> None:
        """Args: N, whether a run in a row is worth to be saved, and what saves it or raises."""
        self._is_owed, self._owes_any = np.zeros(count, dtype=np.bool_), False
        self._turns = np.zeros(count, dtype=np.int64)  # When the runs were saved, in their order.
        self._is_finite, self._save = is_finite, save
        self._time = CostBound(SHARE_OF_TIME)

    @contextmanager
    def expected(self) -> Iterator[None]:
        """Takes the time of this block for that of saving a run, as long as that is not known."""
        with self._time.expected():
            yield

    def owe(self, due: npt.NDArray[np.bool_]) -> None:
        """Takes notice of the runs `[N]` whose checkpoints are due."""
        self._is_owed |= due
        self._owes_any = bool(self._is_owed.any())

    def save_owed(self) -> Errors:
        """Saves what is owed, longest unsaved first, until there is no more time for it."""
        if not self._owes_any or not self._time.allows:
            return {}
        errors: Errors = {}
        owed = np.flatnonzero(self._is_owed)
        for row in owed[np.argsort(self._turns[owed], kind="stable")].tolist():
            if not self._time.allows:
                break
            with self._time.measured():
                errors |= self._try(row)
        self._owes_any = bool(self._is_owed.any())
        return errors

    def save_all(self) -> Errors:
        """Saves all runs, whatever time it takes."""
        errors: Errors = {}
        for row in range(len(self._is_owed)):
            errors |= self._try(row)
        return errors

    def _try(self, row: int) -> Errors:
        self._is_owed[row] = False
        self._turns[row] = self._turns.max() + 1
        try:
            if self._is_finite(row):
                self._save(row)
        except Exception as error:  # Of its files, or of what its environment tells of itself.
            return {row: error}
        return {}
