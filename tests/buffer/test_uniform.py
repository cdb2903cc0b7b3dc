from collections import deque
from itertools import product

import numpy as np
import pytest
import torch

from dqn_exp.buffer.prioritized import PrioritizedBuffer
from dqn_exp.buffer.uniform import UniformBuffer
from dqn_exp.core.random_streams import Stream, draw
from dqn_exp.core.schedule import Schedule
from dqn_exp.core.transition import Transition, make_layout

CAPACITIES = [1, 2, 3, 7, 64, 999, 1_000]


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


def test_several_transitions_of_a_run_are_stored_in_their_order():
    buffer = make_buffer([5, 3, 4], n_step=3)
    rings = [deque(maxlen=capacity) for capacity in (5, 3, 4)]
    generator, identity = np.random.default_rng(0), 0
    for _ in range(200):
        runs = np.sort(np.repeat(np.arange(3), generator.integers(0, 4, 3)))
        identities = np.arange(identity, identity + len(runs))
        identity += len(runs)
        transition = make_transition(identities)
        rewards = transition.rewards + np.zeros(3)
        buffer.add(runs, transition._replace(rewards=rewards))
        for run, one in zip(runs, identities, strict=True):
            rings[run].append(one)
        for run, ring in enumerate(rings):
            assert contents(buffer, run) == sorted(ring)


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


class NaivePriorities:
    """The priorities of one run as the paper has them."""

    def __init__(self, capacity: int, exponent: float, smallest: float) -> None:
        self.priorities: dict[int, float] = {}
        self.capacity, self.exponent, self.smallest = capacity, exponent, smallest
        self.greatest, self.position = 1.0, 0

    def add(self) -> None:
        self.priorities[self.position] = self.greatest
        self.position = (self.position + 1) % self.capacity

    def update(self, leaves: list[int], errors: list[float]) -> None:
        for leaf, error in zip(leaves, errors, strict=True):
            self.priorities[leaf] = error + self.smallest
            self.greatest = max(self.greatest, error + self.smallest)

    def probabilities(self) -> np.ndarray:
        powers = [self.priorities[leaf] ** self.exponent for leaf in sorted(self.priorities)]
        return np.array(powers) / sum(powers)

    def weights(self, leaves: list[int], exponent: float) -> np.ndarray:
        probabilities = self.probabilities()
        weights = [(len(probabilities) * probabilities[leaf]) ** -exponent for leaf in leaves]
        return np.array(weights) / max(weights)


def test_priorities_and_weights_are_those_of_the_paper():
    capacities, exponents, smallest = [9, 40, 7], [0.6, 1.0, 0.0], [1e-6, 0.1, 0.01]
    buffer = make_prioritized(capacities, priority_exponent=exponents, priority_epsilon=smallest)
    naive = [NaivePriorities(*each) for each in zip(capacities, exponents, smallest, strict=True)]
    generator = np.random.default_rng(0)
    for tick in range(120):
        buffer.add(np.arange(3), make_transition(tick + 1_000 * np.arange(3)))
        for run in naive:
            run.add()
        numbers = generator.integers(0, 2**32, (3, 8), dtype=np.uint32)
        steps = np.array([tick, 0, 10_000])
        rows, weights = buffer.sample(numbers, steps)
        errors = generator.random((3, 8)).astype(np.float32) * 3
        learning = generator.random(3) < 0.7
        for run, truth in enumerate(naive):
            leaves = (rows[run] - buffer.offsets[run]).tolist()
            ends = np.cumsum(truth.probabilities())
            shares = (np.arange(8) + numbers[run] / 2**32) / 8
            # Where a position lies within rounding of an end, either side is right.
            expected = np.searchsorted(ends, shares, side="right").clip(0, len(ends) - 1)
            is_near = np.abs(ends[expected] - shares) < 1e-12
            assert (np.array(leaves) == expected)[~is_near].all()
            beta = 0.4 + 0.6 * min(steps[run] / 100, 1)
            np.testing.assert_allclose(weights[run], truth.weights(leaves, beta), rtol=1e-5)
            if learning[run]:
                truth.update(leaves, errors[run].tolist())
        buffer.prioritize(rows, torch.from_numpy(errors), learning)
        for run, truth in enumerate(naive):
            leaves = np.arange(buffer.sizes[run])
            masses = buffer.tree.masses(np.full_like(leaves, run), leaves)
            np.testing.assert_allclose(masses / masses.sum(), truth.probabilities(), rtol=1e-9)


def test_transitions_are_sampled_in_proportion_to_their_priorities():
    capacities, count = [50, 30], 60_000
    buffer = make_prioritized(capacities, priority_exponent=[0.6, 1.0])
    fill(buffer, 50)
    priorities = np.random.default_rng(0).random((2, 50)) ** 3
    rows = np.stack([np.arange(50), np.arange(50, 100).clip(max=79)])
    buffer.prioritize(rows, torch.from_numpy(priorities), np.array([True, True]))
    numbers = np.stack([draw(seed, Stream.SAMPLING, 0, count) for seed in range(2)])
    # One transition a batch: then the draws are independent.
    found = np.array(
        [
            buffer.sample(column[:, None], np.zeros(2, dtype=np.int64)).rows[:, 0]
            for column in numbers.T
        ]
    )
    for run, (size, exponent) in enumerate(zip((50, 30), (0.6, 1.0), strict=True)):
        truth = priorities[run, :size].copy()
        if run == 1:
            truth[29] = priorities[1, -1]  # The last of those that were given twice.
        powers = (truth + 1e-6) ** exponent
        expected = count * powers / powers.sum()
        counts = np.bincount(found[:, run] - buffer.offsets[run], minlength=size)
        is_common = expected > 5
        statistic = ((counts - expected) ** 2 / expected)[is_common].sum()
        freedom = is_common.sum() - 1
        assert abs(statistic - freedom) < 4 * (2 * freedom) ** 0.5


def test_a_batch_has_a_transition_of_each_share_of_the_total():
    buffer = make_prioritized([64])
    fill(buffer, 64)
    numbers = draw(0, Stream.SAMPLING, 0, 64 * 100).reshape(100, 1, 64)
    for row in numbers:
        found = buffer.sample(row, np.zeros(1, dtype=np.int64)).rows[0]
        assert sorted(found.tolist()) == list(range(64))


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


def test_a_prioritized_run_is_the_same_whatever_its_neighbours():
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
