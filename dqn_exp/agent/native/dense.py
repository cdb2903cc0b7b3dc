"""Linear layers of one run in compiled code, forward and backward.

Letters besides those of the package: I inputs and O outputs of a layer, R rows of a batch. All
numbers lie in one flat array, at the places that a `Layer` names.
"""

from typing import NamedTuple

from dqn_exp.agent.native.activations import activate, slope
from dqn_exp.agent.native.fetch_ahead import fetch_ahead
from dqn_exp.core.arrays import Float32Array, IntArray
from dqn_exp.core.compile_time import Static
from dqn_exp.core.jit import called_kernel, kernel
from dqn_exp.core.vector import LANES, broadcast, item, load, store, store_four, zeros
from dqn_exp.core.vector_lanes import four_totals

ROWS = 4
"""Rows that are computed at once, so that each weight is loaded once for all of them."""

COLUMNS = 2 * LANES
"""Outputs that are computed at once; the number of outputs is padded to a multiple."""


class Layer(NamedTuple):
    """A linear layer, whose weights are stored as `[O / COLUMNS, I, COLUMNS]`.

    So weights are read in the order in which they are stored, which is how processors fetch them
    ahead from memory.

    Attributes:
        inputs: I.
        outputs: O, a multiple of `COLUMNS`.
        weight: offset of the weights, relative to the parameters.
        bias: offset of the biases, relative to the parameters.
        units: offset of the inputs `[R, I]`, relative to the units.
        heads: offset of the outputs `[R, O]`, relative to the units.
    """

    inputs: int
    outputs: int
    weight: int
    bias: int
    units: int
    heads: int


class Rows(NamedTuple):
    """Rows of a batch.

    Attributes:
        numbers: of the rows.
        first: place of the first one among them.
        size: number of rows; `numbers` go on to a multiple of `ROWS`.
    """

    numbers: IntArray
    first: int
    size: int


@called_kernel
def forward(
    spec: Static, numbers: Float32Array, layer: Layer, parameters: int, units: int, rows: Rows
) -> None:
    """Computes the activated outputs of a layer.

    Args:
        spec: has the activation of the outputs.
        numbers: all numbers.
        layer: the layer.
        parameters: place of the parameters.
        units: place of the units.
        rows: to compute.
    """
    for column in range(0, layer.outputs, COLUMNS):
        forward_columns(spec, numbers, layer, parameters, units, rows, column)


@kernel
def forward_columns(
    spec: Static,
    numbers: Float32Array,
    layer: Layer,
    parameters: int,
    units: int,
    rows: Rows,
    column: int,
) -> None:
    """Computes `COLUMNS` outputs, from `column` on; arguments as in `forward`."""
    inputs, outputs = layer.inputs, layer.outputs
    below, above = units + layer.units, units + layer.heads
    bias = parameters + layer.bias + column
    bias0, bias1 = load(numbers, bias), load(numbers, bias + LANES)
    for place in range(rows.first, rows.first + rows.size, ROWS):
        row_a, row_b = item(rows.numbers, place), item(rows.numbers, place + 1)
        row_c, row_d = item(rows.numbers, place + 2), item(rows.numbers, place + 3)
        a, b = below + row_a * inputs, below + row_b * inputs
        c, d = below + row_c * inputs, below + row_d * inputs
        a0 = b0 = c0 = d0 = bias0
        a1 = b1 = c1 = d1 = bias1
        weight = parameters + layer.weight + column * inputs
        for i in range(inputs):
            weight0, weight1 = load(numbers, weight), load(numbers, weight + LANES)
            fetch_ahead(spec, numbers, weight)
            weight += COLUMNS
            unit_a, unit_b = broadcast(numbers, a + i), broadcast(numbers, b + i)
            unit_c, unit_d = broadcast(numbers, c + i), broadcast(numbers, d + i)
            a0 += unit_a * weight0
            a1 += unit_a * weight1
            b0 += unit_b * weight0
            b1 += unit_b * weight1
            c0 += unit_c * weight0
            c1 += unit_c * weight1
            d0 += unit_d * weight0
            d1 += unit_d * weight1
        a, b = above + row_a * outputs + column, above + row_b * outputs + column
        c, d = above + row_c * outputs + column, above + row_d * outputs + column
        store(numbers, a, activate(spec, a0))
        store(numbers, a + LANES, activate(spec, a1))
        store(numbers, b, activate(spec, b0))
        store(numbers, b + LANES, activate(spec, b1))
        store(numbers, c, activate(spec, c0))
        store(numbers, c + LANES, activate(spec, c1))
        store(numbers, d, activate(spec, d0))
        store(numbers, d + LANES, activate(spec, d1))


