"""The interface of replay buffers."""

from typing import Any, NamedTuple, Protocol

from torch import Tensor

from dqn_exp.core.arrays import BoolArray, Float32Array, IntArray, UInt32Array
from dqn_exp.core.transition import Transition


class Sample(NamedTuple):
    """A sampled minibatch.

    Attributes:
        rows: `[N, B]` rows of the storage.
        weights: factors of the losses, of a shape that broadcasts to `[N, B]`.
    """

    rows: IntArray
    weights: Tensor


class Buffer(Protocol):
    """Stores and samples transitions of all runs.

    Attributes:
        sizes: `[N]` transitions stored.
    """

    sizes: IntArray

    def add(self, runs: IntArray, transition: Transition) -> None:
        """Stores transitions `[M]` of runs `[M]`, ascending; those of one run are in order."""
        ...

    def sample(self, numbers: UInt32Array, steps: IntArray) -> Sample:
        """Samples minibatches.

        Args:
            numbers: `[N, B]` random numbers.
            steps: `[N]` the runs' own steps.
        """
        ...

    def read(self, rows: IntArray) -> Transition:
        """Returns the transitions in rows `[N, B]` of the storage."""
        ...

    def inputs(self, observations: Float32Array) -> Float32Array:
        """Returns the observations `[N, D]` that the runs' current, stored ones stand for."""
        ...

    def spread(self, runs: IntArray, count: int) -> IntArray:
        """Returns rows `[M, count]` evenly spaced over the transitions of runs `[M]`."""
        ...

    def peek(self, run: int, limit: int) -> Transition:
        """Returns all transitions of a run or, evenly spaced, about `limit` of them."""
        ...

    def prioritize(self, rows: IntArray, priorities: Tensor, learning: BoolArray) -> None:
        """Updates the priorities of the sampled transitions.

        Args:
            rows: `[N, B]` of the storage.
            priorities: `[N, B]`, at least 0.
            learning: `[N]` runs that have learned; the others are left unchanged.
        """
        ...

    def retire(self, run: int) -> None:
        """Removes a run, as `PerRunState.retire` does."""
        ...

    def state_dict(self, run: int) -> dict[str, Any]:
        """Returns the saved state of one run, valid until its next transition is added."""
        ...

    def load_state_dict(self, run: int, state: dict[str, Any]) -> None:
        """Overwrites one run with the return value of `state_dict`."""
        ...
