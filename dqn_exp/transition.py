"""One step of experience, as records of arrays and as rows of a replay buffer."""

from typing import Any, NamedTuple


class Transition(NamedTuple):
    """Transitions of any leading shape, as numpy arrays or torch tensors.

    observation: `[..., D]` what the agent saw.
    action: `[...]` index of the action it took.
    reward: `[...]` what followed.
    discount: `[...]` weight of the value of `next_observation` in the target: gamma, or 0 where
        the episode ended in a state without a future. Termination, truncation and gamma are
        this one number, so no loss knows of either.
    next_observation: `[..., D]` the true next observation, never that of a reset.
    """

    observation: Any
    action: Any
    reward: Any
    discount: Any
    next_observation: Any


def row_width(num_features: int) -> int:
    """Returns the numbers that a packed transition takes: `2 * D + 3`."""
    return 2 * num_features + 3


def pack(transition: Transition, rows: Any) -> None:
    """Writes transitions into the rows of a float array.

    Args:
        transition: transitions of leading shape `[...]`.
        rows: `[..., 2 * D + 3]`, written in place. Actions are stored as floats, which is exact
            below 2 ** 24.
    """
    features = transition.observation.shape[-1]
    rows[..., :features] = transition.observation
    rows[..., features : 2 * features] = transition.next_observation
    rows[..., -3] = transition.action
    rows[..., -2] = transition.reward
    rows[..., -1] = transition.discount


def unpack(rows: Any) -> Transition:
    """Returns the transitions of packed rows `[..., 2 * D + 3]`, as views; actions are floats."""
    features = (rows.shape[-1] - 3) // 2
    return Transition(
        observation=rows[..., :features],
        action=rows[..., -3],
        reward=rows[..., -2],
        discount=rows[..., -1],
        next_observation=rows[..., features : 2 * features],
    )
