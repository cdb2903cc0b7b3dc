import numpy as np
import pytest
import torch

from dqn_exp.core.random_streams import Stream, draw
from tests.buffer.builders import contents, make_buffer, make_transition


def test_a_run_samples_its_own_transitions_uniformly():
    capacities, count = [50, 200, 30], 40_000
    buffer = make_buffer(capacities)
    for identity in range(120):
        buffer.add(np.arange(3), make_transition(identity + 1_000 * np.arange(3)))
    numbers = np.stack([draw(seed, Stream.SAMPLING, 0, count) for seed in range(3)])
    actions = buffer.read(buffer.sample(numbers, np.zeros(3)).rows).action.numpy().astype(int)
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
    rows, weights = buffer.sample(
        np.full((2, 4), 2**32 - 1, dtype=np.uint32), np.zeros(2, dtype=np.int64)
    )
    assert rows.tolist() == [[0] * 4, [1] * 4] and weights.tolist() == [[1.0]]
    assert torch.isfinite(buffer.read(rows).rewards).all()


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
    with pytest.raises(
        ValueError, match=r"expected at most 9 transitions of 7 numbers, got \(4, 7\)"
    ):
        other.load_state_dict(0, saved)
