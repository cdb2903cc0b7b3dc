"""Linear layers of one run in compiled code, forward and backward.

Letters besides those of the package: I inputs and O outputs of a layer, R rows of a batch, padded
to a multiple of `ROWS`. All numbers lie in one flat array, at the places that a `Layer` names.
"""

from typing import NamedTuple

import numpy as np

from dqn_exp.agent.native.activations import activate, slope
from dqn_exp.core.arrays import Float32Array
from dqn_exp.core.compile_time import Static
from dqn_exp.core.jit import called_kernel as kernel
from dqn_exp.core.vector import LANES, fill, load, store, total, zeros

ROWS = 4
"""Rows that are computed at once, so that each weight is loaded once for all of them."""

COLUMNS = 2 * LANES
"""Outputs of a wide layer that are computed at once; their number is padded to a multiple."""

ZERO = np.float32(0)


class Layer(NamedTuple):
    """A linear layer.

    The outputs of a wide layer are padded to a multiple of `COLUMNS`, and its weights are stored as
    `[I, O]`. A narrow layer has few outputs, and its weights are stored as `[O, I]`, so that the
    innermost loop runs over the inputs, which are enough to fill vectors.

    Attributes:
        inputs: I.
        outputs: O.
        weight: place of the weights, after that of the parameters.
        bias: place of the biases, after that of the parameters.
        units: place of the inputs `[R, I]`, after that of all units.
        heads: place of the outputs `[R, O]`, after that of all units.
        is_narrow: whether the weights are stored as `[O, I]`.
    """

    inputs: int
    outputs: int
    weight: int
    bias: int
    units: int
    heads: int
    is_narrow: bool


@kernel
def forward_wide(
    spec: Static, numbers: Float32Array, layer: Layer, parameters: int, units: int, rows: int
) -> None:
    """Computes the activated outputs of a wide layer.

    Args:
        spec: has the activation of the outputs.
        numbers: all numbers.
        layer: a wide one.
        parameters: place of the parameters.
        units: place of the units.
        rows: R.
    """
    inputs, outputs = layer.inputs, layer.outputs
    for column in range(0, outputs, COLUMNS):
        bias = parameters + layer.bias + column
        bias0, bias1 = load(numbers, bias), load(numbers, bias + LANES)
        for row in range(0, rows, ROWS):
            a = units + layer.units + row * inputs
            b, c, d = a + inputs, a + 2 * inputs, a + 3 * inputs
            a0 = b0 = c0 = d0 = bias0
            a1 = b1 = c1 = d1 = bias1
            place = parameters + layer.weight + column
            for i in range(inputs):
                weight0, weight1 = load(numbers, place), load(numbers, place + LANES)
                place += outputs
                unit_a, unit_b = fill(numbers[a + i]), fill(numbers[b + i])
                unit_c, unit_d = fill(numbers[c + i]), fill(numbers[d + i])
                a0 += unit_a * weight0
                a1 += unit_a * weight1
                b0 += unit_b * weight0
                b1 += unit_b * weight1
                c0 += unit_c * weight0
                c1 += unit_c * weight1
                d0 += unit_d * weight0
                d1 += unit_d * weight1
            place = units + layer.heads + row * outputs + column
            store(numbers, place, activate(spec, a0))
            store(numbers, place + LANES, activate(spec, a1))
            store(numbers, place + outputs, activate(spec, b0))
            store(numbers, place + outputs + LANES, activate(spec, b1))
            store(numbers, place + 2 * outputs, activate(spec, c0))
            store(numbers, place + 2 * outputs + LANES, activate(spec, c1))
            store(numbers, place + 3 * outputs, activate(spec, d0))
            store(numbers, place + 3 * outputs + LANES, activate(spec, d1))


@kernel
def forward_narrow(
    numbers: Float32Array, layer: Layer, parameters: int, units: int, rows: int
) -> None:
    """Computes the outputs of a narrow layer; arguments as in `forward_wide`."""
    inputs, outputs = layer.inputs, layer.outputs
    for row in range(0, rows, ROWS):
        a = units + layer.units + row * inputs
        b, c, d = a + inputs, a + 2 * inputs, a + 3 * inputs
        place = units + layer.heads + row * outputs
        for output in range(outputs):
            weight = parameters + layer.weight + output * inputs
            sum_a = sum_b = sum_c = sum_d = zeros()
            for i in range(0, inputs, LANES):
                weights = load(numbers, weight + i)
                sum_a += load(numbers, a + i) * weights
                sum_b += load(numbers, b + i) * weights
                sum_c += load(numbers, c + i) * weights
                sum_d += load(numbers, d + i) * weights
            bias = numbers[parameters + layer.bias + output]
            numbers[place + output] = total(sum_a) + bias
            numbers[place + outputs + output] = total(sum_b) + bias
            numbers[place + 2 * outputs + output] = total(sum_c) + bias
            numbers[place + 3 * outputs + output] = total(sum_d) + bias


