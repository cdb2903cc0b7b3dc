"""The Q-network of one run in compiled code: forwards and backwards through all layers."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from dqn_exp.compiled import kernel
from dqn_exp.layers import LayerShape
from dqn_exp.native_layers import (
    activate,
    activation_gradient,
    bias_gradient,
    input_gradient,
    linear,
    weight_gradient,
)

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

INPUTS, OUTPUTS, WEIGHT, BIAS, START = range(5)
"""Columns of `Network.layers`: the shape, where weight and bias begin in the parameters, and how
many numbers the layers before have for each row of observations."""


class Network(NamedTuple):
    """A multi-layer perceptron with one output for each head.

    layers: `[L, 5]` of int64, see `INPUTS` and the others.
    num_actions: A.
    activation: of the hidden layers, see `native_layers`.
    is_dueling: whether the first head is the value and the others are advantages.
    """

    layers: Ints
    num_actions: int
    activation: int
    is_dueling: bool


class Memory(NamedTuple):
    """Where one thread computes; nothing in it outlives the work on one run.

    units: `[B * all units]` of inputs, hidden layers and heads, layer by layer.
    deltas: gradients of the units, in the same layout.
    turned: `[I * O]` of the largest layer.
    values: `[B * A]` the values Q.
    """

    units: Floats
    deltas: Floats
    turned: Floats
    values: Floats


def make_network(layers: Sequence[LayerShape], activation: int, is_dueling: bool) -> Network:
    """Describes a network to compiled code."""
    rows, offset, start = [], 0, 0
    for inputs, outputs in layers:
        bias = offset + inputs * outputs
        rows.append((inputs, outputs, offset, bias, start))
        offset, start = bias + outputs, start + inputs
    num_actions = layers[-1][1] - is_dueling
    return Network(np.array(rows, dtype=np.int64), num_actions, activation, is_dueling)


def make_memories(network: Network, num_threads: int, num_rows: int) -> Memory:
    """Makes memories `[T, ...]` for networks that are given as many rows of observations."""
    last = network.layers[-1]
    num_units = num_rows * int(last[START] + last[INPUTS] + last[OUTPUTS])
    sizes = (
        num_units,
        num_units,
        int((network.layers[:, INPUTS] * network.layers[:, OUTPUTS]).max()),
        num_rows * network.num_actions,
    )
    return Memory(*(np.zeros((num_threads, size), dtype=np.float32) for size in sizes))


@kernel
def memory_of(memories: Memory, thread: int) -> Memory:
    """Returns the memory of one thread."""
    return Memory(
        memories.units[thread],
        memories.deltas[thread],
        memories.turned[thread],
        memories.values[thread],
    )


@kernel
def matrix(memory: Floats, start: int, rows: int, columns: int) -> Floats:
    """Returns numbers from `start` on as a matrix `[rows, columns]`."""
    return memory[start : start + rows * columns].reshape((rows, columns))


@kernel
def forward(network: Network, parameters: Floats, memory: Memory, rows: int) -> Floats:
    """Returns the values `[rows, A]` of the observations `[rows, D]` that `memory.units` begins with.

    Args:
        network: its shape.
        parameters: `[P]`.
        memory: all units are kept in it.
        rows: how many observations.
    """
    layers = network.layers
    for layer in range(len(layers)):
        inputs, outputs = layers[layer, INPUTS], layers[layer, OUTPUTS]
        weight, bias = layers[layer, WEIGHT], layers[layer, BIAS]
        start = rows * layers[layer, START]
        out = matrix(memory.units, start + rows * inputs, rows, outputs)
        linear(
            out,
            matrix(memory.units, start, rows, inputs),
            matrix(parameters, weight, inputs, outputs),
            parameters[bias : bias + outputs],
            matrix(memory.turned, 0, outputs, inputs),
        )
        if layer < len(layers) - 1:
            activate(out, network.activation)
    return _values(network, memory, out)


@kernel
def backward(
    network: Network, parameters: Floats, gradient: Floats, memory: Memory, rows: int
) -> None:
    """Computes the gradient of the parameters from the deltas of the heads.

    Args:
        network: its shape.
        parameters: `[P]`.
        gradient: `[P]`, written.
        memory: as `forward` left it, with the deltas of the heads `[rows, heads]` in place.
        rows: how many observations.
    """
    layers = network.layers
    for layer in range(len(layers) - 1, -1, -1):
        inputs, outputs = layers[layer, INPUTS], layers[layer, OUTPUTS]
        weight, bias = layers[layer, WEIGHT], layers[layer, BIAS]
        start = rows * layers[layer, START]
        units = matrix(memory.units, start, rows, inputs)
        deltas = matrix(memory.deltas, start + rows * inputs, rows, outputs)
        turned = matrix(memory.turned, 0, outputs, inputs)
        weight_gradient(matrix(gradient, weight, inputs, outputs), units, deltas, turned)
        bias_gradient(gradient[bias : bias + outputs], deltas)
        if layer > 0:
            before = matrix(memory.deltas, start, rows, inputs)
            input_gradient(before, deltas, matrix(parameters, weight, inputs, outputs), turned)
            activation_gradient(before, units, network.activation)


@kernel
def head_deltas(network: Network, memory: Memory, actions: Ints, deltas: Floats) -> None:
    """Writes the deltas of the heads, given those of the values of the actions taken.

    Args:
        network: its shape.
        memory: the deltas of the heads are written.
        actions: `[B]` that were taken.
        deltas: `[B]`.
    """
    rows, last = len(deltas), network.layers[-1]
    num_heads = last[OUTPUTS]
    heads = matrix(memory.deltas, rows * (last[START] + last[INPUTS]), rows, num_heads)
    for b in range(rows):
        delta, action = deltas[b], actions[b]
        if network.is_dueling:
            share = delta / np.float32(num_heads - 1)
            heads[b, 0] = delta
            for head in range(1, num_heads):
                heads[b, head] = -share
            heads[b, action + 1] += delta
        else:
            for head in range(num_heads):
                heads[b, head] = np.float32(0)
            heads[b, action] = delta


@kernel
def _values(network: Network, memory: Memory, heads: Floats) -> Floats:
    rows, num_heads = heads.shape
    if not network.is_dueling:
        return heads
    values = matrix(memory.values, 0, rows, network.num_actions)
    for b in range(rows):
        mean = np.float32(0)
        for head in range(1, num_heads):
            mean += heads[b, head]
        mean /= np.float32(num_heads - 1)
        for head in range(1, num_heads):
            values[b, head - 1] = heads[b, 0] + heads[b, head] - mean
    return values
