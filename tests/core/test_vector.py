"""Vectors in compiled code against numpy."""

from functools import cache

import numba
import numpy as np
import pytest

from dqn_exp.core import vector, vector_functions, vector_lanes, vector_math
from dqn_exp.core.vector import LANES, aligned_zeros, fill, load, pad, store, zeros

GENERATOR = np.random.default_rng(0)


def numbers() -> np.ndarray:
    found = aligned_zeros(LANES)
    found[:] = GENERATOR.normal(size=LANES) * 3
    return found


@cache
def compiled(operation, count: int):
    """A function that applies an operation to a number of arrays."""

    @numba.njit
    def of_one(out, a):
        store(out, 0, operation(load(a, 0)))

    @numba.njit
    def of_two(out, a, b):
        store(out, 0, operation(load(a, 0), load(b, 0)))

    return of_one if count == 1 else of_two


def apply(operation, *given: np.ndarray) -> np.ndarray:
    """Applies an operation of vectors to arrays of 16 numbers."""
    out = aligned_zeros(LANES)
    compiled(operation, len(given))(out, *given)
    return out


@numba.njit
def fused(a, b):
    return a * b + a - b / (a * a + fill(1.0))


def test_arithmetic_is_that_of_numpy():
    a, b = numbers(), numbers()
    np.testing.assert_allclose(apply(fused, a, b), a * b + a - b / (a * a + 1), rtol=1e-5)


@numba.njit
def root(a):
    return vector_functions.square_root(a)


@numba.njit
def positive(a):
    return vector_functions.positive_part(a)


@numba.njit
def positive_where(a, b):
    return vector_functions.where_positive(a, b)


@numba.njit
def small(a, b):
    return vector_functions.where_small(a, fill(1.0), zeros(), b)


@numba.njit
def between(a):
    return vector_functions.bounded(a, fill(-1.0), fill(2.0))


def test_choices_are_those_of_numpy_and_keep_nan():
    a, b = numbers(), numbers()
    a[3] = np.nan
    np.testing.assert_array_equal(apply(positive, a), np.where(a < 0, 0, a))
    np.testing.assert_array_equal(apply(positive_where, a, b), np.where(a > 0, b, 0))
    np.testing.assert_array_equal(apply(small, a, b), np.where(np.abs(a) <= 1, 0, b))
    np.testing.assert_array_equal(apply(between, a), np.clip(a, -1, 2))
    np.testing.assert_array_equal(apply(root, np.abs(a)), np.sqrt(np.abs(a)))


def test_the_total_is_the_sum_of_the_lanes():
    @numba.njit
    def sum_of(a):
        return vector_lanes.total(load(a, 0))

    a = numbers()
    np.testing.assert_allclose(sum_of(a), a.sum(), rtol=1e-5)


@pytest.mark.parametrize("scale", [1e-6, 1e-3, 0.1, 1.0, 10.0, 80.0])
def test_exponential_functions_are_those_of_numpy(scale):
    a = aligned_zeros(LANES)
    a[:] = GENERATOR.uniform(-scale, scale, LANES)
    exact = a.astype(np.float64)
    np.testing.assert_allclose(apply(exponential, a), np.exp(exact), rtol=3e-7)
    np.testing.assert_allclose(apply(tanh, a), np.tanh(exact), rtol=3e-7)


@numba.njit
def exponential(a):
    return vector_math.exponential(a)


@numba.njit
def tanh(a):
    return vector_math.tanh(a)


def test_exponential_functions_of_extreme_numbers():
    a = numbers()
    a[:6] = [-1e30, 1e30, np.nan, -np.inf, np.inf, 0]
    assert apply(tanh, a)[[0, 1, 3, 4, 5]].tolist() == [-1, 1, -1, 1, 0]
    found = apply(exponential, a)
    assert found[0] < 1e-37 and found[1] > 1e38 and np.isnan(found[2]) and found[5] == 1
    assert np.isnan(apply(tanh, a)[2])


