"""Interface of steppers, which advance the runs of a population."""

from collections.abc import Mapping
from typing import NamedTuple, Protocol

from dqn_exp.core.arrays import BoolArray, IntArray
from dqn_exp.training.episodes import FinishedEpisodes


class Stretch(NamedTuple):
    """Some steps of all runs.

    Attributes:
        steps: `[N]` the runs' own steps after it.
        finished: episodes that have finished, those of a run in their order.
        diverged: `[N]` runs with a loss that is not finite.
        errors: errors that environments raised, by row.
    """

    steps: IntArray
    finished: FinishedEpisodes
    diverged: BoolArray
    errors: Mapping[int, Exception]


class Stepper(Protocol):
    """Makes steps of all runs: act, step the environments, store, learn."""

    def advance(self, steps: IntArray, until: IntArray, last_episodes: IntArray) -> Stretch:
        """Makes steps for a fraction of a second, or until something is due.

        Args:
            steps: `[N]` the runs' own steps.
            until: `[N]` steps at which the runs stop at the latest, greater than `steps`.
            last_episodes: `[N]` finished episodes at which they stop.
        """
        ...

    def close(self) -> None:
        """Ends the threads."""
        ...
