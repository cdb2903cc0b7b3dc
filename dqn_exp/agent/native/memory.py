"""The memory of one thread: parameters, units and gradients of the run that it computes.

All numbers lie in one flat, aligned array, which fits into the caches for small networks. The
parameters of a run are packed into it before the run is computed, and unpacked afterwards.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

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


PLACES = np.dtype(
    [
        (name, "i8")
        for name in (
            *("num_parameters", "num_trained", "num_outputs", "num_noise", "rows", "stride"),
            *("online", "target", "first", "second", "gradient"),
            *("units", "deltas", "outputs", "wanted", "slopes", "factors", "priorities"),
            *("noise", "acting", "learning", "bootstrapping", "choosing", "noise_factors"),
            *("shifts", "scales", "support", "scratch", "mask", "bonuses"),
        )
    ]
)
"""Sizes, and places in the numbers of a `Memory`:

- `num_parameters`: packed parameters, without the scales of noise
- `num_trained`: packed parameters, with the scales of noise
- `num_outputs`: K per action
- `num_noise`: factors of the noise of all weights
- `rows`: R, rows of the units
- `stride`: numbers in a row of the outputs
- `online`, `target`: parameters of the online and the target network
- `first`, `second`: the optimizer's moments
- `gradient`: of the online parameters
- `units`, `deltas`: units of all layers, and their gradients
- `outputs`: outputs `[R, stride]` for all actions
- `wanted`, `slopes`: targets of a batch, and derivatives of its loss, K numbers per transition
- `factors`, `priorities`: importance weights and new priorities of a batch
- `noise`: noise of the weights that learn
- `acting`, `learning`, `bootstrapping`, `choosing`: noisy weights in their roles
- `noise_factors`: factors of the noise
- `shifts`, `scales`: means and inverse standard deviations of the observations
- `support`: atoms of a categorical value
- `scratch`, `mask`: K numbers, and K ones; both padded with zeros
- `bonuses`: what is added to the rewards of a batch
"""


class Memory(NamedTuple):
    """Memory of one thread.

    Attributes:
        numbers: all numbers.
        leaves: `[B]` rows of a batch in the storage of the replay buffers.
        chosen: `[B]` actions to bootstrap from.
        random: random numbers of a batch, or of noise.
        layers: `[L, 10]` table of the layers, see `INPUTS`.
        at: record of `PLACES`.
    """

    numbers: Float32Array
    leaves: IntArray
    chosen: IntArray
    random: UInt32Array
    layers: IntArray
    at: Any


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
    num_noise, num_heads = sum(layer.num_noise for layer in layers), layers[-1].outputs
    known = {
        "num_parameters": num_parameters,
        "num_trained": num_copies * num_parameters,
        "num_outputs": num_outputs,
        "num_noise": num_noise,
        "rows": rows,
        "stride": num_heads - num_outputs if is_dueling else int(table[-1, OUTPUTS]),
    }
    sizes = {
        **dict.fromkeys(("units", "deltas"), num_units),
        "outputs": rows * known["stride"] if is_dueling else 0,
        **dict.fromkeys(("shifts", "scales"), layers[0].inputs),
    }
    places, end = _lay_out(sizes | _sizes_of_parameters(known) | _sizes_of_batch(known, batch_size))
    if not is_dueling:
        places["outputs"] = places["units"] + int(table[-1, HEADS])
    numbers, at = aligned_zeros(end), np.zeros(1, dtype=PLACES).view(np.recarray)
    for name, size in (("factors", batch_size), ("mask", num_outputs)):
        numbers[places[name] : places[name] + size] = 1.0
    for name, value in (known | places).items():
        at[name] = value
    return Memory(
        numbers=numbers,
        leaves=np.zeros(batch_size, dtype=np.int64),
        chosen=np.zeros(batch_size, dtype=np.int64),
        random=np.zeros(max(batch_size, num_noise + 2), dtype=np.uint32),
        layers=table,
        at=at[0],
    )


def _lay_out(sizes: Mapping[str, int]) -> tuple[dict[str, int], int]:
    """Returns the aligned places of parts of given sizes, one after the other, and their end."""
    places, end = {}, 0
    for name, size in sizes.items():
        places[name], end = end, end + pad(size)
    return places, end


def _sizes_of_parameters(known: Mapping[str, int]) -> dict[str, int]:
    """Returns the sizes of the parameters, and of what has as many numbers."""
    is_noisy = known["num_trained"] > known["num_parameters"]
    roles = ("noise", "acting", "learning", "bootstrapping", "choosing")
    trained = ("online", "target", "first", "second", "gradient")
    return {
        **dict.fromkeys(trained, known["num_trained"]),
        **dict.fromkeys(roles, known["num_parameters"] if is_noisy else 0),
        "noise_factors": known["num_noise"] + 2,
    }


def _sizes_of_batch(known: Mapping[str, int], batch_size: int) -> dict[str, int]:
    """Returns the sizes of what a batch needs."""
    return {
        **dict.fromkeys(("wanted", "slopes"), batch_size * known["num_outputs"]),
        **dict.fromkeys(("factors", "priorities", "bonuses"), batch_size),
        **dict.fromkeys(("support", "scratch", "mask"), known["num_outputs"]),
    }


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
    for i in range(packed, packed + memory.at.num_parameters, LANES):
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
def pack_all(memory: Memory, packed: int, flat: Float32Array, first: int) -> None:
    """Packs the weights and biases of a run and, if they are noisy, the scales of their noise."""
    for copy in range(memory.at.num_trained // memory.at.num_parameters):
        place = packed + copy * memory.at.num_parameters
        pack(memory, place, flat, first + copy * size_of(memory))


@kernel
def unpack_all(memory: Memory, packed: int, flat: Float32Array, first: int) -> None:
    """Unpacks what `pack_all` has packed."""
    for copy in range(memory.at.num_trained // memory.at.num_parameters):
        place = packed + copy * memory.at.num_parameters
        unpack(memory, place, flat, first + copy * size_of(memory))


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
