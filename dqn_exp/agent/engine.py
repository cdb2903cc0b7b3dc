"""The interface of engines, which compute how runs act and learn."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, NamedTuple, Protocol

from dqn_exp.core.arrays import BoolArray, Float32Array, IntArray
from dqn_exp.core.schedule import Schedule

Policy = Callable[[Float32Array], IntArray]
"""Maps observations `[M, E, D]` to actions `[M, E]`."""


class Diagnostics(NamedTuple):
    """Diagnostics `[M]` of the newest batch that runs learned from; NaN before the first.

    Attributes:
        loss: differentiated loss: the mean of the losses, by importance weight.
        td_error_abs: mean absolute TD error.
        td_error_p10: 10th percentile of the TD errors, each the prediction minus the target.
        td_error_p50: median of the TD errors.
        td_error_p90: 90th percentile of the TD errors.
        q_mean: mean value of the actions taken.
        grad_norm: norm of the gradient, before clipping.
    """

    loss: Float32Array
    td_error_abs: Float32Array
    td_error_p10: Float32Array
    td_error_p50: Float32Array
    td_error_p90: Float32Array
    q_mean: Float32Array
    grad_norm: Float32Array


class Engine(Protocol):
    """Acts and learns, on state that the agent, the optimizer and the buffer hold.

    Attributes:
        learning_rate: of the runs.
        target_distances: `[N]` distances of the target parameters, see `Agent.target_distance`,
            before the newest learning; NaN where they have not been measured.
    """

    learning_rate: Schedule
    target_distances: Float32Array

    def act(self, observations: Float32Array, steps: IntArray) -> IntArray:
        """Returns the actions `[N]` for observations `[N, D]` at the runs' own steps `[N]`."""
        ...

    def learn(self, learning: BoolArray, steps: IntArray) -> BoolArray:
        """Makes the updates of the learning runs that are due.

        Args:
            learning: `[N]` runs that learn.
            steps: `[N]` the runs' own steps.

        Returns:
            `[N]` the learning runs that diverged.
        """
        ...

    def policy(self, runs: IntArray) -> AbstractContextManager[Policy]:
        """Provides the current greedy policies of runs `[M]`."""
        ...

    def q_values(self, runs: IntArray, observations: Float32Array) -> Float32Array:
        """Returns values Q `[M, E, A]` of runs `[M]` for observations `[M, E, D]`."""
        ...

    def diagnostics(self, runs: IntArray) -> Diagnostics:
        """Returns diagnostics of the newest batches of runs `[M]`."""
        ...

    def retire(self, run: int) -> None:
        """Removes a run; the last row replaces it."""
        ...

    def state_dict(self, run: int) -> dict[str, Any]:
        """Returns a copy of the saved state of one run, by part."""
        ...

    def load_state_dict(self, run: int, state: dict[str, Any]) -> None:
        """Overwrites one run with the return value of `state_dict`."""
        ...
