"""Sampling by priority, against the paper."""

import numpy as np
import torch

from dqn_exp.core.random_streams import Stream, draw
from tests.buffer.builders import fill, make_prioritized, make_transition


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
