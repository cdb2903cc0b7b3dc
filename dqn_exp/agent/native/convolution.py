"""Convolutions of one run in compiled code, forward and backward.

Letters besides those of the package: H, W and C are height, width and channels of the inputs, F the
filters, R the rows of a batch. Filters are vectors, so F is a multiple of `LANES`. All numbers lie
in one flat array, at the places that a `Convolution` names.
"""

from typing import Any, NamedTuple

from dqn_exp.agent.native.activations import activate
from dqn_exp.agent.native.dense import Rows
from dqn_exp.core.arrays import Float32Array
from dqn_exp.core.compile_time import Static
from dqn_exp.core.jit import called_kernel as kernel
from dqn_exp.core.jit import kernel as inlined_kernel
from dqn_exp.core.vector import LANES, broadcast, item, load, store, zeros

POSITIONS = 8
"""Patches, or weights of a patch, that are computed at once."""


class Convolution(NamedTuple):
    """A convolution, whose weights are stored as `[size, size * C, F]`.

    Attributes:
        inputs: numbers from one row of the inputs `[R, H, W, C]` to the next.
        outputs: numbers from one row of the outputs `[R, H', W', F]` to the next.
        weight: offset of the weights, relative to the parameters.
        bias: offset of the biases, relative to the parameters.
        units: offset of the inputs, relative to the units.
        heads: offset of the outputs, relative to the units.
        filters: F.
        channels: C.
        pitch: numbers from one line of an image to the next, W * C.
        size: of the filters.
        stride: between patches.
        height: H'.
        width: W'.
    """

    inputs: int
    outputs: int
    weight: int
    bias: int
    units: int
    heads: int
    filters: int
    channels: int
    pitch: int
    size: int
    stride: int
    height: int
    width: int


@kernel
def forward(
    spec: Static, numbers: Float32Array, layer: Convolution, parameters: int, units: int, rows: Rows
) -> None:
    """Computes the activated outputs of a convolution.

    Args:
        spec: has the activation of the outputs.
        numbers: all numbers.
        layer: the convolution.
        parameters: place of the parameters.
        units: place of the units.
        rows: to compute.
    """
    filters, length, last = layer.filters, layer.size * layer.channels, layer.width - 1
    step = layer.stride * layer.channels
    for place in range(rows.first, rows.first + rows.size):
        row = item(rows.numbers, place)
        image = units + layer.units + row * layer.inputs
        above = units + layer.heads + row * layer.outputs
        for y in range(layer.height):
            for x in range(0, layer.width, POSITIONS):
                # Beyond the last patch of a line, the last one is computed again.
                x1, x2, x3 = min(x + 1, last), min(x + 2, last), min(x + 3, last)
                x4, x5, x6 = min(x + 4, last), min(x + 5, last), min(x + 6, last)
                x7 = min(x + 7, last)
                for f in range(0, filters, LANES):
                    bias = load(numbers, parameters + layer.bias + f)
                    s0 = s1 = s2 = s3 = s4 = s5 = s6 = s7 = bias
                    weight = parameters + layer.weight + f
                    for line in range(layer.size):
                        first = image + (y * layer.stride + line) * layer.pitch
                        p0, p1, p2 = first + x * step, first + x1 * step, first + x2 * step
                        p3, p4, p5 = first + x3 * step, first + x4 * step, first + x5 * step
                        p6, p7 = first + x6 * step, first + x7 * step
                        for i in range(length):
                            weights = load(numbers, weight)
                            weight += filters
                            s0 += broadcast(numbers, p0 + i) * weights
                            s1 += broadcast(numbers, p1 + i) * weights
                            s2 += broadcast(numbers, p2 + i) * weights
                            s3 += broadcast(numbers, p3 + i) * weights
                            s4 += broadcast(numbers, p4 + i) * weights
                            s5 += broadcast(numbers, p5 + i) * weights
                            s6 += broadcast(numbers, p6 + i) * weights
                            s7 += broadcast(numbers, p7 + i) * weights
                    to = above + y * layer.width * filters + f
                    store(numbers, to + x * filters, activate(spec, s0))
                    store(numbers, to + x1 * filters, activate(spec, s1))
                    store(numbers, to + x2 * filters, activate(spec, s2))
                    store(numbers, to + x3 * filters, activate(spec, s3))
                    store(numbers, to + x4 * filters, activate(spec, s4))
                    store(numbers, to + x5 * filters, activate(spec, s5))
                    store(numbers, to + x6 * filters, activate(spec, s6))
                    store(numbers, to + x7 * filters, activate(spec, s7))


