"""Steps stored by compiled code against those that `buffer.n_step` makes."""

import numpy as np
import pytest
import torch

from dqn_exp.agent.native import remember as native
from dqn_exp.agent.native.spec import Spec
from dqn_exp.agent.native.stores import Stores
from dqn_exp.buffer.frame_kernels import NO_FRAMES, NO_LAYOUT
from dqn_exp.buffer.n_step import NStep
from dqn_exp.buffer.uniform import UniformBuffer
from dqn_exp.core.compile_time import Static
from dqn_exp.core.transition import Transition, make_layout
from dqn_exp.training.segment import RECORD
from tests.kernels import callable_kernel

pytestmark = pytest.mark.xdist_group("remember")  # Each process compiles its kernels.

SPEC = Static(Spec("relu", is_deep=False))
remember = callable_kernel(native.remember)
NUM_FEATURES = 3


def make_stores(buffer: UniformBuffer) -> Stores:
    none, flat = np.zeros((0, 0)), np.zeros(0, dtype=np.float32)
    return Stores(
        *(flat, flat, flat, flat),
        buffer.storage.numpy().reshape(-1),
        buffer.layout,
        np.zeros(0),
        np.zeros((0, 0), dtype=np.int64),
        *(none, none),
        *(np.zeros((0, 0), dtype=np.float32),) * 2,
        NO_FRAMES,
        NO_LAYOUT,
    )


@pytest.mark.parametrize("capacity", [1, 2, 5, 64])
@pytest.mark.parametrize("n_step", [1, 2, 5])
def test_the_same_transitions_are_stored(n_step, capacity):
    capacity = max(capacity, n_step)
    layout, cpu = make_layout(NUM_FEATURES, n_step), torch.device("cpu")
    expected, found = (UniformBuffer(np.array([capacity]), layout, cpu) for _ in range(2))
    steps, waiting = (NStep(1, NUM_FEATURES, n_step) for _ in range(2))
    records = np.zeros(1, dtype=RECORD)
    records["n_step"], records["capacity"] = n_step, capacity
    stores = make_stores(found)
    own = native.Waiting(waiting.observations, waiting.actions, waiting.rewards, waiting.discounts)
    generator = np.random.default_rng(n_step)
    observation = generator.normal(size=(1, NUM_FEATURES)).astype(np.float32)
    for _ in range(300):
        following = generator.normal(size=(1, NUM_FEATURES)).astype(np.float32)
        action, reward = generator.integers(0, 4), np.float32(generator.normal())
        ended = generator.random() < 0.2
        discount = 0.0 if ended and generator.random() < 0.5 else 0.97
        step = Transition(
            observation, np.array([action]), np.array([[reward]]), np.array([discount]), following
        )
        expected.add(*steps.push(step, np.array([ended])))
        records["action"], records["reward"], records["discount"] = action, reward, discount
        remember(SPEC, stores, own, records[0], 0, observation, following, bool(ended))
        np.testing.assert_array_equal(found.storage, expected.storage)
        assert records["position"] == expected.positions and records["size"] == expected.sizes
        assert records["count"][0] == (steps.counts[0] if n_step > 1 else 0)
        observation = following