@called_kernel
def gradient_of_columns(
    numbers: Float32Array, layer: Layer, to: int, units: int, deltas: int, rows: Rows, column: int
) -> None:
    """Computes the gradient of `COLUMNS` outputs' weights and biases.

    Args:
        numbers: all numbers.
        layer: the layer.
        to: place of the gradient of the parameters, written.
        units: place of the units.
        deltas: place of the gradients of the units, those of the outputs known.
        rows: that count.
        column: first output.
    """
    inputs, outputs = layer.inputs, layer.outputs
    head = deltas + layer.heads + column
    _sum_columns(numbers, head, outputs, rows, to + layer.bias + column)
    for i in range(0, inputs, ROWS):
        # Beyond the last input, the last one is computed again.
        last = inputs - 1
        b, c, d = min(i + 1, last) - i, min(i + 2, last) - i, min(i + 3, last) - i
        a0 = a1 = b0 = b1 = c0 = c1 = d0 = d1 = zeros()
        for place in range(rows.first, rows.first + rows.size):
            row = item(rows.numbers, place)
            unit, delta = units + layer.units + row * inputs + i, head + row * outputs
            delta0, delta1 = load(numbers, delta), load(numbers, delta + LANES)
            unit_a, unit_b = broadcast(numbers, unit), broadcast(numbers, unit + b)
            unit_c, unit_d = broadcast(numbers, unit + c), broadcast(numbers, unit + d)
            a0 += unit_a * delta0
            a1 += unit_a * delta1
            b0 += unit_b * delta0
            b1 += unit_b * delta1
            c0 += unit_c * delta0
            c1 += unit_c * delta1
            d0 += unit_d * delta0
            d1 += unit_d * delta1
        place = to + layer.weight + column * inputs + i * COLUMNS
        store(numbers, place, a0)
        store(numbers, place + LANES, a1)
        store(numbers, place + b * COLUMNS, b0)
        store(numbers, place + b * COLUMNS + LANES, b1)
        store(numbers, place + c * COLUMNS, c0)
        store(numbers, place + c * COLUMNS + LANES, c1)
        store(numbers, place + d * COLUMNS, d0)
        store(numbers, place + d * COLUMNS + LANES, d1)


@called_kernel
def gradient(
    numbers: Float32Array, layer: Layer, to: int, units: int, deltas: int, rows: Rows
) -> None:
    """Computes the gradient of a layer; arguments as in `gradient_of_columns`."""
    for column in range(0, layer.outputs, COLUMNS):
        gradient_of_columns(numbers, layer, to, units, deltas, rows, column)


@called_kernel
def _sum_columns(numbers: Float32Array, head: int, width: int, rows: Rows, sums: int) -> None:
    """Writes the sums of `COLUMNS` columns of some rows of a matrix of a given width."""
    sum0 = sum1 = zeros()
    for place in range(rows.first, rows.first + rows.size):
        row = head + item(rows.numbers, place) * width
        sum0 += load(numbers, row)
        sum1 += load(numbers, row + LANES)
    store(numbers, sums, sum0)
    store(numbers, sums + LANES, sum1)


@called_kernel
def input_deltas(
    numbers: Float32Array, layer: Layer, parameters: int, deltas: int, rows: Rows
) -> None:
    """Computes the gradients of a layer's inputs, after their activation.

    Args:
        numbers: all numbers.
        layer: the layer; its inputs are padded.
        parameters: place of the parameters.
        deltas: place of the gradients of the units, those of the outputs known.
        rows: to compute.
    """
    deltas_of_inputs(numbers, layer, parameters, deltas, rows, 0, layer.inputs)


@kernel
def deltas_of_inputs(
    numbers: Float32Array,
    layer: Layer,
    parameters: int,
    deltas: int,
    rows: Rows,
    first: int,
    end: int,
) -> None:
    """Computes the gradients of some inputs, from `first` on; arguments as in `input_deltas`."""
    inputs, outputs = layer.inputs, layer.outputs
    below, above = deltas + layer.units, deltas + layer.heads
    for i in range(first, end, ROWS):
        for place in range(rows.first, rows.first + rows.size, ROWS):
            row_a, row_b = item(rows.numbers, place), item(rows.numbers, place + 1)
            row_c, row_d = item(rows.numbers, place + 2), item(rows.numbers, place + 3)
            a, b = above + row_a * outputs, above + row_b * outputs
            c, d = above + row_c * outputs, above + row_d * outputs
            a0 = a1 = a2 = a3 = b0 = b1 = b2 = b3 = zeros()
            c0 = c1 = c2 = c3 = d0 = d1 = d2 = d3 = zeros()
            weight = parameters + layer.weight + i * COLUMNS
            for panel in range(0, outputs, COLUMNS):
                for output in range(panel, panel + COLUMNS, LANES):
                    delta_a, delta_b = load(numbers, a + output), load(numbers, b + output)
                    delta_c, delta_d = load(numbers, c + output), load(numbers, d + output)
                    weights = load(numbers, weight)
                    a0 += delta_a * weights
                    b0 += delta_b * weights
                    c0 += delta_c * weights
                    d0 += delta_d * weights
                    weights = load(numbers, weight + COLUMNS)
                    a1 += delta_a * weights
                    b1 += delta_b * weights
                    c1 += delta_c * weights
                    d1 += delta_d * weights
                    weights = load(numbers, weight + 2 * COLUMNS)
                    a2 += delta_a * weights
                    b2 += delta_b * weights
                    c2 += delta_c * weights
                    d2 += delta_d * weights
                    weights = load(numbers, weight + 3 * COLUMNS)
                    a3 += delta_a * weights
                    b3 += delta_b * weights
                    c3 += delta_c * weights
                    d3 += delta_d * weights
                    weight += LANES
                weight += (inputs - 1) * COLUMNS
            store_four(numbers, below + row_a * inputs + i, four_totals(a0, a1, a2, a3))
            store_four(numbers, below + row_b * inputs + i, four_totals(b0, b1, b2, b3))
            store_four(numbers, below + row_c * inputs + i, four_totals(c0, c1, c2, c3))
            store_four(numbers, below + row_d * inputs + i, four_totals(d0, d1, d2, d3))


@called_kernel
def apply_slopes(spec: Static, numbers: Float32Array, units: int, deltas: int, count: int) -> None:
    """Multiplies the gradients of activated units by the slopes of the activation.

    Args:
        spec: has the activation.
        numbers: all numbers.
        units: place of the units.
        deltas: place of their gradients.
        count: number of units, padded.
    """
    for i in range(0, count, LANES):
        given = load(numbers, deltas + i)
        store(numbers, deltas + i, slope(spec, load(numbers, units + i), given))