@kernel
def gradient(
    numbers: Float32Array, layer: Convolution, to: int, units: int, deltas: int, rows: Rows
) -> None:
    """Computes the gradient of the weights and biases of a convolution.

    Args:
        numbers: all numbers.
        layer: the convolution.
        to: place of the gradient of the parameters, written.
        units: place of the units.
        deltas: place of the gradients of the units, those of the outputs known.
        rows: that count.
    """
    length = layer.size * layer.channels
    for f in range(0, layer.filters, LANES):
        _sum_deltas(numbers, layer, to + layer.bias + f, deltas + layer.heads + f, rows)
        for line in range(layer.size):
            for i in range(0, length, POSITIONS):
                weight = to + layer.weight + line * length * layer.filters + f
                _sum_products(numbers, layer, weight, units, deltas + f, rows, line, i)


@kernel
def _sum_deltas(
    numbers: Float32Array, layer: Convolution, to: int, deltas: int, rows: Rows
) -> None:
    total = zeros()
    for place in range(rows.first, rows.first + rows.size):
        first = deltas + item(rows.numbers, place) * layer.outputs
        for position in range(layer.height * layer.width):
            total += load(numbers, first + position * layer.filters)
    store(numbers, to, total)


@kernel
def _sum_products(
    numbers: Float32Array,
    layer: Convolution,
    to: int,
    units: int,
    deltas: int,
    rows: Rows,
    line: int,
    i: int,
) -> None:
    """Writes the gradients of `POSITIONS` weights, from number `i` of a line of the filters on."""
    filters, last = layer.filters, layer.size * layer.channels - 1
    i1, i2, i3 = min(i + 1, last), min(i + 2, last), min(i + 3, last)
    i4, i5, i6, i7 = min(i + 4, last), min(i + 5, last), min(i + 6, last), min(i + 7, last)
    step = layer.stride * layer.channels
    s0 = s1 = s2 = s3 = s4 = s5 = s6 = s7 = zeros()
    for place in range(rows.first, rows.first + rows.size):
        row = item(rows.numbers, place)
        image = units + layer.units + row * layer.inputs + line * layer.pitch
        above = deltas + layer.heads + row * layer.outputs
        for y in range(layer.height):
            patch = image + y * layer.stride * layer.pitch
            for _ in range(layer.width):
                delta = load(numbers, above)
                above += filters
                s0 += broadcast(numbers, patch + i) * delta
                s1 += broadcast(numbers, patch + i1) * delta
                s2 += broadcast(numbers, patch + i2) * delta
                s3 += broadcast(numbers, patch + i3) * delta
                s4 += broadcast(numbers, patch + i4) * delta
                s5 += broadcast(numbers, patch + i5) * delta
                s6 += broadcast(numbers, patch + i6) * delta
                s7 += broadcast(numbers, patch + i7) * delta
                patch += step
    store(numbers, to + i * filters, s0)
    store(numbers, to + i1 * filters, s1)
    store(numbers, to + i2 * filters, s2)
    store(numbers, to + i3 * filters, s3)
    store(numbers, to + i4 * filters, s4)
    store(numbers, to + i5 * filters, s5)
    store(numbers, to + i6 * filters, s6)
    store(numbers, to + i7 * filters, s7)


