"""Vectors in compiled code against numpy."""

import numba
import numpy as np
import pytest

from dqn_exp.core import vector, vector_math
from dqn_exp.core.vector import LANES, aligned_zeros, fill, load, pad, store, zeros

GENERATOR = np.random.default_rng(0)


def numbers() -> np.ndarray:
    found = aligned_zeros(LANES)
    found[:] = GENERATOR.normal(size=LANES) * 3
    return found


def apply(operation, *given: np.ndarray) -> np.ndarray:
    """Applies an operation of vectors to arrays of 16 numbers."""
    out = aligned_zeros(LANES)
    if len(given) == 1:

        @numba.njit
        def compute(out, a):
            store(out, 0, operation(load(a, 0)))

    else:

        @numba.njit
        def compute(out, a, b):
            store(out, 0, operation(load(a, 0), load(b, 0)))

    compute(out, *given)
    return out


@numba.njit
def fused(a, b):
    return a * b + a - b / (a * a + fill(1.0))


def test_arithmetic_is_that_of_numpy():
    a, b = numbers(), numbers()
    np.testing.assert_allclose(apply(fused, a, b), a * b + a - b / (a * a + 1), rtol=1e-5)


@numba.njit
def root(a):
    return vector.square_root(a)


@numba.njit
def positive(a):
    return vector.positive_part(a)


@numba.njit
def positive_where(a, b):
    return vector.where_positive(a, b)


@numba.njit
def small(a, b):
    return vector.where_small(a, fill(1.0), zeros(), b)


@numba.njit
def between(a):
    return vector.bounded(a, fill(-1.0), fill(2.0))


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
        return vector.total(load(a, 0))

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
