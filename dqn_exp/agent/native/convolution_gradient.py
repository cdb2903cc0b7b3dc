"""Gradients of the weights of convolutions of one run, in compiled code."""

from dqn_exp.agent.native.convolution import POSITIONS, Convolution, put
from dqn_exp.agent.native.dense import Rows
from dqn_exp.core.arrays import Float32Array
from dqn_exp.core.jit import called_kernel, kernel
from dqn_exp.core.vector import LANES, broadcast, item, load, store, zeros

NEAR = 2**14
"""Numbers of images that stay in a near cache while their gradients are computed."""


@kernel
def num_parts(layer: Convolution) -> int:
    """Returns how many parts the gradient has: the lines of `LANES` filters each."""
    return layer.filters // LANES * layer.size


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
    f, line = part // layer.size * LANES, part % layer.size
    length, end = layer.size * layer.channels, rows.first + rows.size
    weight, bias = to + layer.weight + line * length * layer.filters + f, to + layer.bias + f
    for i in range(length):
        store(numbers, weight + i * layer.filters, zeros())
    if line == 0:
        store(numbers, bias, zeros())
    at_once = max(1, NEAR // layer.inputs)
    for first in range(rows.first, end, at_once):
        some = Rows(rows.numbers, first, min(at_once, end - first))
        if line == 0:
            _add_deltas(numbers, layer, bias, deltas + layer.heads + f, some)
        for i in range(0, length, POSITIONS):
            _add_products(numbers, layer, weight, units, deltas + f, some, line, i)


@called_kernel
def _add_deltas(
    numbers: Float32Array, layer: Convolution, to: int, deltas: int, rows: Rows
) -> None:
    total = load(numbers, to)
    for place in range(rows.first, rows.first + rows.size):
        first = deltas + item(rows.numbers, place) * layer.outputs
        for position in range(layer.height * layer.width):
            total += load(numbers, first + position * layer.filters)
    store(numbers, to, total)


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
