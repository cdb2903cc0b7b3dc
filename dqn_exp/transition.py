"""Steps of experience, as records of arrays and as rows of a replay buffer."""

from typing import Any, NamedTuple


class Transition(NamedTuple):
    """Transitions of any leading shape, as numpy arrays or torch tensors.

    One leads over one step or, with n-step returns, over up to n steps of one episode.

    observation: `[..., D]` what the agent saw, as the environment gave it.
    action: `[...]` index of the action it took.
    rewards: `[..., n]` of its steps, as the environment gave them; 0 after an episode's end.
    discount: `[...]` weight of the value of `next_observation` in the target: the product of gamma
        over the steps, or 0 where the episode ended in a state without a future. Termination,
        truncation, n and gamma are this one number, so no loss knows of any.
    next_observation: `[..., D]` what came after the last step, never that of a reset.
    """

    observation: Any
    action: Any
    rewards: Any
    discount: Any
    next_observation: Any


def row_width(num_features: int, n_step: int) -> int:
    """Returns the numbers that a packed transition takes: `2 * D + 2 + n`."""
    return 2 * num_features + 2 + n_step


def unpack(rows: Any, num_features: int) -> Transition:
    """Returns the transitions of packed rows `[..., 2 * D + 2 + n]`, as views.

    Actions are floats.
    """
    return Transition(
        observation=rows[..., :num_features],
        action=rows[..., 2 * num_features],
        rewards=rows[..., 2 * num_features + 2 :],
        discount=rows[..., 2 * num_features + 1],
        next_observation=rows[..., num_features : 2 * num_features],
    )
