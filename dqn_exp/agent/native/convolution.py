"""Convolutions of one run in compiled code: outputs, and gradients of the inputs.

Letters besides those of the package: H, W and C are height, width and channels of the inputs, F the
filters, R the rows of a batch. Filters are vectors, so F is a multiple of `LANES`. All numbers lie
in one flat array, at the places that a `Convolution` names.
"""

from typing import Any, NamedTuple

from dqn_exp.agent.native.activations import activate
from dqn_exp.agent.native.dense import COLUMNS, Rows
from dqn_exp.core.arrays import Float32Array
from dqn_exp.core.compile_time import Static
from dqn_exp.core.jit import called_kernel, kernel
from dqn_exp.core.vector import LANES, broadcast, item, load, store, zeros

POSITIONS = 8
"""Patches, or weights of a patch, that are computed at once."""

WIDE_POSITIONS = 4
"""As `POSITIONS`, where `COLUMNS` filters are computed at once instead of `LANES`."""


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


@called_kernel
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
    for place in range(rows.first, rows.first + rows.size):
        row = item(rows.numbers, place)
        image = units + layer.units + row * layer.inputs
        above = units + layer.heads + row * layer.outputs
        width = filters_at_once(layer)
        for f in range(0, layer.filters, width):
            if width == COLUMNS:
                _filter_wide(spec, numbers, layer, parameters, image, above, f)
            else:
                _filter_narrow(spec, numbers, layer, parameters, image, above, f)


@kernel
def filters_at_once(layer: Convolution) -> int:
    """Returns `COLUMNS` if F is a multiple, so that fewer numbers are read, else `LANES`."""
    return COLUMNS if layer.filters % COLUMNS == 0 else LANES


@called_kernel
def _filter_wide(
    spec: Static,
    numbers: Float32Array,
    layer: Convolution,
    parameters: int,
    image: int,
    above: int,
    f: int,
) -> None:
    """Computes the outputs of `COLUMNS` filters, from `f` on, for an image."""
    filters, last = layer.filters, layer.height * layer.width - 1
    length, to = layer.size * layer.channels, above + f
    bias = parameters + layer.bias + f
    bias0, bias1 = load(numbers, bias), load(numbers, bias + LANES)
    for n0 in range(0, last + 1, WIDE_POSITIONS):
        # Beyond the last patch, the last one is computed again.
        n1, n2, n3 = min(n0 + 1, last), min(n0 + 2, last), min(n0 + 3, last)
        a, b = image + _patch(layer, n0), image + _patch(layer, n1)
        c, d = image + _patch(layer, n2), image + _patch(layer, n3)
        a0 = b0 = c0 = d0 = bias0
        a1 = b1 = c1 = d1 = bias1
        weight = parameters + layer.weight + f
        for line in range(0, layer.size * layer.pitch, layer.pitch):
            for i in range(line, line + length):
                weight0, weight1 = load(numbers, weight), load(numbers, weight + LANES)
                weight += filters
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
        store(numbers, to + n0 * filters, activate(spec, a0))
        store(numbers, to + n0 * filters + LANES, activate(spec, a1))
        store(numbers, to + n1 * filters, activate(spec, b0))
        store(numbers, to + n1 * filters + LANES, activate(spec, b1))
        store(numbers, to + n2 * filters, activate(spec, c0))
        store(numbers, to + n2 * filters + LANES, activate(spec, c1))
        store(numbers, to + n3 * filters, activate(spec, d0))
        store(numbers, to + n3 * filters + LANES, activate(spec, d1))


@called_kernel
def _filter_narrow(
    spec: Static,
    numbers: Float32Array,
    layer: Convolution,
    parameters: int,
    image: int,
    above: int,
    f: int,
) -> None:
    """Computes the outputs of `LANES` filters, from `f` on, for an image."""
    filters, last = layer.filters, layer.height * layer.width - 1
    length, to = layer.size * layer.channels, above + f
    bias = load(numbers, parameters + layer.bias + f)
    for n0 in range(0, last + 1, POSITIONS):
        n1, n2, n3 = min(n0 + 1, last), min(n0 + 2, last), min(n0 + 3, last)
        n4, n5, n6, n7 = min(n0 + 4, last), min(n0 + 5, last), min(n0 + 6, last), min(n0 + 7, last)
        p0, p1 = image + _patch(layer, n0), image + _patch(layer, n1)
        p2, p3 = image + _patch(layer, n2), image + _patch(layer, n3)
        p4, p5 = image + _patch(layer, n4), image + _patch(layer, n5)
        p6, p7 = image + _patch(layer, n6), image + _patch(layer, n7)
        s0 = s1 = s2 = s3 = s4 = s5 = s6 = s7 = bias
        weight = parameters + layer.weight + f
        for line in range(0, layer.size * layer.pitch, layer.pitch):
            for i in range(line, line + length):
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
        store(numbers, to + n0 * filters, activate(spec, s0))
        store(numbers, to + n1 * filters, activate(spec, s1))
        store(numbers, to + n2 * filters, activate(spec, s2))
        store(numbers, to + n3 * filters, activate(spec, s3))
        store(numbers, to + n4 * filters, activate(spec, s4))
        store(numbers, to + n5 * filters, activate(spec, s5))
        store(numbers, to + n6 * filters, activate(spec, s6))
        store(numbers, to + n7 * filters, activate(spec, s7))


