"""The interface of what watches evaluations, and ends runs that are not worth more steps."""

from collections.abc import Collection
from typing import Protocol

from dqn_exp.core.arrays import Float64Array


class Monitor(Protocol):
    """Watches the runs of a population, by their numbers in it."""

    @property
    def pruned(self) -> Collection[int]:
        """Runs that are to end as pruned, as far as they have not ended."""
        ...

    def add_evaluation(self, run: int, step: int, returns: Float64Array) -> None:
        """Takes the returns of an evaluation's episodes.

        Args:
            run: number of the run.
            step: of the run.
            returns: `[E]` of the episodes.
        """
        ...


class NoMonitor:
    """Prunes nothing."""

    pruned: Collection[int] = ()

    def add_evaluation(self, run: int, step: int, returns: Float64Array) -> None:
        """Does nothing."""


NO_MONITOR = NoMonitor()
