"""The generator that Gymnasium derives from the seed of an episode, in compiled code.

It is numpy's PCG64, https://www.pcg-random.org, seeded by numpy's SeedSequence,
https://numpy.org/doc/stable/reference/random/bit_generators/generated/numpy.random.SeedSequence.html.
"""

from typing import NamedTuple

import numpy as np

from dqn_exp.core.arrays import UInt32Array
from dqn_exp.core.jit import kernel
from dqn_exp.core.philox import high_product

POOL_SIZE = 4
INIT_A, MULTIPLIER_A = np.uint32(0x43B0D7E5), np.uint32(0x931E8875)
INIT_B, MULTIPLIER_B = np.uint32(0x8B51F9DD), np.uint32(0x58F38DED)
MIX_LEFT, MIX_RIGHT = np.uint32(0xCA01F9DD), np.uint32(0x4973F715)
SHIFT, WORD = np.uint32(16), np.uint64(32)

MULTIPLIER_HIGH, MULTIPLIER_LOW = np.uint64(0x2360ED051FC65DA4), np.uint64(0x4385DF649FCCF645)
UNIT = 2.0**-53


class Generator(NamedTuple):
    """State and increment, each of 128 bits."""

    high: np.uint64
    low: np.uint64
    increment_high: np.uint64
    increment_low: np.uint64


@kernel
def make_generator(seed: int) -> Generator:
    """Returns the generator of `np.random.default_rng(seed)`, for a seed below `2 ** 63`."""
    words = np.zeros(8, dtype=np.uint32)
    _fill_words(np.uint64(seed), words)
    seed_high, seed_low = _join(words, 0), _join(words, 2)
    high, low = _join(words, 4), _join(words, 6)
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
def _join(words: UInt32Array, first: int) -> np.uint64:
    return (np.uint64(words[first + 1]) << WORD) | np.uint64(words[first])


@kernel
def _fill_words(seed: np.uint64, words: UInt32Array) -> None:
    """Fills 8 words from a seed, as `SeedSequence(seed).generate_state(4, np.uint64)` does."""
    pool = np.zeros(POOL_SIZE, dtype=np.uint32)
    constant = INIT_A
    pool[0], pool[1] = np.uint32(seed), np.uint32(seed >> WORD)
    for i in range(POOL_SIZE):
        pool[i], constant = _hash(pool[i], constant, MULTIPLIER_A)
    for source in range(POOL_SIZE):
        for other in range(POOL_SIZE):
            if source != other:
                hashed, constant = _hash(pool[source], constant, MULTIPLIER_A)
                pool[other] = _mix(pool[other], hashed)
    constant = INIT_B
    for i in range(len(words)):
        words[i], constant = _hash(pool[i % POOL_SIZE], constant, MULTIPLIER_B)


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