@kernel
def _patch(layer: Convolution, position: int) -> int:
    """Returns where the patch of an output begins in its image; outputs are numbered by lines."""
    y, x = position // layer.width, position % layer.width
    return layer.stride * (y * layer.pitch + x * layer.channels)


@kernel
def put(numbers: Float32Array, place: int, vector: Any, index: int, count: int) -> None:
    """Stores a vector whose index is below a count."""
    if index < count:
        store(numbers, place, vector)


@called_kernel
def input_deltas(
    numbers: Float32Array, layer: Convolution, deltas: int, rows: Rows, transposed: int
) -> None:
    """Computes the gradients of a convolution's inputs, whose channels are a multiple of `LANES`.

    Args:
        numbers: all numbers.
        layer: the convolution.
        deltas: place of the gradients of the units, those of the outputs known.
        rows: to compute.
        transposed: place of what `transpose` has written.
    """
    for place in range(rows.first, rows.first + rows.size):
        row = item(rows.numbers, place)
        below = deltas + layer.units + row * layer.inputs
        above = deltas + layer.heads + row * layer.outputs
        for i in range(below, below + layer.inputs, LANES):
            store(numbers, i, zeros())
        for first in range(0, layer.height * layer.width, POSITIONS):
            _spread_deltas(numbers, layer, transposed, below, above, first)


@called_kernel
def transpose(numbers: Float32Array, layer: Convolution, parameters: int, to: int) -> None:
    """Writes the weights as `[size, size, F, C]`."""
    channels, filters = layer.channels, layer.filters
    weight = parameters + layer.weight
    for place in range(layer.size * layer.size):
        first = place * channels * filters
        for channel in range(channels):
            for f in range(filters):
                numbers[to + first + f * channels + channel] = numbers[
                    weight + first + channel * filters + f
                ]


@called_kernel
def _spread_deltas(
    numbers: Float32Array, layer: Convolution, transposed: int, below: int, above: int, n0: int
) -> None:
    """Adds what `POSITIONS` outputs, from `n0` on, contribute to the inputs' deltas."""
    filters, channels, last = layer.filters, layer.channels, layer.height * layer.width - 1
    n1, n2, n3 = min(n0 + 1, last), min(n0 + 2, last), min(n0 + 3, last)
    n4, n5, n6, n7 = min(n0 + 4, last), min(n0 + 5, last), min(n0 + 6, last), min(n0 + 7, last)
    h0, h1 = above + n0 * filters, above + n1 * filters
    h2, h3 = above + n2 * filters, above + n3 * filters
    h4, h5 = above + n4 * filters, above + n5 * filters
    h6, h7 = above + n6 * filters, above + n7 * filters
    p0, p1 = below + _patch(layer, n0), below + _patch(layer, n1)
    p2, p3 = below + _patch(layer, n2), below + _patch(layer, n3)
    p4, p5 = below + _patch(layer, n4), below + _patch(layer, n5)
    p6, p7 = below + _patch(layer, n6), below + _patch(layer, n7)
    count = last + 1 - n0
    for place in range(layer.size * layer.size):
        corner = place // layer.size * layer.pitch + place % layer.size * channels
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
            put(numbers, p0 + to, load(numbers, p0 + to) + s0, 0, count)
            put(numbers, p1 + to, load(numbers, p1 + to) + s1, 1, count)
            put(numbers, p2 + to, load(numbers, p2 + to) + s2, 2, count)
            put(numbers, p3 + to, load(numbers, p3 + to) + s3, 3, count)
            put(numbers, p4 + to, load(numbers, p4 + to) + s4, 4, count)
            put(numbers, p5 + to, load(numbers, p5 + to) + s5, 5, count)
            put(numbers, p6 + to, load(numbers, p6 + to) + s6, 6, count)
            put(numbers, p7 + to, load(numbers, p7 + to) + s7, 7, count)
