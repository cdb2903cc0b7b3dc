"""Buffers whose transitions tell which ones they are."""

import numpy as np
import torch

from dqn_exp.buffer.prioritized import PrioritizedBuffer
from dqn_exp.buffer.uniform import UniformBuffer
from dqn_exp.core.schedule import Schedule
from dqn_exp.core.transition import Transition, make_layout


def make_buffer(capacities: list[int], n_step: int = 1) -> UniformBuffer:
    return UniformBuffer(np.array(capacities), make_layout(2, n_step), torch.device("cpu"))


def make_transition(identities: np.ndarray) -> Transition:
    """Transitions in which every field tells which one it is."""
    observation = np.stack([identities, -identities], 1).astype(np.float32)
    rewards = (identities[:, None] + 0.5).astype(np.float32)
    return Transition(observation, identities, rewards, identities + 0.25, observation + 1)


def contents(buffer: UniformBuffer, run: int) -> list[int]:
    begin = buffer.offsets[run]
    batch = buffer.read(np.arange(begin, begin + buffer.sizes[run])[None])
    identities = batch.action[0].numpy()
    expected = make_transition(identities)
    for found, given in zip(batch, expected, strict=True):
        given = np.broadcast_to(given.astype(np.float32), found[0].shape)
        np.testing.assert_array_equal(found[0].numpy(), given)
    return sorted(identities.astype(int).tolist())


def make_prioritized(capacities: list[int], **settings: list[float]) -> PrioritizedBuffer:
    count = len(capacities)
    starts, ends, steps = ([0.4] * count, [1.0] * count, [100] * count)
    given = {"priority_exponent": [0.6] * count, "priority_epsilon": [1e-6] * count, **settings}
    starts = given.pop("importance_exponent", starts)
    return PrioritizedBuffer(
        np.array(capacities),
        make_layout(2, 1),
        torch.device("cpu"),
        **{name: np.array(values) for name, values in given.items()},
        importance_exponent=Schedule(
            np.array(starts), np.array(ends), np.array(steps), np.zeros(count, dtype=np.bool_)
        ),
    )


def fill(buffer: UniformBuffer, count: int) -> None:
    runs = np.arange(len(buffer.sizes))
    for identity in range(count):
        buffer.add(runs, make_transition(identity + 1_000 * runs))
