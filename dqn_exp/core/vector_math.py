"""Exponential and circular functions of vectors in compiled code.

The polynomials are those of the Cephes library in single precision, https://www.netlib.org/cephes.
"""

from typing import Any

import numpy as np

from dqn_exp.core.jit import kernel
from dqn_exp.core.vector import fill
from dqn_exp.core.vector_functions import (
    bounded,
    exponent_of,
    magnitude,
    mantissa_of,
    power_of_two,
    where_positive,
    where_small,
    whole,
)

LOWEST, HIGHEST = np.float32(-87.3), np.float32(88.3)
"""Arguments beyond which the exponential function is that of these bounds."""

PER_LOG_2 = np.float32(1.44269504088896341)
ROOT_HALF, QUARTER_TURN = np.float32(0.707106781186547524), np.float32(np.pi / 2)
LOG_2, LOG_2_REST = np.float32(0.693359375), np.float32(-2.12194440e-4)


@kernel
def exponential(vector: Any) -> Any:
    """Returns the exponential function of the numbers of a vector."""
    x = bounded(vector, fill(LOWEST), fill(HIGHEST))
    exponent = whole(x * fill(PER_LOG_2))
    x = x - exponent * fill(LOG_2) - exponent * fill(LOG_2_REST)
    sums = fill(1.9875691500e-4)
    sums = sums * x + fill(1.3981999507e-3)
    sums = sums * x + fill(8.3334519073e-3)
    sums = sums * x + fill(4.1665795894e-2)
    sums = sums * x + fill(1.6666665459e-1)
    sums = sums * x + fill(5.0000001201e-1)
    return (sums * (x * x) + x + fill(1.0)) * power_of_two(exponent)


@kernel
def tanh(vector: Any) -> Any:
    """Returns the hyperbolic tangent of the numbers of a vector."""
    square = vector * vector
    sums = fill(-5.70498872745e-3)
    sums = sums * square + fill(2.06390887954e-2)
    sums = sums * square + fill(-5.37397155531e-2)
    sums = sums * square + fill(1.33314422036e-1)
    sums = sums * square + fill(-3.33332819422e-1)
    near = sums * square * vector + vector
    far = fill(1.0) - fill(2.0) / (exponential(vector + vector) + fill(1.0))
    return where_small(vector, fill(0.625), near, far)


@kernel
def logarithm(vector: Any) -> Any:
    """Returns the natural logarithms of normal positive numbers; NaN stays NaN."""
    m, e = mantissa_of(vector), exponent_of(vector)
    # Twice the mantissas below the root of 1/2, so that they are in [root of 1/2, root of 2).
    lower = where_positive(fill(ROOT_HALF) - m, fill(1.0))
    x, e = m + lower * m - fill(1.0), e - lower
    square = x * x
    sums = fill(7.0376836292e-2)
    sums = sums * x + fill(-1.1514610310e-1)
    sums = sums * x + fill(1.1676998740e-1)
    sums = sums * x + fill(-1.2420140846e-1)
    sums = sums * x + fill(1.4249322787e-1)
    sums = sums * x + fill(-1.6668057665e-1)
    sums = sums * x + fill(2.0000714765e-1)
    sums = sums * x + fill(-2.4999993993e-1)
    sums = sums * x + fill(3.3333331174e-1)
    rest = sums * x * square + e * fill(LOG_2_REST) - fill(0.5) * square
    return x + rest + e * fill(LOG_2) + (vector - vector)


@kernel
def cosine_and_sine(turns: Any) -> tuple[Any, Any]:
    """Returns the cosines and sines of angles in [0, 1], whose unit is a full turn."""
    quadrant = whole(turns * fill(4.0))
    x = (turns * fill(4.0) - quadrant) * fill(QUARTER_TURN)
    square = x * x
    sums = fill(-1.9515295891e-4)
    sums = sums * square + fill(8.3321608736e-3)
    sums = sums * square + fill(-1.6666654611e-1)
    sine = sums * square * x + x
    sums = fill(2.443315711809948e-5)
    sums = sums * square + fill(-1.388731625493765e-3)
    sums = sums * square + fill(4.166664568298827e-2)
    cosine = sums * square * square - fill(0.5) * square + fill(1.0)
    # In the quadrants around 1 and 3, they change places. The factors are the signs.
    odd = quadrant - fill(2.0)
    even = magnitude(odd) - fill(1.0)
    half = fill(0.5)
    return (
        where_small(even, half, sine * odd, cosine * even),
        where_small(even, half, fill(0.0) - cosine * odd, sine * even),
    )
