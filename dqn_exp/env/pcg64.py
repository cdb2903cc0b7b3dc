"""The generator that Gymnasium derives from the seed of an episode, in compiled code.

It is numpy's PCG64, https://www.pcg-random.org, seeded by numpy's SeedSequence,
https://numpy.org/doc/stable/reference/random/bit_generators/generated/numpy.random.SeedSequence.html.
"""

from typing import NamedTuple

import numpy as np

from dqn_exp.core.jit import kernel
from dqn_exp.core.philox import high_product

INIT_A, MULTIPLIER_A = np.uint32(0x43B0D7E5), np.uint32(0x931E8875)
INIT_B, MULTIPLIER_B = np.uint32(0x8B51F9DD), np.uint32(0x58F38DED)
MIX_LEFT, MIX_RIGHT = np.uint32(0xCA01F9DD), np.uint32(0x4973F715)
SHIFT, WORD = np.uint32(16), np.uint64(32)

MULTIPLIER_HIGH, MULTIPLIER_LOW = np.uint64(0x2360ED051FC65DA4), np.uint64(0x4385DF649FCCF645)
UNIT = 2.0**-53


Pool = tuple[np.uint32, np.uint32, np.uint32, np.uint32]


class Generator(NamedTuple):
    """State and increment, each of 128 bits."""

    high: np.uint64
    low: np.uint64
    increment_high: np.uint64
    increment_low: np.uint64


@kernel
def make_generator(seed: int) -> Generator:
    """Returns the generator of `np.random.default_rng(seed)`, for a seed below `2 ** 63`."""
    pool = _fill_pool(np.uint64(seed))
    seed_high, seed_low, high, low = _draw_words(pool)
    one = np.uint64(1)
    increment_high = (high << one) | (low >> np.uint64(63))
    increment_low = (low << one) | one
    # The state after one step from zero is the increment.
    high, low = _add(increment_high, increment_low, seed_high, seed_low)
    return _step(Generator(high, low, increment_high, increment_low))


@kernel
def next_unit(generator: Generator) -> tuple[float, Generator]:
    """Returns a number of `[0, 1)` and the generator after it."""
    moved = _step(generator)
    word, turn = moved.high ^ moved.low, moved.high >> np.uint64(58)
    rotated = (word >> turn) | (word << ((np.uint64(64) - turn) & np.uint64(63)))
    return np.float64(rotated >> np.uint64(11)) * UNIT, moved


@kernel
def _step(given: Generator) -> Generator:
    low = given.low * MULTIPLIER_LOW
    high = high_product(given.low, MULTIPLIER_LOW)
    high += given.low * MULTIPLIER_HIGH + given.high * MULTIPLIER_LOW
    high, low = _add(high, low, given.increment_high, given.increment_low)
    return Generator(high, low, given.increment_high, given.increment_low)


@kernel
def _add(
    high: np.uint64, low: np.uint64, other_high: np.uint64, other_low: np.uint64
) -> tuple[np.uint64, np.uint64]:
    found = low + other_low
    return high + other_high + np.uint64(found < low), found


@kernel
def _fill_pool(seed: np.uint64) -> Pool:
    """Returns the pool of entropy of `SeedSequence(seed)`."""
    zero, constant = np.uint32(0), INIT_A
    a, constant = _hash(np.uint32(seed), constant, MULTIPLIER_A)
    b, constant = _hash(np.uint32(seed >> WORD), constant, MULTIPLIER_A)
    c, constant = _hash(zero, constant, MULTIPLIER_A)
    d, constant = _hash(zero, constant, MULTIPLIER_A)
    b, c, d, constant = _mix_into(a, b, c, d, constant)
    a, c, d, constant = _mix_into(b, a, c, d, constant)
    a, b, d, constant = _mix_into(c, a, b, d, constant)
    a, b, c, constant = _mix_into(d, a, b, c, constant)
    return a, b, c, d


@kernel
def _mix_into(
    source: np.uint32, first: np.uint32, second: np.uint32, third: np.uint32, constant: np.uint32
) -> tuple[np.uint32, np.uint32, np.uint32, np.uint32]:
    """Mixes a word of the pool into the three others; returns these and the constant."""
    hashed, constant = _hash(source, constant, MULTIPLIER_A)
    first = _mix(first, hashed)
    hashed, constant = _hash(source, constant, MULTIPLIER_A)
    second = _mix(second, hashed)
    hashed, constant = _hash(source, constant, MULTIPLIER_A)
    return first, second, _mix(third, hashed), constant


@kernel
def _draw_words(pool: Pool) -> tuple[np.uint64, np.uint64, np.uint64, np.uint64]:
    """Returns what `SeedSequence.generate_state(4, np.uint64)` does."""
    a, b, c, d = pool
    first, constant = _draw_word(a, b, INIT_B)
    second, constant = _draw_word(c, d, constant)
    third, constant = _draw_word(a, b, constant)
    fourth, _ = _draw_word(c, d, constant)
    return first, second, third, fourth


@kernel
def _draw_word(low: np.uint32, high: np.uint32, constant: np.uint32) -> tuple[np.uint64, np.uint32]:
    low, constant = _hash(low, constant, MULTIPLIER_B)
    high, constant = _hash(high, constant, MULTIPLIER_B)
    return (np.uint64(high) << WORD) | np.uint64(low), constant


@kernel
def _hash(
    value: np.uint32, constant: np.uint32, multiplier: np.uint32
) -> tuple[np.uint32, np.uint32]:
    value = np.uint32(value ^ constant)
    constant = np.uint32(constant * multiplier)
    value = np.uint32(value * constant)
    return np.uint32(value ^ (value >> SHIFT)), constant


@kernel
def _mix(left: np.uint32, right: np.uint32) -> np.uint32:
    mixed = np.uint32(np.uint32(MIX_LEFT * left) - np.uint32(MIX_RIGHT * right))
    return np.uint32(mixed ^ (mixed >> SHIFT))