def test_arrays_are_aligned_and_padded():
    for count in (1, 16, 1_000):
        assert aligned_zeros(count).ctypes.data % 64 == 0 and len(aligned_zeros(count)) == count
    assert [pad(count) for count in (0, 1, 16, 17)] == [0, 16, 16, 32]


@numba.njit
def logarithm(a):
    return vector_math.logarithm(a)


@pytest.mark.parametrize("exponent", [-37, -10, -1, 0, 1, 10, 37])
def test_logarithms_are_those_of_numpy(exponent):
    a = aligned_zeros(LANES)
    a[:] = GENERATOR.uniform(0.2, 3, LANES) * 10.0**exponent
    a[:2] = 10.0**exponent, np.nan
    exact = np.log(a.astype(np.float64))
    np.testing.assert_allclose(apply(logarithm, a), exact, rtol=3e-7, atol=1e-7)


@numba.njit
def cosine(a):
    return vector_math.cosine_and_sine(a)[0]


@numba.njit
def sine(a):
    return vector_math.cosine_and_sine(a)[1]


def test_cosines_and_sines_are_those_of_numpy():
    for first in np.linspace(0, 1, 64):
        a = aligned_zeros(LANES)
        a[:] = np.minimum(first + np.linspace(0, 0.02, LANES), 1)
        angles = 2 * np.pi * a.astype(np.float64)
        np.testing.assert_allclose(apply(cosine, a), np.cos(angles), atol=3e-7)
        np.testing.assert_allclose(apply(sine, a), np.sin(angles), atol=3e-7)


def test_lanes_are_divided_and_taken_in_turn():
    @numba.njit
    def compute(integers, out):
        low, high = vector.load_integers(integers, 1), vector.load_integers(integers, 17)
        even, odd = vector_lanes.every_other(low, high, 0), vector_lanes.every_other(low, high, 1)
        store(out, 0, even)
        store(out, 16, odd)
        store(out, 32, vector_lanes.in_turn(even, odd, 0))
        store(out, 48, vector_lanes.in_turn(even, odd, 1))

    integers, out = np.arange(33, dtype=np.uint32), aligned_zeros(64)
    integers[1] = 2**32 - 1
    compute(integers, out)
    expected = integers[1:].astype(np.float32)
    np.testing.assert_array_equal(out[:16], expected[::2])
    np.testing.assert_array_equal(out[16:32], expected[1::2])
    np.testing.assert_array_equal(out[32:], expected)


@numba.njit
def sign(a, b):
    return vector_functions.with_sign_of(a, b)


@numba.njit
def greater(a, b):
    return vector_functions.where_greater(a, b, fill(1.0), zeros())


def test_signs_and_comparisons_are_those_of_numpy():
    a, b = numbers(), numbers()
    np.testing.assert_array_equal(apply(sign, a, b), np.copysign(a, b))
    a[0], b[1], a[2], b[2] = np.nan, np.nan, np.nan, np.nan
    found = apply(greater, a, b)
    np.testing.assert_array_equal(found[3:], a[3:] > b[3:])
    assert found[:3].tolist() == [1, 0, 0]


def test_reductions_and_parts_are_those_of_numpy():
    @numba.njit
    def compute(a, out, count):
        parts = load(a, 0), load(a, 16), load(a, 32), load(a, 48)
        vector.store_four(out, 4, vector_lanes.four_totals(*parts))
        vector.store_some(out, 17, vector.load_some(a, 3, count), count)
        return vector_lanes.greatest(parts[0]), vector_lanes.lane(parts[1], 5), vector.item(a, 7)

    a, out = aligned_zeros(64), aligned_zeros(64)
    a[:] = GENERATOR.normal(size=64)
    found = compute(a, out, 5)
    np.testing.assert_allclose(out[4:8], a.reshape(4, 16).sum(1), rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(out[17:22], a[3:8])
    assert not out[:4].any() and not out[8:17].any() and not out[22:].any()
    assert found == (a[:16].max(), a[21], a[7])
