"""The Q-network of one run in compiled code: forwards and backwards through all layers."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from dqn_exp.compiled import kernel
from dqn_exp.layers import LayerShape
from dqn_exp.native_layers import (
    NARROW,
    NONE,
    add_bias_gradient,
    add_narrow_weight_gradient,
    add_weight_gradient,
    backward_taken,
    input_gradient,
    linear,
    narrow_input_gradient,
    narrow_linear,
)
from dqn_exp.native_memory import matrix
from dqn_exp.native_products import transpose

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

INPUTS, OUTPUTS, WEIGHT, BIAS, START, TURNED = range(6)
"""Columns of `Network.layers`: the shape; where weight and bias begin in the parameters; how many
units the layers before have; and where the turned weight of a narrow layer begins."""


class Network(NamedTuple):
    """A multi-layer perceptron with one output for each head.

    layers: `[L, 6]`, see `INPUTS` and the others.
    num_actions: A.
    activation: of the hidden layers, see `native_layers`.
    is_dueling: whether the first head is the value and the others are advantages.
    """

    layers: Ints
    num_actions: int
    activation: int
    is_dueling: bool


class Weights(NamedTuple):
    """The parameters of one network.

    flat: `[P]` as they are stored.
    turned: the weights of narrow layers once more, turned.
    """

    flat: Floats
    turned: Floats


class Memory(NamedTuple):
    """Where one thread computes; nothing in it outlives the work on one run.

    units: of inputs, hidden layers and heads, layer by layer, of as many observations as are
        computed at once.
    deltas: gradients of the units, in the same layout.
    values: the values Q of as many observations.
    turned: weights of the online network, of the target network, and a gradient, `[3, ...]`.
    zeros: as many as the widest layer has inputs.
    gradient: `[P]`.
    """

    units: Floats
    deltas: Floats
    values: Floats
    turned: Floats
    zeros: Floats
    gradient: Floats


def make_network(layers: Sequence[LayerShape], activation: int, is_dueling: bool) -> Network:
    """Describes a network to compiled code."""
    rows, offset, start, turned = [], 0, 0, 0
    for inputs, outputs in layers:
        bias = offset + inputs * outputs
        rows.append((inputs, outputs, offset, bias, start, turned))
        offset, start = bias + outputs, start + inputs
        turned += inputs * outputs if outputs < NARROW else 0
    num_actions = layers[-1][1] - is_dueling
    return Network(np.array(rows, dtype=np.int64), num_actions, activation, is_dueling)


def num_units(network: Network) -> int:
    """Returns how many inputs, hidden units and heads there are."""
    last = network.layers[-1]
    return int(last[START] + last[INPUTS] + last[OUTPUTS])


def make_memories(network: Network, num_threads: int, num_rows: int) -> Memory:
    """Makes memories `[T, ...]` for as many observations at once."""
    size, last = num_rows * num_units(network), network.layers[-1]
    narrow = network.layers[network.layers[:, OUTPUTS] < NARROW]
    shapes = (
        (num_threads, size),
        (num_threads, size),
        (num_threads, num_rows * network.num_actions),
        (num_threads, 3, int((narrow[:, INPUTS] * narrow[:, OUTPUTS]).sum())),
        (num_threads, int(network.layers[:, INPUTS].max())),
        (num_threads, int(last[BIAS] + last[OUTPUTS])),
    )
    return Memory(*(np.zeros(shape, dtype=np.float32) for shape in shapes))


@kernel
def memory_of(memories: Memory, thread: int) -> Memory:
    """Returns the memory of one thread."""
    return Memory(
        memories.units[thread],
        memories.deltas[thread],
        memories.values[thread],
        memories.turned[thread],
        memories.zeros[thread],
        memories.gradient[thread],
    )


@kernel
def make_weights(network: Network, flat: Floats, turned: Floats) -> Weights:
    """Makes weights of parameters `[P]`; those of narrow layers are written to `turned` as well."""
    for layer in range(len(network.layers)):
        inputs, outputs, start, _, _, place = network.layers[layer]
        if outputs < NARROW:
            weight = matrix(flat, start, inputs, outputs)
            transpose(matrix(turned, place, outputs, inputs), weight)
    return Weights(flat, turned)


@kernel
def forward(network: Network, weights: Weights, memory: Memory, rows: int) -> Floats:
    """Returns the values `[rows, A]` of the observations `[rows, D]` that the units begin with."""
    num_layers = len(network.layers)
    heads = matrix(memory.units, 0, rows, network.layers[0, INPUTS])
    for layer in range(num_layers):
        inputs, outputs, start, bias, before, turned = network.layers[layer]
        units = heads
        heads = matrix(memory.units, rows * (before + inputs), rows, outputs)
        biases = weights.flat[bias : bias + outputs]
        activation = network.activation if layer < num_layers - 1 else NONE
        if outputs < NARROW:
            weight = matrix(weights.turned, turned, outputs, inputs)
            narrow_linear(heads, units, weight, biases, activation)
        else:
            weight = matrix(weights.flat, start, inputs, outputs)
            linear(heads, units, weight, biases, activation)
    return _values(network, memory, heads)


@kernel
def backward(
    network: Network,
    weights: Weights,
    gradient: Weights,
    memory: Memory,
    actions: Ints,
    deltas: Floats,
) -> None:
    """Adds to the gradient of the parameters what follows from deltas of values.

    Args:
        network: its shape.
        weights: of the network.
        gradient: of the parameters, that of narrow layers in `turned` alone.
        memory: as `forward` left it.
        actions: `[rows]` that were taken.
        deltas: `[rows]` of their values.
    """
    rows, last = len(deltas), len(network.layers) - 1
    if network.is_dueling or network.layers[last, OUTPUTS] >= NARROW:
        _set_head_deltas(network, memory, actions, deltas)
        _backward_layer(network, last, weights, gradient, memory, rows)
    else:
        _backward_values(network, weights, gradient, memory, actions, deltas)
    for layer in range(last - 1, -1, -1):
        _backward_layer(network, layer, weights, gradient, memory, rows)


@kernel
def _backward_values(
    network: Network,
    weights: Weights,
    gradient: Weights,
    memory: Memory,
    actions: Ints,
    deltas: Floats,
) -> None:
    """Goes back through the last layer where its outputs are the values of all actions."""
    inputs, outputs, _, bias, before, turned = network.layers[-1]
    rows = len(deltas)
    backward_taken(
        matrix(gradient.turned, turned, outputs, inputs),
        gradient.flat[bias:],
        matrix(memory.deltas, rows * before, rows, inputs),
        actions,
        deltas,
        matrix(weights.turned, turned, outputs, inputs),
        matrix(memory.units, rows * before, rows, inputs),
        network.activation if before > 0 else NONE,
    )


@kernel
def _backward_layer(
    network: Network, layer: int, weights: Weights, gradient: Weights, memory: Memory, rows: int
) -> None:
    """Goes back through a layer from the deltas of its outputs to those of its inputs."""
    inputs, outputs, start, bias, before, turned = network.layers[layer]
    units = matrix(memory.units, rows * before, rows, inputs)
    unit_deltas = matrix(memory.deltas, rows * before, rows, inputs)
    deltas = matrix(memory.deltas, rows * (before + inputs), rows, outputs)
    add_bias_gradient(gradient.flat[bias : bias + outputs], deltas)
    if outputs < NARROW:
        add_narrow_weight_gradient(matrix(gradient.turned, turned, outputs, inputs), units, deltas)
    else:
        add_weight_gradient(matrix(gradient.flat, start, inputs, outputs), units, deltas)
    if layer == 0:
        return
    zeros = memory.zeros
    if outputs < NARROW:
        weight = matrix(weights.turned, turned, outputs, inputs)
        narrow_input_gradient(unit_deltas, deltas, weight, units, network.activation, zeros)
    else:
        weight = matrix(weights.flat, start, inputs, outputs)
        input_gradient(unit_deltas, deltas, weight, units, network.activation, zeros)


@kernel
def begin_gradient(flat: Floats, turned: Floats) -> Weights:
    """Makes a gradient of nothing."""
    flat[:] = np.float32(0)
    turned[:] = np.float32(0)
    return Weights(flat, turned)


@kernel
def end_gradient(network: Network, gradient: Weights) -> None:
    """Turns the gradients of narrow layers back into the layout of the parameters."""
    for layer in range(len(network.layers)):
        inputs, outputs, start, _, _, place = network.layers[layer]
        if outputs < NARROW:
            turned = matrix(gradient.turned, place, outputs, inputs)
            transpose(matrix(gradient.flat, start, inputs, outputs), turned)


@kernel
def _set_head_deltas(network: Network, memory: Memory, actions: Ints, deltas: Floats) -> None:
    """Writes the deltas of the heads, given those of the values of the actions taken.

    Args:
        network: its shape.
        memory: the deltas of the heads are written.
        actions: `[rows]` that were taken.
        deltas: `[rows]`.
    """
    rows, last = len(deltas), network.layers[-1]
    num_heads = last[OUTPUTS]
    heads = matrix(memory.deltas, rows * (last[START] + last[INPUTS]), rows, num_heads)
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
def _values(network: Network, memory: Memory, heads: Floats) -> Floats:
    """Returns the values `[rows, A]` that follow from `heads [rows, heads]`."""
    rows, num_actions = len(heads), network.num_actions
    if not network.is_dueling:
        return heads
    values: Floats = matrix(memory.values, 0, rows, num_actions)
    for b in range(rows):
        mean = np.float32(0)
        for action in range(num_actions):
            mean += heads[b, action + 1]
        mean /= np.float32(num_actions)
        for action in range(num_actions):
            values[b, action] = heads[b, 0] + heads[b, action + 1] - mean
    return values