@kernel
def wide_gradient(
    numbers: Float32Array, layer: Layer, gradient: int, units: int, deltas: int, count: int
) -> None:
    """Computes the gradient of a wide layer's weights and biases.

    Args:
        numbers: all numbers.
        layer: a wide one.
        gradient: place of the gradient of the parameters, written.
        units: place of the units.
        deltas: place of the gradients of the units, those of the outputs known.
        count: B, rows that count.
    """
    inputs, outputs = layer.inputs, layer.outputs
    for column in range(0, outputs, COLUMNS):
        head = deltas + layer.heads + column
        _sum_columns(numbers, head, outputs, count, gradient + layer.bias + column)
        for i in range(0, inputs, ROWS):
            # Beyond the last input, the last one is computed again.
            last = inputs - 1
            b, c, d = min(i + 1, last) - i, min(i + 2, last) - i, min(i + 3, last) - i
            a0 = a1 = b0 = b1 = c0 = c1 = d0 = d1 = zeros()
            unit, place = units + layer.units + i, head
            for _ in range(count):
                delta0, delta1 = load(numbers, place), load(numbers, place + LANES)
                unit_a, unit_b = fill(numbers[unit]), fill(numbers[unit + b])
                unit_c, unit_d = fill(numbers[unit + c]), fill(numbers[unit + d])
                unit += inputs
                place += outputs
                a0 += unit_a * delta0
                a1 += unit_a * delta1
                b0 += unit_b * delta0
                b1 += unit_b * delta1
                c0 += unit_c * delta0
                c1 += unit_c * delta1
                d0 += unit_d * delta0
                d1 += unit_d * delta1
            place = gradient + layer.weight + i * outputs + column
            store(numbers, place, a0)
            store(numbers, place + LANES, a1)
            store(numbers, place + b * outputs, b0)
            store(numbers, place + b * outputs + LANES, b1)
            store(numbers, place + c * outputs, c0)
            store(numbers, place + c * outputs + LANES, c1)
            store(numbers, place + d * outputs, d0)
            store(numbers, place + d * outputs + LANES, d1)


@kernel
def _sum_columns(numbers: Float32Array, place: int, width: int, count: int, sums: int) -> None:
    """Writes the sums of `COLUMNS` columns of a matrix `[count, width]`."""
    sum0 = sum1 = zeros()
    for _ in range(count):
        sum0 += load(numbers, place)
        sum1 += load(numbers, place + LANES)
        place += width
    store(numbers, sums, sum0)
    store(numbers, sums + LANES, sum1)


@kernel
def narrow_gradient(
    numbers: Float32Array, layer: Layer, gradient: int, units: int, deltas: int, count: int
) -> None:
    """Computes the gradient of a narrow layer's weights and biases, as `wide_gradient` does."""
    inputs, outputs = layer.inputs, layer.outputs
    for output in range(outputs):
        head, bias = deltas + layer.heads + output, ZERO
        for b in range(count):
            bias += numbers[head + b * outputs]
        numbers[gradient + layer.bias + output] = bias
        for i in range(0, inputs, COLUMNS):
            sum0 = sum1 = zeros()
            unit, place = units + layer.units + i, head
            for _ in range(count):
                delta = fill(numbers[place])
                sum0 += delta * load(numbers, unit)
                sum1 += delta * load(numbers, unit + LANES)
                unit += inputs
                place += outputs
            place = gradient + layer.weight + output * inputs + i
            store(numbers, place, sum0)
            store(numbers, place + LANES, sum1)


@kernel
def narrow_input_deltas(
    spec: Static,
    numbers: Float32Array,
    layer: Layer,
    parameters: int,
    units: int,
    deltas: int,
    rows: int,
) -> None:
    """Computes the gradients of a narrow layer's inputs, before their activation.

    Args:
        spec: has the activation of the inputs.
        numbers: all numbers.
        layer: a narrow one.
        parameters: place of the parameters.
        units: place of the units.
        deltas: place of the gradients of the units, those of the outputs known.
        rows: R.
    """
    inputs, outputs = layer.inputs, layer.outputs
    for row in range(0, rows, ROWS):
        head, unit = deltas + layer.heads + row * outputs, layer.units + row * inputs
        for i in range(0, inputs, LANES):
            a = b = c = d = zeros()
            for output in range(outputs):
                weights = load(numbers, parameters + layer.weight + output * inputs + i)
                a += fill(numbers[head + output]) * weights
                b += fill(numbers[head + outputs + output]) * weights
                c += fill(numbers[head + 2 * outputs + output]) * weights
                d += fill(numbers[head + 3 * outputs + output]) * weights
            place, to = units + unit + i, deltas + unit + i
            store(numbers, to, slope(spec, load(numbers, place), a))
            place, to = place + inputs, to + inputs
            store(numbers, to, slope(spec, load(numbers, place), b))
            place, to = place + inputs, to + inputs
            store(numbers, to, slope(spec, load(numbers, place), c))
            place, to = place + inputs, to + inputs
            store(numbers, to, slope(spec, load(numbers, place), d))


@kernel
def wide_input_deltas(
    spec: Static,
    numbers: Float32Array,
    layer: Layer,
    parameters: int,
    units: int,
    deltas: int,
    rows: int,
) -> None:
    """Computes the gradients of a wide layer's inputs, as `narrow_input_deltas` does."""
    inputs, outputs = layer.inputs, layer.outputs
    for i in range(0, inputs, LANES):
        for row in range(0, rows, ROWS):
            for lane in range(i, i + LANES):
                weight = parameters + layer.weight + lane * outputs
                a = deltas + layer.heads + row * outputs
                b, c, d = a + outputs, a + 2 * outputs, a + 3 * outputs
                sum_a = sum_b = sum_c = sum_d = zeros()
                for output in range(0, outputs, LANES):
                    weights = load(numbers, weight + output)
                    sum_a += load(numbers, a + output) * weights
                    sum_b += load(numbers, b + output) * weights
                    sum_c += load(numbers, c + output) * weights
                    sum_d += load(numbers, d + output) * weights
                place = deltas + layer.units + row * inputs + lane
                numbers[place] = total(sum_a)
                numbers[place + inputs] = total(sum_b)
                numbers[place + 2 * inputs] = total(sum_c)
                numbers[place + 3 * inputs] = total(sum_d)
    for place in range(layer.units, layer.units + rows * inputs, LANES):
        given = load(numbers, deltas + place)
        store(numbers, deltas + place, slope(spec, load(numbers, units + place), given))
