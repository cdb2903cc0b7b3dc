"""Layers of one run in compiled code: one kernel for each direction.

Letters besides those of the package: I inputs and O outputs of a layer. A row is an observation.
"""

import numpy as np
import numpy.typing as npt

from dqn_exp.compiled import kernel
from dqn_exp.native_products import add_product, multiply_transposed, transpose

Floats = npt.NDArray[np.float32]

NARROW = 8
"""Layers with fewer outputs are computed with their weights transposed, so that the innermost loop
goes over the inputs, of which there are enough for the vector units."""

RELU, TANH = 0, 1

ACTIVATIONS = {"relu": RELU, "tanh": TANH}

ZERO = np.float32(0)
ONE = np.float32(1)


@kernel
def linear(outputs: Floats, inputs: Floats, weight: Floats, bias: Floats, turned: Floats) -> None:
    """Computes `outputs [B, O] = inputs [B, I] @ weight [I, O] + bias [O]`.

    Args:
        outputs: written.
        inputs: read.
        weight: read.
        bias: read.
        turned: `[O, I]`, which the transposed weight is written to if the layer is narrow.
    """
    if outputs.shape[1] < NARROW:
        transpose(turned, weight)
        multiply_transposed(outputs, inputs, turned)
        for b in range(outputs.shape[0]):
            for o in range(outputs.shape[1]):
                outputs[b, o] += bias[o]
    else:
        for b in range(outputs.shape[0]):
            for o in range(outputs.shape[1]):
                outputs[b, o] = bias[o]
        add_product(outputs, inputs, weight)


@kernel
def weight_gradient(gradient: Floats, inputs: Floats, deltas: Floats, turned: Floats) -> None:
    """Computes `gradient [I, O] = inputs [B, I].T @ deltas [B, O]`.

    Args:
        gradient: written.
        inputs: of the layer.
        deltas: gradients of its outputs.
        turned: `[O, I]`, overwritten if the layer is narrow.
    """
    if deltas.shape[1] < NARROW:
        turned[:] = ZERO
        add_product(turned, deltas.T, inputs)
        transpose(gradient, turned)
    else:
        gradient[:] = ZERO
        add_product(gradient, inputs.T, deltas)


@kernel
def bias_gradient(gradient: Floats, deltas: Floats) -> None:
    """Computes `gradient [O]`, the sums of `deltas [B, O]` over the rows."""
    gradient[:] = ZERO
    for b in range(deltas.shape[0]):
        for o in range(deltas.shape[1]):
            gradient[o] += deltas[b, o]


@kernel
def input_gradient(gradient: Floats, deltas: Floats, weight: Floats, turned: Floats) -> None:
    """Computes `gradient [B, I] = deltas [B, O] @ weight [I, O].T`.

    Args:
        gradient: written.
        deltas: gradients of the outputs of the layer.
        weight: read.
        turned: `[O, I]`, overwritten if the layer is narrow.
    """
    if deltas.shape[1] < NARROW:
        transpose(turned, weight)
        gradient[:] = ZERO
        add_product(gradient, deltas, turned)
    else:
        multiply_transposed(gradient, deltas, weight)


@kernel
def activate(values: Floats, activation: int) -> None:
    """Applies an activation to `values [B, O]`, in place."""
    flat = values.ravel()
    if activation == RELU:
        for i in range(len(flat)):
            # What is not a number stays so.
            flat[i] = ZERO if flat[i] < ZERO else flat[i]
    else:
        for i in range(len(flat)):
            flat[i] = tanh(flat[i])


@kernel
def activation_gradient(gradient: Floats, activated: Floats, activation: int) -> None:
    """Multiplies `gradient [B, O]` of activated outputs by the derivative of the activation.

    Args:
        gradient: in place.
        activated: `[B, O]` the outputs after the activation.
        activation: which one.
    """
    flat, outputs = gradient.ravel(), activated.ravel()
    if activation == RELU:
        for i in range(len(flat)):
            flat[i] = flat[i] if outputs[i] > ZERO else ZERO
    else:
        for i in range(len(flat)):
            flat[i] *= ONE - outputs[i] * outputs[i]


@kernel
def tanh(x: np.float32) -> np.float32:
    """Returns the hyperbolic tangent, within 3e-7.

    A quotient of polynomials, which vector units can compute, with the coefficients of Eigen,
    https://gitlab.com/libeigen/eigen, generic_fast_tanh_float.
    """
    bound = np.float32(7.90531110763549805)
    bounded = min(max(x, -bound), bound) if x == x else x
    square = bounded * bounded
    odd = square * np.float32(-2.76076847742355e-16) + np.float32(2.00018790482477e-13)
    odd = square * odd + np.float32(-8.60467152213735e-11)
    odd = square * odd + np.float32(5.12229709037114e-08)
    odd = square * odd + np.float32(1.48572235717979e-05)
    odd = square * odd + np.float32(6.37261928875436e-04)
    odd = square * odd + np.float32(4.89352455891786e-03)
    even = square * np.float32(1.19825839466702e-06) + np.float32(1.18534705686654e-04)
    even = square * even + np.float32(2.26843463243900e-03)
    even = square * even + np.float32(4.89352518554385e-03)
    return bounded * odd / even
