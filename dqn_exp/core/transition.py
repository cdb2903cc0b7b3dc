"""Transitions, as records of arrays and as rows of a replay buffer."""

from typing import Any, NamedTuple


class Transition(NamedTuple):
    """Transitions of any leading shape, as numpy arrays or torch tensors.

    A transition spans one step or, with n-step returns, up to n steps of one episode. On their way
    into a replay buffer and in its storage, observations that are images have one number, the slot
    of their newest frame (`FrameStore`); those that are read for learning have D again.

    Attributes:
        observation: `[..., D]`, as the environment returned it.
        action: `[...]` index of the action taken.
        rewards: `[..., n]` of its steps, as the environment returned them; 0 after the end of an
            episode.
        discount: `[...]` weight of the value of `next_observation` in the target: the product of
            gamma over the steps, or 0 where the last state has no future. Termination, truncation,
            n and gamma are this one number, so no loss depends on them.
        next_observation: `[..., D]` observation after the last step, never that of a reset.
    """

    observation: Any
    action: Any
    rewards: Any
    discount: Any
    next_observation: Any


class TransitionLayout(NamedTuple):
    """Offsets of the fields of a transition in a row of a replay buffer.

    Attributes:
        observation: offset of the first of D features.
        next_observation: offset of the first of D features.
        action: offset of the action.
        discount: offset of the discount.
        rewards: offset of the first of n rewards.
        width: numbers in a row.
        num_features: D.
    """

    observation: int
    next_observation: int
    action: int
    discount: int
    rewards: int
    width: int
    num_features: int


def make_layout(num_features: int, n_step: int) -> TransitionLayout:
    """Returns the layout of transitions with D features that span up to n steps."""
    return TransitionLayout(
        observation=0,
        next_observation=num_features,
        action=2 * num_features,
        discount=2 * num_features + 1,
        rewards=2 * num_features + 2,
        width=2 * num_features + 2 + n_step,
        num_features=num_features,
    )


def unpack(rows: Any, layout: TransitionLayout) -> Transition:
    """Returns the transitions in rows `[..., width]`, as views; actions are floats."""
    observation, following = (
        rows[..., first : first + layout.num_features]
        for first in (layout.observation, layout.next_observation)
    )
    return Transition(
        observation=observation,
        action=rows[..., layout.action],
        rewards=rows[..., layout.rewards :],
        discount=rows[..., layout.discount],
        next_observation=following,
    )