@kernel
def input_deltas(
    numbers: Float32Array,
    layer: Convolution,
    parameters: int,
    deltas: int,
    rows: Rows,
    transposed: int,
) -> None:
    """Computes the gradients of a convolution's inputs, whose channels are a multiple of `LANES`.

    Args:
        numbers: all numbers.
        layer: the convolution.
        parameters: place of the parameters.
        deltas: place of the gradients of the units, those of the outputs known.
        rows: to compute.
        transposed: place for the weights as `[size, size, F, C]`, written.
    """
    _transpose(numbers, layer, parameters, transposed)
    for place in range(rows.first, rows.first + rows.size):
        row = item(rows.numbers, place)
        below = deltas + layer.units + row * layer.inputs
        above = deltas + layer.heads + row * layer.outputs
        for i in range(below, below + layer.inputs, LANES):
            store(numbers, i, zeros())
        for y in range(layer.height):
            for x in range(0, layer.width, POSITIONS):
                _spread_deltas(numbers, layer, transposed, below, above, y, x)


@kernel
def _transpose(numbers: Float32Array, layer: Convolution, parameters: int, to: int) -> None:
    channels, filters = layer.channels, layer.filters
    weight = parameters + layer.weight
    for place in range(layer.size * layer.size):
        first = place * channels * filters
        for channel in range(channels):
            for f in range(filters):
                numbers[to + first + f * channels + channel] = numbers[
                    weight + first + channel * filters + f
                ]


@inlined_kernel
def _add(numbers: Float32Array, place: int, vector: Any, index: int, count: int) -> None:
    if index < count:
        store(numbers, place, load(numbers, place) + vector)


@kernel
def _spread_deltas(
    numbers: Float32Array,
    layer: Convolution,
    transposed: int,
    below: int,
    above: int,
    y: int,
    x: int,
) -> None:
    """Adds what `POSITIONS` outputs, from `x` on in line `y`, contribute to the inputs' deltas."""
    filters, channels, last = layer.filters, layer.channels, layer.width - 1
    head = above + y * layer.width * filters
    h0, h1 = head + x * filters, head + min(x + 1, last) * filters
    h2, h3 = head + min(x + 2, last) * filters, head + min(x + 3, last) * filters
    h4, h5 = head + min(x + 4, last) * filters, head + min(x + 5, last) * filters
    h6, h7 = head + min(x + 6, last) * filters, head + min(x + 7, last) * filters
    count, step = min(POSITIONS, layer.width - x), layer.stride * channels
    for place in range(layer.size * layer.size):
        line, column = place // layer.size, place % layer.size
        corner = below + (y * layer.stride + line) * layer.pitch
        corner += (x * layer.stride + column) * channels
        for c in range(0, channels, LANES):
            s0 = s1 = s2 = s3 = s4 = s5 = s6 = s7 = zeros()
            weight = transposed + place * filters * channels + c
            for f in range(filters):
                weights = load(numbers, weight)
                weight += channels
                s0 += broadcast(numbers, h0 + f) * weights
                s1 += broadcast(numbers, h1 + f) * weights
                s2 += broadcast(numbers, h2 + f) * weights
                s3 += broadcast(numbers, h3 + f) * weights
                s4 += broadcast(numbers, h4 + f) * weights
                s5 += broadcast(numbers, h5 + f) * weights
                s6 += broadcast(numbers, h6 + f) * weights
                s7 += broadcast(numbers, h7 + f) * weights
            to = corner + c
            _add(numbers, to, s0, 0, count)
            _add(numbers, to + step, s1, 1, count)
            _add(numbers, to + 2 * step, s2, 2, count)
            _add(numbers, to + 3 * step, s3, 3, count)
            _add(numbers, to + 4 * step, s4, 4, count)
            _add(numbers, to + 5 * step, s5, 5, count)
            _add(numbers, to + 6 * step, s6, 6, count)
            _add(numbers, to + 7 * step, s7, 7, count)
