"""Layers of one run in compiled code: one kernel for each direction.

Letters besides those of the package: I inputs and O outputs of a layer. A row is an observation.
"""

import numpy as np
import numpy.typing as npt

from dqn_exp.compiled import kernel
from dqn_exp.native_products import (
    add_product,
    multiply_transposed,
    product,
    relu_gradient_product,
    relu_product,
)

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

NARROW = 8
"""Layers with fewer outputs are computed with their weights turned, `[O, I]`, so that the innermost
loop goes over the inputs, of which there are enough for the vector units."""

NONE, RELU, TANH = 0, 1, 2

ACTIVATIONS = {"relu": RELU, "tanh": TANH}

ZERO = np.float32(0)
ONE = np.float32(1)


@kernel
def linear(outputs: Floats, inputs: Floats, weight: Floats, bias: Floats, activation: int) -> None:
    """Computes `outputs [B, O] = activation(inputs [B, I] @ weight [I, O] + bias [O])`."""
    if activation == RELU:
        relu_product(outputs, inputs, weight, bias, outputs)
    else:
        product(outputs, inputs, weight, bias, outputs)
        activate(outputs, activation)


@kernel
def narrow_linear(
    outputs: Floats, inputs: Floats, turned: Floats, bias: Floats, activation: int
) -> None:
    """Computes `outputs [B, O] = activation(inputs [B, I] @ turned [O, I].T + bias [O])`."""
    multiply_transposed(outputs, inputs, turned, bias)
    activate(outputs, activation)


@kernel
def add_weight_gradient(gradient: Floats, inputs: Floats, deltas: Floats) -> None:
    """Adds `inputs [B, I].T @ deltas [B, O]` to `gradient [I, O]`."""
    add_product(gradient, inputs.T, deltas)


@kernel
def add_narrow_weight_gradient(turned: Floats, inputs: Floats, deltas: Floats) -> None:
    """Adds `deltas [B, O].T @ inputs [B, I]` to the gradient `turned [O, I]`."""
    add_product(turned, deltas.T, inputs)


@kernel
def add_bias_gradient(gradient: Floats, deltas: Floats) -> None:
    """Adds the sums of `deltas [B, O]` over the rows to `gradient [O]`."""
    rows, columns = deltas.shape
    whole = rows - rows % 4
    for b in range(0, whole, 4):
        for o in range(columns):
            gradient[o] += deltas[b, o] + deltas[b + 1, o] + deltas[b + 2, o] + deltas[b + 3, o]
    for b in range(whole, rows):
        for o in range(columns):
            gradient[o] += deltas[b, o]


@kernel
def input_gradient(
    gradient: Floats,
    deltas: Floats,
    weight: Floats,
    units: Floats,
    activation: int,
    zeros: Floats,
) -> None:
    """Computes the gradient of the units that are the inputs of a layer, before their activation.

    It is `gradient [B, I] = deltas [B, O] @ weight [I, O].T * activation'(units [B, I])`, with the
    derivative told by the units after the activation, and `zeros [I]` or more.
    """
    multiply_transposed(gradient, deltas, weight, zeros)
    activation_gradient(gradient, units, activation)


@kernel
def narrow_input_gradient(
    gradient: Floats,
    deltas: Floats,
    turned: Floats,
    units: Floats,
    activation: int,
    zeros: Floats,
) -> None:
    """Computes what `input_gradient` does, with `turned [O, I]` and `zeros [I]`."""
    if activation == RELU:
        relu_gradient_product(gradient, deltas, turned, zeros, units)
    else:
        product(gradient, deltas, turned, zeros, gradient)
        activation_gradient(gradient, units, activation)


@kernel
def backward_taken(
    weight_gradient: Floats,
    bias_gradient: Floats,
    gradient: Floats,
    actions: Ints,
    deltas: Floats,
    turned: Floats,
    units: Floats,
    activation: int,
) -> None:
    """Goes back through a layer of whose outputs only `actions [B]` have `deltas [B]`.

    Args:
        weight_gradient: `[O, I]`, to which is added what `add_narrow_weight_gradient` adds.
        bias_gradient: `[O]`, or more, to which is added what `add_bias_gradient` adds.
        gradient: `[B, I]`, written: what `input_gradient` computes.
        actions: `[B]`.
        deltas: `[B]`.
        turned: `[O, I]` the weights.
        units: `[B, I]` the inputs of the layer, after their activation.
        activation: theirs.
    """
    for b in range(len(deltas)):
        action, delta = actions[b], deltas[b]
        bias_gradient[action] += delta
        if activation == RELU:
            for i in range(units.shape[1]):
                weight_gradient[action, i] += delta * units[b, i]
                gradient[b, i] = delta * turned[action, i] if units[b, i] > ZERO else ZERO
        else:
            for i in range(units.shape[1]):
                weight_gradient[action, i] += delta * units[b, i]
                gradient[b, i] = delta * turned[action, i]
    if activation == TANH:
        activation_gradient(gradient, units, activation)


@kernel
def activate(values: Floats, activation: int) -> None:
    """Applies an activation to `values [B, O]`, in place."""
    flat = values.ravel()
    if activation == RELU:
        for i in range(len(flat)):
            # What is not a number stays so.
            flat[i] = ZERO if flat[i] < ZERO else flat[i]
    elif activation == TANH:
        for i in range(len(flat)):
            flat[i] = tanh(flat[i])


@kernel
def activation_gradient(gradient: Floats, units: Floats, activation: int) -> None:
    """Multiplies `gradient [B, O]` by the derivative of the activation of `units [B, O]`."""
    flat, activated = gradient.ravel(), units.ravel()
    if activation == RELU:
        for i in range(len(flat)):
            flat[i] = flat[i] if activated[i] > ZERO else ZERO
    elif activation == TANH:
        for i in range(len(flat)):
            flat[i] *= ONE - activated[i] * activated[i]


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
