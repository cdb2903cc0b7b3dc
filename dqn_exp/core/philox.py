"""The random numbers of `random_streams.draw` in compiled code.

The generator is Philox with four 64-bit words and ten rounds: Parallel random numbers: as easy as
1, 2, 3, https://doi.org/10.1145/2063384.2063405.
"""

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from dqn_exp.core.arrays import UInt32Array
from dqn_exp.core.jit import kernel

MULTIPLIER_0, MULTIPLIER_1 = np.uint64(0xD2E7470EE14C6C93), np.uint64(0xCA5A826395121157)
WEYL_0, WEYL_1 = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBB67AE8584CAA73B)
NUM_ROUNDS = 10
LOW, HALF = np.uint64(0xFFFFFFFF), np.uint64(32)
UNIT = 2.0**-32


@intrinsic  # type: ignore[untyped-decorator]
def high_product(_context: Any, a: Any, b: Any) -> Any:
    """Returns the upper 64 bits of the product of two 64-bit numbers."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        wide, whole = ir.IntType(128), ir.IntType(64)
        product = builder.mul(*(builder.zext(number, wide) for number in arguments))
        return builder.trunc(builder.lshr(product, ir.Constant(wide, 64)), whole)

    return types.uint64(types.uint64, types.uint64), generate


@kernel
def fill(numbers: UInt32Array, count: int, seed: np.uint64, stream: int, first: int) -> None:
    """Writes numbers of a stream, uniform on `[0, 2 ** 32)`.

    Args:
        numbers: at least `count`, written in place.
        count: of the numbers.
        seed: of the run.
        stream: a `random_streams.Stream`.
        first: position of the first number.
    """
    position, end = first // 8 * 8, first + count
    while position < end:
        # Numpy's generator increments its counter before it draws.
        words = block(np.uint64(position // 8 + 1), seed, np.uint64(stream))
        if first <= position <= end - 8:
            _write_block(numbers, position - first, words)
            position += 8
            continue
        for place in range(max(position, first), min(position + 8, end)):
            word = words[(place - position) // 2]
            numbers[place - first] = half_of(word, place % 2)
        position += 8


@kernel
def _write_block(numbers: UInt32Array, place: int, words: tuple[np.uint64, ...]) -> None:
    a, b, c, d = words
    numbers[place], numbers[place + 1] = half_of(a, 0), half_of(a, 1)
    numbers[place + 2], numbers[place + 3] = half_of(b, 0), half_of(b, 1)
    numbers[place + 4], numbers[place + 5] = half_of(c, 0), half_of(c, 1)
    numbers[place + 6], numbers[place + 7] = half_of(d, 0), half_of(d, 1)


@kernel
def pair(seed: np.uint64, stream: int, index: int) -> tuple[np.uint32, np.uint32]:
    """Returns numbers `2 * index` and `2 * index + 1` of a stream."""
    word = block(np.uint64(index // 4 + 1), seed, np.uint64(stream))[index % 4]
    return np.uint32(word & LOW), np.uint32(word >> HALF)


@kernel
def half_of(word: np.uint64, half: int) -> np.uint32:
    """Returns the lower or, for 1, the upper half of a word."""
    return np.uint32(word >> HALF) if half else np.uint32(word & LOW)


@kernel
def block(
    counter: np.uint64, seed: np.uint64, stream: np.uint64
) -> tuple[np.uint64, np.uint64, np.uint64, np.uint64]:
    """Returns four words, which are eight numbers of a stream."""
    zero = np.uint64(0)
    a, b, c, d = counter, zero, zero, zero
    key_0, key_1 = seed, stream
    for _ in range(NUM_ROUNDS):
        high_0, low_0 = high_product(MULTIPLIER_0, a), MULTIPLIER_0 * a
        high_1, low_1 = high_product(MULTIPLIER_1, c), MULTIPLIER_1 * c
        a, b, c, d = high_1 ^ b ^ key_0, low_1, high_0 ^ d ^ key_1, low_0
        key_0 += WEYL_0
        key_1 += WEYL_1
    return a, b, c, d


@kernel
def to_unit(number: np.uint32) -> float:
    """Converts a number to the interval `[0, 1)`."""
    return np.float64(number) * UNIT


@kernel
def to_range(number: np.uint32, size: int) -> int:
    """Converts a number to an integer of `[0, size)`, size at most `2 ** 31`."""
    return int(np.int64(number) * size >> 32)
