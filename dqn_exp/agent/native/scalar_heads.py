"""A last layer with one output per action, in compiled code, forward and backward.

The weights of each action `[A, I]` are a vector: an output is its product with the inputs. Where
only the actions taken matter, nothing is computed for the others. Letters besides those of the
package: I inputs of the layer, R rows of a batch.
"""

from typing import NamedTuple

import numpy as np

from dqn_exp.agent.native.activations import slope
from dqn_exp.agent.native.dense import ROWS
from dqn_exp.core.arrays import Float32Array, IntArray
from dqn_exp.core.compile_time import Static
from dqn_exp.core.jit import called_kernel
from dqn_exp.core.vector import LANES, broadcast, item, load, store, store_four, zeros
from dqn_exp.core.vector_lanes import four_totals, lane

ZERO = np.float32(0)


class Heads(NamedTuple):
    """The last layer.

    Attributes:
        inputs: I, a multiple of `COLUMNS`.
        size: A.
        weight: offset of the weights `[A, I]`, relative to the parameters.
        bias: offset of the biases, relative to the parameters.
        units: offset of the inputs `[R, I]`, relative to the units.
        heads: offset of the outputs `[A, R]`, relative to the units.
        rows: R.
    """

    inputs: int
    size: int
    weight: int
    bias: int
    units: int
    heads: int
    rows: int


class Places(NamedTuple):
    """Places in the numbers.

    Attributes:
        parameters: of the parameters.
        gradient: of their gradient, written.
        units: of the units.
        deltas: of the gradients of the units; those of the actions taken are known.
    """

    parameters: int
    gradient: int
    units: int
    deltas: int


class Groups(NamedTuple):
    """Rows by action.

    Attributes:
        bounds: `[A, 2]` places of the first row of each action in the order, and of its end.
        order: of the rows.
    """

    bounds: IntArray
    order: IntArray


@called_kernel
def forward_all(
    numbers: Float32Array, layer: Heads, parameters: int, units: int, first: int, end: int
) -> None:
    """Computes the outputs of all actions for some rows.

    Args:
        numbers: all numbers.
        layer: the heads.
        parameters: place of the parameters.
        units: place of the units.
        first: first row, a multiple of `ROWS`.
        end: row after the last one.
    """
    inputs = layer.inputs
    for row in range(first, end, ROWS):
        a = units + layer.units + row * inputs
        b, c, d = a + inputs, a + 2 * inputs, a + 3 * inputs
        for action in range(layer.size):
            weight = parameters + layer.weight + action * inputs
            sum_a = sum_b = sum_c = sum_d = zeros()
            for i in range(0, inputs, LANES):
                weights = load(numbers, weight + i)
                sum_a += load(numbers, a + i) * weights
                sum_b += load(numbers, b + i) * weights
                sum_c += load(numbers, c + i) * weights
                sum_d += load(numbers, d + i) * weights
            bias = broadcast(numbers, parameters + layer.bias + action)
            place = units + layer.heads + action * layer.rows + row
            store_four(numbers, place, four_totals(sum_a, sum_b, sum_c, sum_d) + bias)


@called_kernel
def forward_taken(
    numbers: Float32Array,
    layer: Heads,
    parameters: int,
    units: int,
    actions: IntArray,
    first: int,
    end: int,
) -> None:
    """Computes the outputs of one action `[R]` per row; other arguments as in `forward_all`."""
    inputs = layer.inputs
    for row in range(first, end, ROWS):
        a = units + layer.units + row * inputs
        b, c, d = a + inputs, a + 2 * inputs, a + 3 * inputs
        weight, bias = parameters + layer.weight, parameters + layer.bias
        action_a, action_b = item(actions, row), item(actions, row + 1)
        action_c, action_d = item(actions, row + 2), item(actions, row + 3)
        of_a, of_b = weight + action_a * inputs, weight + action_b * inputs
        of_c, of_d = weight + action_c * inputs, weight + action_d * inputs
        sum_a = sum_b = sum_c = sum_d = zeros()
        for i in range(0, inputs, LANES):
            sum_a += load(numbers, a + i) * load(numbers, of_a + i)
            sum_b += load(numbers, b + i) * load(numbers, of_b + i)
            sum_c += load(numbers, c + i) * load(numbers, of_c + i)
            sum_d += load(numbers, d + i) * load(numbers, of_d + i)
        sums, place = four_totals(sum_a, sum_b, sum_c, sum_d), units + layer.heads + row
        numbers[place + action_a * layer.rows] = lane(sums, 0) + numbers[bias + action_a]
        numbers[place + 1 + action_b * layer.rows] = lane(sums, 1) + numbers[bias + action_b]
        numbers[place + 2 + action_c * layer.rows] = lane(sums, 2) + numbers[bias + action_c]
        numbers[place + 3 + action_d * layer.rows] = lane(sums, 3) + numbers[bias + action_d]


@called_kernel
def gradient_of_biases(numbers: Float32Array, layer: Heads, at: Places, groups: Groups) -> None:
    """Computes the gradients of the biases; arguments as in `backward_columns`."""
    for action in range(layer.size):
        head, bias = at.deltas + layer.heads + action * layer.rows, ZERO
        for place in range(groups.bounds[action, 0], groups.bounds[action, 1]):
            bias += item(numbers, head + item(groups.order, place))
        numbers[at.gradient + layer.bias + action] = bias


@called_kernel
def backward_columns(
    spec: Static, numbers: Float32Array, layer: Heads, at: Places, groups: Groups, column: int
) -> None:
    """Computes the gradients of `COLUMNS` inputs before their activation, and of their weights.

    Args:
        spec: has the activation of the inputs.
        numbers: all numbers.
        layer: the heads.
        at: places.
        groups: of the rows.
        column: first input.
    """
    inputs = layer.inputs
    for action in range(layer.size):
        head = at.deltas + layer.heads + action * layer.rows
        weight = layer.weight + action * inputs + column
        weight0 = load(numbers, at.parameters + weight)
        weight1 = load(numbers, at.parameters + weight + LANES)
        sum0 = sum1 = zeros()
        for place in range(groups.bounds[action, 0], groups.bounds[action, 1]):
            row = item(groups.order, place)
            delta, first = broadcast(numbers, head + row), layer.units + row * inputs + column
            unit0 = load(numbers, at.units + first)
            unit1 = load(numbers, at.units + first + LANES)
            sum0 += delta * unit0
            sum1 += delta * unit1
            first += at.deltas
            store(numbers, first, slope(spec, unit0, delta * weight0))
            store(numbers, first + LANES, slope(spec, unit1, delta * weight1))
        store(numbers, at.gradient + weight, sum0)
        store(numbers, at.gradient + weight + LANES, sum1)
