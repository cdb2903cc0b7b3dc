"""What environments of all runs are asked for and answer, whatever is behind them."""

from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]


class Outcome(NamedTuple):
    """What a step of every run's environment has led to.

    observations: `[N, D]` the true next observations, also where the episode has ended.
    rewards: `[N]`.
    terminated: `[N]` whether the task has ended.
    truncated: `[N]` whether a limit, such as that of time, has ended the episode.
    ended: `[N]` whether one of the two.
    """

    observations: Floats
    rewards: Floats
    terminated: Bools
    truncated: Bools
    ended: Bools


class Environments(Protocol):
    """One environment for each run.

    What one of them raises is kept in `errors` by its run, and the others go on; where an
    environment has failed, what is returned for it has no meaning.
    """

    errors: dict[int, Exception]

    def reset(self, runs: npt.NDArray[np.int64], seeds: npt.NDArray[np.int64]) -> Floats:
        """Starts new episodes of runs `[M]` with seeds `[M]`; returns observations `[M, D]`."""
        ...

    def step(self, actions: npt.NDArray[np.int64]) -> Outcome:
        """Takes one action `[N]` in every environment."""
        ...

    def retire(self, run: int) -> None:
        """Takes a run out: the last environment moves into its place."""
        ...

    def state_dict(self, run: int) -> dict[str, Any]:
        """Returns what brings one run's open episode back."""
        ...

    def restore(self, run: int, state: dict[str, Any], observation: Floats) -> str | None:
        """Brings one run's open episode back, in which `observation` `[D]` was the newest.

        Returns:
            Why that could not be, or None. A new episode must then be started.
        """
        ...

    def close(self) -> None:
        """Frees what the environments hold."""
        ...
