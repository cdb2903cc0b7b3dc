"""The prioritized buffer of a population."""

from itertools import product

import numpy as np
import pytest
import torch

from tests.buffer.builders import fill, make_prioritized, make_transition


def test_priorities_of_runs_that_do_not_learn_stay():
    buffer = make_prioritized([20, 20])
    fill(buffer, 20)
    before = buffer.state_dict(1)["masses"]
    rows = np.stack([np.arange(8), np.arange(20, 28)])
    errors = torch.full((2, 8), float("nan"))
    errors[0] = 3.0
    buffer.prioritize(rows, errors, np.array([True, False]))
    np.testing.assert_array_equal(buffer.state_dict(1)["masses"], before)
    assert buffer.tree.totals[0] == pytest.approx(12 + 8 * (3 + 1e-6) ** 0.6)


def test_a_prioritized_run_is_the_same_whatever_its_neighbors():
    """The power function of numpy may round differently in different places of an array."""
    generator = np.random.default_rng(0)
    sizes = ((2, 1), (3, 7), (5, 13), (7, 64))
    for (count, batch), exponent in product(sizes, (0.5, 0.6)):
        half = {"importance_exponent": [0.5], "priority_exponent": [exponent]}
        together = make_prioritized([100] * count, **{k: v * count for k, v in half.items()})
        alone = make_prioritized([100], **half)
        for identity in range(60):
            together.add(np.arange(count), make_transition(identity + 1_000 * np.arange(count)))
            alone.add(np.zeros(1, dtype=np.int64), make_transition(np.array([identity])))
        for step in range(20):
            numbers = generator.integers(0, 2**32, (count, batch), dtype=np.uint32)
            errors = torch.from_numpy(generator.random((count, batch), dtype=np.float32))
            rows, weights = together.sample(numbers, np.full(count, step))
            own_rows, own_weights = alone.sample(numbers[-1:], np.full(1, step))
            np.testing.assert_array_equal(rows[-1] - together.offsets[-1], own_rows[0])
            np.testing.assert_array_equal(weights[-1], own_weights[0])
            together.prioritize(rows, errors, np.ones(count, dtype=np.bool_))
            alone.prioritize(own_rows, errors[-1:], np.ones(1, dtype=np.bool_))
        np.testing.assert_array_equal(
            together.state_dict(count - 1)["masses"], alone.state_dict(0)["masses"]
        )


def test_a_saved_prioritized_ring_comes_back_with_its_tree():
    buffer, other = make_prioritized([30, 10]), make_prioritized([5, 30])
    fill(buffer, 40)
    rows = np.stack([np.arange(8), np.arange(30, 38)])
    errors = torch.rand(2, 8, generator=torch.Generator().manual_seed(0)) * 9
    buffer.prioritize(rows, errors, np.array([True, True]))
    other.load_state_dict(1, buffer.state_dict(0))
    assert other.tree.totals[1] == buffer.tree.totals[0]
    numbers = np.random.default_rng(0).integers(0, 2**32, (2, 8), dtype=np.uint32)
    for one in (buffer, other):
        one.add(np.arange(2), make_transition(np.array([7, 7])))
    found, expected = (
        one.sample(numbers[[0, 0]], np.zeros(2, dtype=np.int64)) for one in (other, buffer)
    )
    np.testing.assert_array_equal(found.rows[1] - 5, expected.rows[0])
    np.testing.assert_array_equal(found.weights[1], expected.weights[0])


def test_an_empty_prioritized_ring_is_read_without_harm():
    buffer = make_prioritized([1, 9])
    rows, _ = buffer.sample(
        np.full((2, 4), 2**32 - 1, dtype=np.uint32), np.zeros(2, dtype=np.int64)
    )
    assert rows.tolist() == [[0] * 4, [1] * 4]
    buffer.retire(0)
    start = np.zeros(1, dtype=np.int64)
    assert buffer.sample(np.zeros((1, 4), dtype=np.uint32), start).rows.tolist() == [[1] * 4]
