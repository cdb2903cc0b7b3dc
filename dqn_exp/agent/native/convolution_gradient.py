"""Gradients of the weights of convolutions of one run, in compiled code."""

from dqn_exp.agent.native.convolution import (
    POSITIONS,
    WIDE_POSITIONS,
    Convolution,
    filters_at_once,
    put,
)
from dqn_exp.agent.native.dense import COLUMNS, Rows
from dqn_exp.core.arrays import Float32Array
from dqn_exp.core.jit import called_kernel, kernel
from dqn_exp.core.vector import LANES, broadcast, item, load, store, zeros

NEAR = 2**14
"""Numbers of images that stay in a near cache while their gradients are computed."""


@kernel
def num_parts(layer: Convolution) -> int:
    """Returns how many parts the gradient has: the lines of as many filters as are done at once."""
    return layer.filters // filters_at_once(layer) * layer.size


@called_kernel
def gradient_of_part(
    numbers: Float32Array,
    layer: Convolution,
    to: int,
    units: int,
    deltas: int,
    rows: Rows,
    part: int,
) -> None:
    """Computes a part of the gradient of the weights and biases of a convolution.

    Args:
        numbers: all numbers.
        layer: the convolution.
        to: place of the gradient of the parameters, written.
        units: place of the units.
        deltas: place of the gradients of the units, those of the outputs known.
        rows: that count.
        part: number of the part.
    """
    width = filters_at_once(layer)
    f, line = part // layer.size * width, part % layer.size
    length, end = layer.size * layer.channels, rows.first + rows.size
    weight, bias = to + layer.weight + line * length * layer.filters + f, to + layer.bias + f
    for lane in range(0, width, LANES):
        for i in range(length):
            store(numbers, weight + i * layer.filters + lane, zeros())
        if line == 0:
            _sum_deltas(numbers, layer, bias + lane, deltas + layer.heads + f + lane, rows)
    at_once = max(1, NEAR // layer.inputs)
    for first in range(rows.first, end, at_once):
        some = Rows(rows.numbers, first, min(at_once, end - first))
        if width == COLUMNS:
            for i in range(0, length, WIDE_POSITIONS):
                _add_wide_products(numbers, layer, weight, units, deltas + f, some, line, i)
        else:
            for i in range(0, length, POSITIONS):
                _add_products(numbers, layer, weight, units, deltas + f, some, line, i)


@called_kernel
def _sum_deltas(
    numbers: Float32Array, layer: Convolution, to: int, deltas: int, rows: Rows
) -> None:
    total = zeros()
    for place in range(rows.first, rows.first + rows.size):
        first = deltas + item(rows.numbers, place) * layer.outputs
        for position in range(layer.height * layer.width):
            total += load(numbers, first + position * layer.filters)
    store(numbers, to, total)


@called_kernel
def _add_wide_products(
    numbers: Float32Array,
    layer: Convolution,
    to: int,
    units: int,
    deltas: int,
    rows: Rows,
    line: int,
    i: int,
) -> None:
    """Does for `COLUMNS` filters, but `WIDE_POSITIONS` weights, as `_add_products`."""
    filters, last = layer.filters, layer.size * layer.channels - 1
    a, b = to + i * filters, to + min(i + 1, last) * filters
    c, d = to + min(i + 2, last) * filters, to + min(i + 3, last) * filters
    a0, b0, c0, d0 = load(numbers, a), load(numbers, b), load(numbers, c), load(numbers, d)
    a1, b1 = load(numbers, a + LANES), load(numbers, b + LANES)
    c1, d1 = load(numbers, c + LANES), load(numbers, d + LANES)
    step, count = layer.stride * layer.channels, last + 1 - i
    for place in range(rows.first, rows.first + rows.size):
        row = item(rows.numbers, place)
        image = units + layer.units + row * layer.inputs + line * layer.pitch + i
        above = deltas + layer.heads + row * layer.outputs
        for y in range(layer.height):
            patch = image + y * layer.stride * layer.pitch
            for _ in range(layer.width):
                delta0, delta1 = load(numbers, above), load(numbers, above + LANES)
                above += filters
                unit_a, unit_b = broadcast(numbers, patch), broadcast(numbers, patch + 1)
                unit_c, unit_d = broadcast(numbers, patch + 2), broadcast(numbers, patch + 3)
                a0 += unit_a * delta0
                a1 += unit_a * delta1
                b0 += unit_b * delta0
                b1 += unit_b * delta1
                c0 += unit_c * delta0
                c1 += unit_c * delta1
                d0 += unit_d * delta0
                d1 += unit_d * delta1
                patch += step
    put(numbers, a, a0, 0, count)
    put(numbers, a + LANES, a1, 0, count)
    put(numbers, b, b0, 1, count)
    put(numbers, b + LANES, b1, 1, count)
    put(numbers, c, c0, 2, count)
    put(numbers, c + LANES, c1, 2, count)
    put(numbers, d, d0, 3, count)
    put(numbers, d + LANES, d1, 3, count)


@called_kernel
def _add_products(
    numbers: Float32Array,
    layer: Convolution,
    to: int,
    units: int,
    deltas: int,
    rows: Rows,
    line: int,
    i: int,
) -> None:
    """Adds to the gradients of `POSITIONS` weights, from number `i` of a line of the filters on."""
    filters, last = layer.filters, layer.size * layer.channels - 1
    w0, w1 = to + i * filters, to + min(i + 1, last) * filters
    w2, w3 = to + min(i + 2, last) * filters, to + min(i + 3, last) * filters
    w4, w5 = to + min(i + 4, last) * filters, to + min(i + 5, last) * filters
    w6, w7 = to + min(i + 6, last) * filters, to + min(i + 7, last) * filters
    s0, s1, s2, s3 = load(numbers, w0), load(numbers, w1), load(numbers, w2), load(numbers, w3)
    s4, s5, s6, s7 = load(numbers, w4), load(numbers, w5), load(numbers, w6), load(numbers, w7)
    step, count = layer.stride * layer.channels, last + 1 - i
    for place in range(rows.first, rows.first + rows.size):
        row = item(rows.numbers, place)
        image = units + layer.units + row * layer.inputs + line * layer.pitch + i
        above = deltas + layer.heads + row * layer.outputs
        for y in range(layer.height):
            # Beyond the line, this reads other numbers, whose sums are not stored.
            patch = image + y * layer.stride * layer.pitch
            for _ in range(layer.width):
                delta = load(numbers, above)
                above += filters
                s0 += broadcast(numbers, patch) * delta
                s1 += broadcast(numbers, patch + 1) * delta
                s2 += broadcast(numbers, patch + 2) * delta
                s3 += broadcast(numbers, patch + 3) * delta
                s4 += broadcast(numbers, patch + 4) * delta
                s5 += broadcast(numbers, patch + 5) * delta
                s6 += broadcast(numbers, patch + 6) * delta
                s7 += broadcast(numbers, patch + 7) * delta
                patch += step
    put(numbers, w0, s0, 0, count)
    put(numbers, w1, s1, 1, count)
    put(numbers, w2, s2, 2, count)
    put(numbers, w3, s3, 3, count)
    put(numbers, w4, s4, 4, count)
    put(numbers, w5, s5, 5, count)
    put(numbers, w6, s6, 6, count)
    put(numbers, w7, s7, 7, count)
