from collections import deque

import numpy as np
import pytest
import torch

from dqn_exp.buffer import UniformBuffer
from dqn_exp.random_streams import Stream, draw
from dqn_exp.transition import Transition

CAPACITIES = [1, 2, 3, 7, 64, 999, 1_000]


def make_buffer(capacities: list[int], num_features: int = 2) -> UniformBuffer:
    return UniformBuffer(np.array(capacities), num_features, torch.device("cpu"))


def make_transition(identities: np.ndarray) -> Transition:
    """Transitions in which every field tells which one it is."""
    observation = np.stack([identities, -identities], 1).astype(np.float32)
    return Transition(observation, identities, identities + 0.5, identities + 0.25, observation + 1)


def contents(buffer: UniformBuffer, run: int) -> list[int]:
    begin = buffer.offsets[run]
    batch = buffer.read(torch.arange(begin, begin + buffer.sizes[run])[None])
    identities = batch.action[0].numpy()
    expected = make_transition(identities)
    for found, given in zip(batch, expected, strict=True):
        np.testing.assert_array_equal(found[0].numpy(), given.astype(np.float32))
    return sorted(identities.astype(int).tolist())


def test_each_ring_holds_the_newest_transitions_of_its_run():
    buffer = make_buffer(CAPACITIES)
    rings = [deque(maxlen=capacity) for capacity in CAPACITIES]
    generator, identity = np.random.default_rng(0), 0
    for tick in range(2_500):
        runs = np.flatnonzero(generator.random(len(CAPACITIES)) < 0.9)
        identities = np.arange(identity, identity + len(runs))
        identity += len(runs)
        buffer.add(runs, make_transition(identities))
        for run, one in zip(runs, identities, strict=True):
            rings[run].append(one)
        if tick % 250 == 0 or tick < 12:
            for run, ring in enumerate(rings):
                assert contents(buffer, run) == sorted(ring)
    assert buffer.sizes.tolist() == CAPACITIES


def test_a_run_samples_its_own_transitions_uniformly():
    capacities, count = [50, 200, 30], 40_000
    buffer = make_buffer(capacities)
    for identity in range(120):
        buffer.add(np.arange(3), make_transition(identity + 1_000 * np.arange(3)))
    numbers = np.stack([draw(seed, Stream.SAMPLING, 0, count) for seed in range(3)])
    actions = buffer.read(buffer.sample(numbers)).action.numpy().astype(int)
    for run, size in enumerate([50, 120, 30]):
        oldest = 1_000 * run + 120 - size
        counts = np.bincount(actions[run] - oldest, minlength=size)
        assert len(counts) == size
        expected = count / size
        statistic = ((counts - expected) ** 2 / expected).sum()
        # Mean and standard deviation of the chi-squared distribution, far into its tail.
        assert abs(statistic - (size - 1)) < 4 * (2 * (size - 1)) ** 0.5


def test_an_empty_ring_is_read_without_harm():
    buffer = make_buffer([1, 1])
    rows = buffer.sample(np.full((2, 4), 2**32 - 1, dtype=np.uint32))
    assert rows.tolist() == [[0] * 4, [1] * 4]
    assert torch.isfinite(buffer.read(rows).reward).all()


def test_a_retired_run_takes_its_ring_along():
    buffer = make_buffer([3, 4, 5])
    for identity in range(6):
        buffer.add(np.arange(3), make_transition(identity + 100 * np.arange(3)))
    buffer.retire(0)
    assert contents(buffer, 0) == [201, 202, 203, 204, 205]
    assert contents(buffer, 1) == [102, 103, 104, 105]
    buffer.add(np.array([0]), make_transition(np.array([299])))
    assert contents(buffer, 0) == [202, 203, 204, 205, 299]
    assert contents(buffer, 1) == [102, 103, 104, 105]


def test_a_saved_ring_comes_back():
    buffer, other = make_buffer([4, 9]), make_buffer([9, 4])
    for identity in range(7):
        buffer.add(np.arange(2), make_transition(identity + 100 * np.arange(2)))
    saved = buffer.state_dict(0)
    other.load_state_dict(1, saved)
    other.add(np.array([1]), make_transition(np.array([7])))
    assert contents(other, 1) == [4, 5, 6, 7] and contents(other, 0) == []
    with pytest.raises(ValueError, match=r"expected transitions of shape \(9, 7\), got \(4, 7\)"):
        other.load_state_dict(0, saved)
