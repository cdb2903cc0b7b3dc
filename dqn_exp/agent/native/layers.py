"""Linear layers of one run in compiled code, forward and backward.

Letters besides those of the package: I inputs and O outputs of a layer. A row is an observation.
"""

import numpy as np

from dqn_exp.agent.native.matmul import add_product, product, relu_gradient_product, relu_product
from dqn_exp.agent.native.matmul_transposed import multiply_transposed
from dqn_exp.core.arrays import Float32Array, IntArray
from dqn_exp.core.jit import kernel

TRANSPOSE_BELOW = 8
"""Layers with fewer outputs are narrow: they are computed with transposed weights `[O, I]`, so that
the innermost loop runs over the inputs, which are enough to fill vector registers."""

NONE, RELU, TANH = 0, 1, 2

ACTIVATIONS = {"relu": RELU, "tanh": TANH}

ZERO = np.float32(0)
ONE = np.float32(1)


@kernel
def linear(
    outputs: Float32Array,
    inputs: Float32Array,
    weight: Float32Array,
    bias: Float32Array,
    activation: int,
) -> None:
    """Computes `outputs [B, O] = activation(inputs [B, I] @ weight [I, O] + bias [O])`."""
    if activation == RELU:
        relu_product(outputs, inputs, weight, bias, outputs)
    else:
        product(outputs, inputs, weight, bias, outputs)
        activate(outputs, activation)


@kernel
def transposed_linear(
    outputs: Float32Array,
    inputs: Float32Array,
    transposed: Float32Array,
    bias: Float32Array,
    activation: int,
) -> None:
    """Computes `outputs [B, O] = activation(inputs [B, I] @ transposed [O, I].T + bias [O])`."""
    multiply_transposed(outputs, inputs, transposed, bias)
    activate(outputs, activation)


@kernel
def add_weight_gradient(gradient: Float32Array, inputs: Float32Array, deltas: Float32Array) -> None:
    """Adds `inputs [B, I].T @ deltas [B, O]` to `gradient [I, O]`."""
    add_product(gradient, inputs.T, deltas)


@kernel
def add_transposed_weight_gradient(
    transposed: Float32Array, inputs: Float32Array, deltas: Float32Array
) -> None:
    """Adds `deltas [B, O].T @ inputs [B, I]` to the gradient `transposed [O, I]`."""
    add_product(transposed, deltas.T, inputs)


@kernel
def add_bias_gradient(gradient: Float32Array, deltas: Float32Array) -> None:
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
    gradient: Float32Array,
    deltas: Float32Array,
    weight: Float32Array,
    units: Float32Array,
    activation: int,
    zeros: Float32Array,
) -> None:
    """Computes the gradient of the inputs of a layer, before their activation.

    It is `gradient [B, I] = deltas [B, O] @ weight [I, O].T * activation'(units [B, I])`. The
    derivative is computed from the activated units; `zeros` are at least I.
    """
    multiply_transposed(gradient, deltas, weight, zeros)
    activation_gradient(gradient, units, activation)


@kernel
def transposed_input_gradient(
    gradient: Float32Array,
    deltas: Float32Array,
    transposed: Float32Array,
    units: Float32Array,
    activation: int,
    zeros: Float32Array,
) -> None:
    """Computes `input_gradient` with `transposed [O, I]`; `zeros` are at least I."""
    if activation == RELU:
        relu_gradient_product(gradient, deltas, transposed, zeros, units)
    else:
        product(gradient, deltas, transposed, zeros, gradient)
        activation_gradient(gradient, units, activation)


@kernel
def backward_taken(
    weight_gradient: Float32Array,
    bias_gradient: Float32Array,
    gradient: Float32Array,
    actions: IntArray,
    deltas: Float32Array,
    transposed: Float32Array,
    units: Float32Array,
    activation: int,
) -> None:
    """Backward pass of a layer where only the outputs `actions [B]` have `deltas [B]`.

    Args:
        weight_gradient: `[O, I]`, added to, as in `add_transposed_weight_gradient`.
        bias_gradient: `[O]` or more, added to, as in `add_bias_gradient`.
        gradient: `[B, I]`, written, as in `input_gradient`.
        actions: `[B]`.
        deltas: `[B]`.
        transposed: `[O, I]` the weights.
        units: `[B, I]` activated inputs of the layer.
        activation: of the inputs.
    """
    for b in range(len(deltas)):
        action, delta = actions[b], deltas[b]
        bias_gradient[action] += delta
        if activation == RELU:
            for i in range(units.shape[1]):
                weight_gradient[action, i] += delta * units[b, i]
                gradient[b, i] = delta * transposed[action, i] if units[b, i] > ZERO else ZERO
        else:
            for i in range(units.shape[1]):
                weight_gradient[action, i] += delta * units[b, i]
                gradient[b, i] = delta * transposed[action, i]
    if activation == TANH:
        activation_gradient(gradient, units, activation)


@kernel
def activate(values: Float32Array, activation: int) -> None:
    """Applies an activation to `values [B, O]`, in place."""
    flat = values.ravel()
    if activation == RELU:
        for i in range(len(flat)):
            # NaN stays NaN.
            flat[i] = ZERO if flat[i] < ZERO else flat[i]
    elif activation == TANH:
        for i in range(len(flat)):
            flat[i] = tanh(flat[i])


@kernel
def activation_gradient(gradient: Float32Array, units: Float32Array, activation: int) -> None:
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
    """Returns the hyperbolic tangent, with an error below 3e-7.

    A rational approximation, which can be vectorised, with the coefficients of Eigen,
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
