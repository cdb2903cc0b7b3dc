"""Forward and backward pass of a multi-layer perceptron of one run, in compiled code."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from dqn_exp.agent.native.layers import (
    NONE,
    TRANSPOSE_BELOW,
    add_bias_gradient,
    add_transposed_weight_gradient,
    add_weight_gradient,
    backward_taken,
    input_gradient,
    linear,
    transposed_input_gradient,
    transposed_linear,
)
from dqn_exp.agent.native.matmul_transposed import transpose
from dqn_exp.agent.native.views import matrix
from dqn_exp.core.arrays import Float32Array, IntArray
from dqn_exp.core.jit import kernel
from dqn_exp.network.layers import Linear

INPUTS, OUTPUTS, WEIGHT, BIAS, START, TRANSPOSED = range(6)
"""Columns of `MLPShape.layers`: shape; offsets of weight and bias in the parameters; units of the
earlier layers; and offset of the transposed weight of a narrow layer."""


class MLPShape(NamedTuple):
    """Shape of a multi-layer perceptron with scalar outputs.

    Attributes:
        layers: `[L, 6]`, see `INPUTS` and the following columns.
        num_actions: A.
        activation: of the hidden layers, a constant of `layers`.
        is_dueling: whether the first head is the value and the others are advantages.
    """

    layers: IntArray
    num_actions: int
    activation: int
    is_dueling: bool


class Weights(NamedTuple):
    """Parameters of one network.

    Attributes:
        flat: `[P]` parameters as they are stored.
        transposed: transposed copies of the weights of narrow layers.
    """

    flat: Float32Array
    transposed: Float32Array


class Workspace(NamedTuple):
    """Scratch memory of one thread; its content is valid for the work on one run.

    Attributes:
        units: inputs, hidden units and heads, layer by layer, for a batch of observations.
        deltas: gradients of the units, in the same layout.
        values: values Q of the batch.
        transposed: `[3, ...]` transposed weights of the online network, of the target network, and
            of the gradient.
        zeros: as many as the widest layer has inputs.
        gradient: `[P]`.
    """

    units: Float32Array
    deltas: Float32Array
    values: Float32Array
    transposed: Float32Array
    zeros: Float32Array
    gradient: Float32Array


def make_shape(layers: Sequence[Linear], activation: int, is_dueling: bool) -> MLPShape:
    """Returns the shape of a network for compiled code."""
    rows, offset, start, transposed = [], 0, 0, 0
    for inputs, outputs in layers:
        bias = offset + inputs * outputs
        rows.append((inputs, outputs, offset, bias, start, transposed))
        offset, start = bias + outputs, start + inputs
        transposed += inputs * outputs if outputs < TRANSPOSE_BELOW else 0
    num_actions = layers[-1].outputs - is_dueling
    return MLPShape(np.array(rows, dtype=np.int64), num_actions, activation, is_dueling)


def num_units(network: MLPShape) -> int:
    """Returns the number of inputs, hidden units and heads."""
    last = network.layers[-1]
    return int(last[START] + last[INPUTS] + last[OUTPUTS])


def make_workspaces(network: MLPShape, num_threads: int, num_rows: int) -> Workspace:
    """Allocates workspaces `[T, ...]` for batches of `num_rows` observations."""
    size, last = num_rows * num_units(network), network.layers[-1]
    narrow = network.layers[network.layers[:, OUTPUTS] < TRANSPOSE_BELOW]
    shapes = (
        (num_threads, size),
        (num_threads, size),
        (num_threads, num_rows * network.num_actions),
        (num_threads, 3, int((narrow[:, INPUTS] * narrow[:, OUTPUTS]).sum())),
        (num_threads, int(network.layers[:, INPUTS].max())),
        (num_threads, int(last[BIAS] + last[OUTPUTS])),
    )
    return Workspace(*(np.zeros(shape, dtype=np.float32) for shape in shapes))


@kernel
def workspace_of(workspaces: Workspace, thread: int) -> Workspace:
    """Returns the workspace of one thread."""
    return Workspace(
        workspaces.units[thread],
        workspaces.deltas[thread],
        workspaces.values[thread],
        workspaces.transposed[thread],
        workspaces.zeros[thread],
        workspaces.gradient[thread],
    )


@kernel
def make_weights(network: MLPShape, flat: Float32Array, transposed: Float32Array) -> Weights:
    """Returns weights of parameters `[P]`, and writes the transposed copies of narrow layers."""
    for layer in range(len(network.layers)):
        inputs, outputs, start, _, _, place = network.layers[layer]
        if outputs < TRANSPOSE_BELOW:
            weight = matrix(flat, start, inputs, outputs)
            transpose(matrix(transposed, place, outputs, inputs), weight)
    return Weights(flat, transposed)


@kernel
def forward(network: MLPShape, weights: Weights, workspace: Workspace, rows: int) -> Float32Array:
    """Returns the values `[rows, A]` of the observations `[rows, D]` at the start of the units."""
    num_layers = len(network.layers)
    heads = matrix(workspace.units, 0, rows, network.layers[0, INPUTS])
    for layer in range(num_layers):
        inputs, outputs, start, bias, before, transposed = network.layers[layer]
        units = heads
        heads = matrix(workspace.units, rows * (before + inputs), rows, outputs)
        biases = weights.flat[bias : bias + outputs]
        activation = network.activation if layer < num_layers - 1 else NONE
        if outputs < TRANSPOSE_BELOW:
            weight = matrix(weights.transposed, transposed, outputs, inputs)
            transposed_linear(heads, units, weight, biases, activation)
        else:
            weight = matrix(weights.flat, start, inputs, outputs)
            linear(heads, units, weight, biases, activation)
    return _values(network, workspace, heads)


@kernel
def backward(
    network: MLPShape,
    weights: Weights,
    gradient: Weights,
    workspace: Workspace,
    actions: IntArray,
    deltas: Float32Array,
) -> None:
    """Adds the gradient of the parameters, given the derivatives of the values taken.

    Args:
        network: its shape.
        weights: of the network.
        gradient: of the parameters; that of narrow layers in `transposed` only.
        workspace: as `forward` left it.
        actions: `[rows]` actions taken.
        deltas: `[rows]` derivatives by their values.
    """
    rows, last = len(deltas), len(network.layers) - 1
    if network.is_dueling or network.layers[last, OUTPUTS] >= TRANSPOSE_BELOW:
        _set_head_deltas(network, workspace, actions, deltas)
        _backward_layer(network, last, weights, gradient, workspace, rows)
    else:
        _backward_values(network, weights, gradient, workspace, actions, deltas)
    for layer in range(last - 1, -1, -1):
        _backward_layer(network, layer, weights, gradient, workspace, rows)


@kernel
def _backward_values(
    network: MLPShape,
    weights: Weights,
    gradient: Weights,
    workspace: Workspace,
    actions: IntArray,
    deltas: Float32Array,
) -> None:
    """Backward pass of a last layer whose outputs are the values of all actions."""
    inputs, outputs, _, bias, before, transposed = network.layers[-1]
    rows = len(deltas)
    backward_taken(
        matrix(gradient.transposed, transposed, outputs, inputs),
        gradient.flat[bias:],
        matrix(workspace.deltas, rows * before, rows, inputs),
        actions,
        deltas,
        matrix(weights.transposed, transposed, outputs, inputs),
        matrix(workspace.units, rows * before, rows, inputs),
        network.activation if before > 0 else NONE,
    )


@kernel
def _backward_layer(
    network: MLPShape,
    layer: int,
    weights: Weights,
    gradient: Weights,
    workspace: Workspace,
    rows: int,
) -> None:
    """Backward pass of a layer, from the deltas of its outputs to those of its inputs."""
    inputs, outputs, start, bias, before, transposed = network.layers[layer]
    units = matrix(workspace.units, rows * before, rows, inputs)
    unit_deltas = matrix(workspace.deltas, rows * before, rows, inputs)
    deltas = matrix(workspace.deltas, rows * (before + inputs), rows, outputs)
    add_bias_gradient(gradient.flat[bias : bias + outputs], deltas)
    if outputs < TRANSPOSE_BELOW:
        add_transposed_weight_gradient(
            matrix(gradient.transposed, transposed, outputs, inputs), units, deltas
        )
    else:
        add_weight_gradient(matrix(gradient.flat, start, inputs, outputs), units, deltas)
    if layer == 0:
        return
    zeros = workspace.zeros
    if outputs < TRANSPOSE_BELOW:
        weight = matrix(weights.transposed, transposed, outputs, inputs)
        transposed_input_gradient(unit_deltas, deltas, weight, units, network.activation, zeros)
    else:
        weight = matrix(weights.flat, start, inputs, outputs)
        input_gradient(unit_deltas, deltas, weight, units, network.activation, zeros)


@kernel
def begin_gradient(flat: Float32Array, transposed: Float32Array) -> Weights:
    """Returns a gradient of zeros in given memory."""
    flat[:] = np.float32(0)
    transposed[:] = np.float32(0)
    return Weights(flat, transposed)


@kernel
def end_gradient(network: MLPShape, gradient: Weights) -> None:
    """Transposes the gradients of narrow layers into the layout of the parameters."""
    for layer in range(len(network.layers)):
        inputs, outputs, start, _, _, place = network.layers[layer]
        if outputs < TRANSPOSE_BELOW:
            transposed = matrix(gradient.transposed, place, outputs, inputs)
            transpose(matrix(gradient.flat, start, inputs, outputs), transposed)


@kernel
def _set_head_deltas(
    network: MLPShape, workspace: Workspace, actions: IntArray, deltas: Float32Array
) -> None:
    """Writes the deltas of the heads, given the derivatives by the values taken.

    Args:
        network: its shape.
        workspace: the deltas of the heads are written.
        actions: `[rows]` actions taken.
        deltas: `[rows]` derivatives by their values.
    """
    rows, last = len(deltas), network.layers[-1]
    num_heads = last[OUTPUTS]
    heads = matrix(workspace.deltas, rows * (last[START] + last[INPUTS]), rows, num_heads)
    for b in range(rows):
        delta, action = deltas[b], actions[b]
        if network.is_dueling:
            heads[b, 0] = delta
            heads[b, 1:] = -delta / np.float32(network.num_actions)
            heads[b, action + 1] += delta
        else:
            heads[b] = np.float32(0)
            heads[b, action] = delta


@kernel
def _values(network: MLPShape, workspace: Workspace, heads: Float32Array) -> Float32Array:
    """Returns the values `[rows, A]` of `heads [rows, heads]`."""
    rows, num_actions = len(heads), network.num_actions
    if not network.is_dueling:
        return heads
    values: Float32Array = matrix(workspace.values, 0, rows, num_actions)
    for b in range(rows):
        mean = np.float32(0)
        for action in range(num_actions):
            mean += heads[b, action + 1]
        mean /= np.float32(num_actions)
        for action in range(num_actions):
            values[b, action] = heads[b, 0] + heads[b, action + 1] - mean
    return values
