"""Exponential functions of vectors in compiled code.

The polynomials are those of the Cephes library in single precision, https://www.netlib.org/cephes.
"""

from typing import Any

import numpy as np

from dqn_exp.core.jit import kernel
from dqn_exp.core.vector import bounded, fill, power_of_two, where_small, whole

LOWEST, HIGHEST = np.float32(-87.3), np.float32(88.3)
"""Arguments beyond which the exponential function is that of these bounds."""

PER_LOG_2 = np.float32(1.44269504088896341)
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
