"""The memory of one thread: parameters, units and gradients of the run that it computes.

All numbers lie in one flat, aligned array, which fits into the caches for small networks. The
parameters of a run are packed into it before the run is computed, and unpacked afterwards.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from dqn_exp.agent.native.dense import COLUMNS, ROWS, Layer
from dqn_exp.core.arrays import Float32Array, IntArray, UInt32Array
from dqn_exp.core.jit import called_kernel, kernel
from dqn_exp.core.vector import LANES, aligned_zeros, pad, store, zeros
from dqn_exp.network.layers import Linear

NARROW = 8
"""Outputs below which a last layer is narrow."""

INPUTS, OUTPUTS, WEIGHT, BIAS, UNITS, HEADS, IS_NARROW, FLAT, TRUE_INPUTS, TRUE_OUTPUTS = range(10)
"""Columns of the table of layers: the fields of `Layer`, and what tells where a layer lies in the
parameters `[P]` of a run, and its size there."""


class Memory(NamedTuple):
    """Memory of one thread, with the places of its parts in `numbers`.

    Attributes:
        numbers: everything.
        leaves: `[B]` rows of a batch in the storage of the replay buffers.
        chosen: `[B]` actions to bootstrap from.
        random: `[B]` random numbers.
        noise_random: random numbers of the noise.
        priorities: `[B]` new priorities of the batch.
        layers: `[L, 10]` table of the layers, see `INPUTS`.
        num_parameters: packed, without the scales of noise.
        num_trained: packed, with the scales of noise.
        num_outputs: K per action.
        rows: R, rows of the units.
        online: place of the online parameters, as they are trained.
        target: of the parameters of the target network.
        first: of the optimizer's first moments.
        second: of the optimizer's second moments.
        gradient: of the gradient of the parameters.
        units: of the units.
        deltas: of the gradients of the units.
        outputs: of the outputs `[R, stride]` for all actions.
        stride: numbers in a row of the outputs.
        wanted: of the targets of a batch, a row of K numbers per transition.
        slopes: of the derivatives of the loss, a row of K numbers per transition.
        factors: of the importance weights of a batch.
        noise: of the noise of the weights that learn.
        acting: of the noisy weights that act.
        learning: of the noisy weights that learn.
        bootstrapping: of the noisy weights of the target network.
        choosing: of the noisy weights that choose the action to bootstrap from.
        noise_factors: of the factors of the noise.
        shifts: of the means of the observations.
        scales: of the inverse standard deviations of the observations.
        support: of the atoms of a categorical value.
        scratch: of K numbers, padded.
        mask: of K ones, padded with zeros.
        bonuses: of what is added to the rewards of a batch.
    """

    numbers: Float32Array
    leaves: IntArray
    chosen: IntArray
    random: UInt32Array
    noise_random: UInt32Array
    priorities: Float32Array
    layers: IntArray
    num_parameters: int
    num_trained: int
    num_outputs: int
    rows: int
    online: int
    target: int
    first: int
    second: int
    gradient: int
    units: int
    deltas: int
    outputs: int
    stride: int
    wanted: int
    slopes: int
    factors: int
    noise: int
    acting: int
    learning: int
    bootstrapping: int
    choosing: int
    noise_factors: int
    shifts: int
    scales: int
    support: int
    scratch: int
    mask: int
    bonuses: int


def make_memory(
    layers: Sequence[Linear],
    *,
    num_outputs: int,
    is_dueling: bool,
    num_rows: int,
    batch_size: int,
    num_copies: int,
) -> Memory:
    """Allocates the memory of a thread.

    Args:
        layers: of the network.
        num_outputs: K per action.
        is_dueling: whether the last layer has a head for the value, too.
        num_rows: observations that are computed at once, at least the batch size.
        batch_size: B.
        num_copies: 1, or 2 where each parameter has a scale of its noise.
    """
    rows = pad(num_rows, ROWS)
    table, num_parameters, num_units = _make_table(layers, rows)
    num_trained = num_copies * num_parameters
    num_heads = layers[-1].outputs
    num_noise = sum(layer.num_noise for layer in layers)
    stride = num_heads - num_outputs if is_dueling else int(table[-1, OUTPUTS])
    sizes = {
        **dict.fromkeys(("online", "target", "first", "second", "gradient"), num_trained),
        **dict.fromkeys(("units", "deltas"), num_units),
        "outputs": rows * stride if is_dueling else 0,
        **dict.fromkeys(("wanted", "slopes"), batch_size * num_outputs),
        **dict.fromkeys(("factors", "bonuses"), batch_size),
        **dict.fromkeys(
            ("noise", "acting", "learning", "bootstrapping", "choosing"),
            num_parameters if num_copies > 1 else 0,
        ),
        "noise_factors": num_noise + 2,
        **dict.fromkeys(("shifts", "scales"), layers[0].inputs),
        **dict.fromkeys(("support", "scratch", "mask"), num_outputs),
    }
    places, end = {}, 0
    for name, size in sizes.items():
        places[name], end = end, end + pad(size)
    if not is_dueling:
        places["outputs"] = places["units"] + int(table[-1, HEADS])
    numbers = aligned_zeros(end)
    for name, size in (("factors", batch_size), ("mask", num_outputs)):
        numbers[places[name] : places[name] + size] = 1.0
    return Memory(
        numbers=numbers,
        leaves=np.zeros(batch_size, dtype=np.int64),
        chosen=np.zeros(batch_size, dtype=np.int64),
        random=np.zeros(batch_size, dtype=np.uint32),
        noise_random=np.zeros(num_noise + 2, dtype=np.uint32),
        priorities=np.zeros(batch_size, dtype=np.float32),
        layers=table,
        num_parameters=num_parameters,
        num_trained=num_trained,
        num_outputs=num_outputs,
        rows=rows,
        stride=stride,
        **places,
    )


def is_narrow_layer(layers: Sequence[Linear], layer: Linear) -> bool:
    """Returns whether a layer is narrow, see `dense.Layer`."""
    return len(layers) > 1 and layer is layers[-1] and layer.outputs < NARROW


def _make_table(layers: Sequence[Linear], rows: int) -> tuple[IntArray, int, int]:
    """Returns the table of layers, and the numbers of packed parameters and of units."""
    table, parameters, flat = [], 0, 0
    inputs, units = layers[0].inputs, 0
    for layer in layers:
        is_narrow = is_narrow_layer(layers, layer)
        outputs = layer.outputs if is_narrow else pad(layer.outputs, COLUMNS)
        bias, heads = parameters + pad(inputs * outputs), units + pad(rows * inputs)
        table.append(
            (
                *(inputs, outputs, parameters, bias, units, heads, is_narrow),
                *(flat, layer.inputs, layer.outputs),
            )
        )
        parameters, flat = bias + pad(outputs), flat + layer.inputs * layer.outputs + layer.outputs
        inputs, units = outputs, heads
    return np.array(table, dtype=np.int64), parameters, units + pad(rows * inputs)


@kernel
def layer_of(memory: Memory, index: int) -> Layer:
    """Returns a layer of the network."""
    row = memory.layers[index]
    return Layer(row[0], row[1], row[2], row[3], row[4], row[5], row[6] > 0)


@called_kernel
def pack(memory: Memory, packed: int, flat: Float32Array, first: int) -> None:
    """Copies parameters `[P]` from `first` on in a flat array to the memory."""
    # Padding too: it may hold what a run that diverges has left.
    for i in range(packed, packed + memory.num_parameters, LANES):
        store(memory.numbers, i, zeros())
    for index in range(len(memory.layers)):
        row = memory.layers[index]
        place = first + row[FLAT]
        outputs = row[TRUE_OUTPUTS]
        for i in range(row[TRUE_INPUTS]):
            start, stride = first_weights(row, i)
            for o in range(outputs):
                memory.numbers[packed + start + o * stride] = flat[place + o]
            place += outputs
        for o in range(outputs):
            memory.numbers[packed + row[BIAS] + o] = flat[place + o]


@called_kernel
def unpack(memory: Memory, packed: int, flat: Float32Array, first: int) -> None:
    """Copies parameters from the memory back, as `pack` has taken them."""
    for index in range(len(memory.layers)):
        row = memory.layers[index]
        place = first + row[FLAT]
        outputs = row[TRUE_OUTPUTS]
        for i in range(row[TRUE_INPUTS]):
            start, stride = first_weights(row, i)
            for o in range(outputs):
                flat[place + o] = memory.numbers[packed + start + o * stride]
            place += outputs
        for o in range(outputs):
            flat[place + o] = memory.numbers[packed + row[BIAS] + o]


@kernel
def size_of(memory: Memory) -> int:
    """Returns the number of weights and biases (P, without the scales of noise)."""
    last = memory.layers[len(memory.layers) - 1]
    size: int = last[FLAT] + last[TRUE_INPUTS] * last[TRUE_OUTPUTS] + last[TRUE_OUTPUTS]
    return size


@kernel
def first_weights(row: IntArray, i: int) -> tuple[int, int]:
    """Returns the place of the first weight of an input, and the distance to the next one."""
    if row[IS_NARROW]:
        return row[WEIGHT] + i, row[INPUTS]
    return row[WEIGHT] + i * row[OUTPUTS], 1
