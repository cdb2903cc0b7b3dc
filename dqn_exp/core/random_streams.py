"""Random numbers as a pure function of seed, stream and index."""

import enum
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from dqn_exp.core.arrays import Float32Array, Float64Array, IntArray, UInt32Array
from dqn_exp.core.per_run import PerRunState

BLOCK_LENGTH = 64
"""Indices that are drawn at once, at most; the numbers do not depend on it."""


class Stream(enum.IntEnum):
    """Use of a stream of random numbers; part of the generator's key."""

    PARAMETERS = 0
    EXPLORATION = 1
    SAMPLING = 2
    EPISODES = 3
    EVALUATION = 4
    NOISE_OF_ACTING = 5
    NOISE_OF_LEARNING = 6
    NOISE_OF_TARGET = 7
    NOISE_OF_CHOICE = 8


def draw(seed: int, stream: Stream, first: int, count: int) -> UInt32Array:
    """Returns numbers `first` to `first + count` of a stream, uniform on `[0, 2 ** 32)`.

    The generator is Philox, keyed by seed and stream, its counter the position: Parallel random
    numbers: as easy as 1, 2, 3, https://doi.org/10.1145/2063384.2063405.

    Args:
        seed: `0 <= seed < 2 ** 64`.
        stream: use of the numbers.
        first: position of the first number, a multiple of 8 (one step of the counter).
        count: number of numbers, a multiple of 8.
    """
    key = np.array([seed, stream], dtype=np.uint64)
    generator = np.random.Philox(key=key, counter=first // 8)
    return generator.random_raw(count // 2).astype("<u8", copy=False).view(np.uint32)


def to_unit(numbers: UInt32Array) -> Float64Array:
    """Converts numbers to the interval `[0, 1)`."""
    return numbers.astype(np.float64) * 2.0**-32


def to_range(numbers: UInt32Array, size: IntArray | int) -> IntArray:
    """Converts numbers to integers of `[0, size)`.

    The probabilities of two integers differ by less than `2 ** -32`, that is, relative to
    `1 / size`, by less than `size / 2 ** 32`.

    Args:
        numbers: any shape.
        size: positive, at most `2 ** 31`; broadcast against `numbers`.
    """
    return numbers.astype(np.int64) * size >> 32


def to_normal(numbers: UInt32Array) -> Float32Array:
    """Converts numbers `[M]`, M even, to independent standard normal ones.

    A Note on the Generation of Random Normal Deviates, https://doi.org/10.1214/aoms/1177706645,
    in single precision, with magnitudes up to 6.8.
    """
    # The midpoint of each interval: the logarithm of 0 does not exist.
    units = ((numbers.reshape(-1, 2).astype(np.float64) + 0.5) * 2.0**-32).astype(np.float32)
    radii, angles = np.sqrt(-2.0 * np.log(units[:, 0])), 2 * np.float32(np.pi) * units[:, 1]
    normals: Float32Array = radii[:, None] * np.stack([np.cos(angles), np.sin(angles)], 1)
    return normals.ravel()


class RandomStream(PerRunState):
    """A random stream per run, read by index and drawn in blocks.

    Row `i` of a read at index `k` is numbers `k * width` to `(k + 1) * width` of the stream of
    run `i`, independent of earlier reads and of other runs. So there is no state to save.
    """

    rows = ("_seeds", "_loaded", "_blocks")

    def __init__(
        self,
        seeds: Sequence[int],
        stream: Stream,
        width: int,
        convert: Callable[[UInt32Array], npt.NDArray[Any]] = np.asarray,
    ) -> None:
        """Starts without numbers.

        Args:
            seeds: of the N runs.
            stream: use of the numbers.
            width: numbers per index.
            convert: applied to an even count of numbers `[M]` when they are drawn; returns `[M]`.
        """
        self._stream = stream
        self._width = width
        self._convert = convert
        # Wide rows in short blocks, which limits the memory of the blocks.
        self._length = max(8, min(BLOCK_LENGTH, 16_384 // width // 8 * 8))
        self._seeds = np.array(seeds, dtype=np.uint64)
        self._loaded = np.full(len(seeds), -1)
        kind = convert(np.zeros(2, dtype=np.uint32)).dtype
        self._blocks = np.zeros((len(seeds), self._length, width), dtype=kind)

    def read(self, runs: IntArray, indices: IntArray) -> npt.NDArray[Any]:
        """Returns numbers `[M, width]` of the runs `[M]` at their indices `[M]`."""
        blocks, offsets = np.divmod(indices, self._length)
        stale = self._loaded[runs] != blocks
        if stale.any():
            for run, block in zip(runs[stale], blocks[stale], strict=True):
                self._load(run, block)
        return self._blocks[runs, offsets]

    def _load(self, run: int, block: int) -> None:
        count = self._length * self._width
        numbers = draw(int(self._seeds[run]), self._stream, int(block) * count, count)
        self._blocks[run] = self._convert(numbers).reshape(self._length, self._width)
        self._loaded[run] = block


def episode_seeds(numbers: UInt32Array) -> IntArray:
    """Returns even seeds `[M]` of training episodes, below 2^31, from numbers `[M]`.

    Evaluation seeds are odd, so the two are disjoint. Many environments seed generators that take
    32 bits.
    """
    return numbers.astype(np.int64) >> 2 << 1


def evaluation_seeds(seed: int, num_episodes: int) -> IntArray:
    """Returns odd seeds `[E]` of evaluation episodes, below 2^31, derived from `eval.seed`."""
    count = -(-num_episodes // 8) * 8
    return episode_seeds(draw(seed, Stream.EVALUATION, 0, count)[:num_episodes]) | 1
