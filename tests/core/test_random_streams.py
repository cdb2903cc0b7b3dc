import numpy as np
import pytest

from dqn_exp.core import random_streams
from dqn_exp.core.random_streams import (
    RandomStream,
    Stream,
    draw,
    episode_seeds,
    evaluation_seeds,
    to_range,
    to_unit,
)

CHI_SQUARED_99_DF = 148.2  # 99 degrees of freedom, exceeded with probability 0.001.


def chi_squared(counts: np.ndarray) -> float:
    expected = counts.sum() / len(counts)
    return float(((counts - expected) ** 2 / expected).sum())


def test_numbers_are_a_function_of_seed_stream_and_position():
    whole = draw(7, Stream.SAMPLING, 0, 800)
    np.testing.assert_array_equal(whole[400:480], draw(7, Stream.SAMPLING, 400, 80))
    assert not np.array_equal(whole, draw(8, Stream.SAMPLING, 0, 800))
    assert not np.array_equal(whole, draw(7, Stream.EXPLORATION, 0, 800))


@pytest.mark.parametrize("seed", [0, 1, 2**63 - 1])
def test_numbers_are_uniform(seed):
    numbers = draw(seed, Stream.SAMPLING, 0, 80_000)
    assert chi_squared(np.bincount(to_range(numbers, 100), minlength=100)) < CHI_SQUARED_99_DF
    units = to_unit(numbers)
    assert units.min() >= 0 and units.max() < 1
    assert chi_squared(np.histogram(units, 100, (0, 1))[0]) < CHI_SQUARED_99_DF


def test_the_ends_of_a_range_are_reached_and_not_passed():
    ends = np.array([0, 2**32 - 1], dtype=np.uint32)
    for size in (1, 2, 3, 1_000, 10**7, 2**31):
        assert to_range(ends, size).tolist() == [0, size - 1]


def test_a_read_depends_neither_on_neighbors_nor_on_what_was_read_before(monkeypatch):
    seeds = [3, 2**62, 5, 3]
    stream = RandomStream(seeds, Stream.EXPLORATION, 2)
    generator = np.random.default_rng(0)
    for _ in range(200):
        runs = np.flatnonzero(generator.random(4) < 0.6)
        indices = generator.integers(0, 1_000, len(runs))
        for run, index, numbers in zip(runs, indices, stream.read(runs, indices), strict=True):
            begin = int(index) * 2
            aligned = draw(seeds[run], Stream.EXPLORATION, begin // 8 * 8, 8)
            np.testing.assert_array_equal(numbers, aligned[begin % 8 : begin % 8 + 2])


def test_the_length_of_a_block_has_no_meaning(monkeypatch):
    runs, indices = np.arange(2), np.array([100, 7])
    expected = RandomStream([1, 2], Stream.SAMPLING, 8).read(runs, indices)
    monkeypatch.setattr(random_streams, "BLOCK_LENGTH", 4)
    found = RandomStream([1, 2], Stream.SAMPLING, 8).read(runs, indices)
    np.testing.assert_array_equal(found, expected)


def test_a_retired_run_leaves_the_others_their_numbers():
    stream = RandomStream([1, 2, 3], Stream.SAMPLING, 8)
    start = np.zeros(3, dtype=np.int64)
    before = stream.read(np.arange(3), start)
    stream.retire(0)
    after = stream.read(np.arange(2), start[:2])
    np.testing.assert_array_equal(after, before[[2, 1]])


def test_seeds_of_training_and_evaluation_are_disjoint_and_distinct():
    numbers = draw(0, Stream.EPISODES, 0, 10_000)
    training, evaluation = episode_seeds(numbers), evaluation_seeds(0, 1_000)
    assert (training % 2 == 0).all() and (evaluation % 2 == 1).all()
    assert (training >= 0).all() and (evaluation >= 0).all()
    # Of 2^30 seeds, 10,000 rarely repeat one; 0.05 pairs are expected.
    assert len(set(training)) >= 9_998 and len(set(evaluation)) >= 999
    assert 0.99 * 2**31 < training.max() < 2**31 and evaluation.max() < 2**31


def test_evaluation_seeds_depend_on_nothing_but_their_seed():
    np.testing.assert_array_equal(evaluation_seeds(4, 3), evaluation_seeds(4, 100)[:3])
    assert not np.array_equal(evaluation_seeds(4, 3), evaluation_seeds(5, 3))
