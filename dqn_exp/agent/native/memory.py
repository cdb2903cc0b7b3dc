"""The memory of one thread: parameters, units and gradients of the run that it computes.

All numbers lie in one flat, aligned array, which fits into the caches for small networks. The
parameters of a run are packed into it before the run is computed, and unpacked afterwards.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from dqn_exp.agent.native.dense import COLUMNS, ROWS, Layer, Rows
from dqn_exp.agent.native.scalar_heads import Heads
from dqn_exp.core.arrays import Float32Array, IntArray, UInt32Array
from dqn_exp.core.jit import called_kernel, kernel
from dqn_exp.core.vector import LANES, aligned_zeros, item, pad
from dqn_exp.network.layers import Linear

INPUTS, OUTPUTS, WEIGHT, BIAS, UNITS, HEADS, COUNT, WIDTH, FLAT, TRUE_INPUTS, TRUE_OUTPUTS = range(
    11
)
"""Columns of the table of layers: the fields of `Layer`, then what tells where a layer lies in the
parameters `[P]` of a run. The outputs of a layer are divided into heads, each with an equal part
(`WIDTH`) of them, which is padded to `OUTPUTS`. The last layer has a head for each action."""


PLACES = np.dtype(
    [
        (name, "i8")
        for name in (
            *("num_parameters", "num_trained", "num_layers", "num_outputs", "width", "num_noise"),
            *("num_actions", "rows"),
            *("online", "target", "first", "second", "gradient"),
            *("units", "deltas", "outputs", "wanted", "factors", "priorities"),
            *("rewards", "discounts", "bonuses"),
            *("noise", "acting", "learning", "bootstrapping", "choosing"),
            *("noise_factors", "input_factors", "output_factors"),
            *("shifts", "scales", "support", "scratch", "positions", "mask"),
        )
    ]
)
"""Sizes, and places in the numbers of a `Memory`:

- `num_parameters`: packed parameters, without the scales of noise
- `num_trained`: packed parameters, with the scales of noise
- `num_layers`: trained layers; heads that are made of the last one are no layer
- `num_outputs`: K per action
- `width`: K, padded
- `num_noise`: factors of the noise of all weights
- `num_actions`: A
- `rows`: R, rows of the units
- `online`, `target`: parameters of the online and the target network
- `first`, `second`: the optimizer's moments
- `gradient`: of the online parameters
- `units`, `deltas`: units of all layers, and their gradients
- `outputs`: outputs `[A, R, width]`, a part of the units
- `wanted`: targets of a batch, `[R, width]`
- `factors`, `priorities`: importance weights and new priorities of a batch
- `rewards`, `discounts`: of a batch
- `bonuses`: what is added to the rewards of a batch
- `noise`: noise of the weights that learn
- `acting`, `learning`, `bootstrapping`, `choosing`: noisy weights in their roles
- `noise_factors`: factors of the noise
- `input_factors`, `output_factors`: those of one layer
- `shifts`, `scales`: means and inverse standard deviations of the observations
- `support`: atoms of a categorical value
- `scratch`, `positions`, `mask`: K numbers, twice, and K ones; all padded with zeros
"""


class Memory(NamedTuple):
    """Memory of one thread.

    Attributes:
        numbers: all numbers.
        leaves: `[B]` rows of a batch in the storage of the replay buffers.
        actions: `[R]` actions taken.
        chosen: `[R]` actions to bootstrap from.
        everyone: rows in their order.
        order: rows by action.
        groups: `[A, 2]` places of the first row of each action in the order, and of its end.
        random: random numbers of a batch, or of noise.
        layers: `[L, 11]` table of the layers, see `INPUTS`.
        at: record of `PLACES`.
    """

    numbers: Float32Array
    leaves: IntArray
    actions: IntArray
    chosen: IntArray
    everyone: IntArray
    order: IntArray
    groups: IntArray
    random: UInt32Array
    layers: IntArray
    at: Any


def make_memory(
    layers: Sequence[Linear],
    *,
    num_outputs: int | None,
    is_dueling: bool,
    num_rows: int,
    batch_size: int,
    num_copies: int,
) -> Memory:
    """Allocates the memory of a thread.

    Args:
        layers: of the network.
        num_outputs: K per action; None where values are scalar.
        is_dueling: whether the last layer has a head for the value, too.
        num_rows: observations that are computed at once, at least the batch size.
        batch_size: B.
        num_copies: 1, or 2 where each parameter has a scale of its noise.
    """
    rows = pad(num_rows)
    table, num_parameters, num_units = _make_table(layers, rows, num_outputs)
    num_trained, num_folded, num_layers = num_copies * num_parameters, 0, len(table)
    if is_dueling:
        folded, num_folded = _fold(table[-1], num_trained)
        table.append(folded)
    last = table[-1]
    known = {
        "num_parameters": num_parameters,
        "num_trained": num_trained,
        "num_layers": num_layers,
        "num_outputs": num_outputs or 1,
        "width": last[OUTPUTS],
        "num_noise": sum(layer.num_noise for layer in layers),
        "num_actions": last[COUNT],
        "rows": rows,
    }
    sizes = {
        **dict.fromkeys(("units", "deltas"), num_units),
        **dict.fromkeys(("shifts", "scales"), table[0][INPUTS]),
    }
    places, end = _lay_out(
        sizes
        | _sizes_of_parameters(known, num_folded)
        | _sizes_of_batch(known)
        | _sizes_of_noise(known, table)
    )
    places["outputs"] = places["units"] + last[HEADS]
    numbers, at = aligned_zeros(end), np.zeros(1, dtype=PLACES).view(np.recarray)
    for name, size in (("factors", batch_size), ("mask", known["num_outputs"])):
        numbers[places[name] : places[name] + size] = 1.0
    for name, value in (known | places).items():
        at[name] = value
    return Memory(
        numbers=numbers,
        leaves=np.zeros(batch_size, dtype=np.int64),
        actions=np.zeros(rows, dtype=np.int64),
        chosen=np.zeros(rows, dtype=np.int64),
        everyone=np.arange(rows),
        order=np.zeros(rows + ROWS * last[COUNT], dtype=np.int64),
        groups=np.zeros((last[COUNT], 2), dtype=np.int64),
        random=np.zeros(max(batch_size, pad(known["num_noise"] + 2, 2 * LANES)), dtype=np.uint32),
        layers=np.array(table, dtype=np.int64),
        at=at[0],
    )


def _lay_out(sizes: Mapping[str, int]) -> tuple[dict[str, int], int]:
    """Returns the aligned places of parts of given sizes, one after the other, and their end."""
    places, end = {}, 0
    for name, size in sizes.items():
        places[name], end = end, end + pad(size)
    return places, end


def _sizes_of_parameters(known: Mapping[str, int], num_folded: int) -> dict[str, int]:
    """Returns the sizes of the parameters, and of what has as many numbers."""
    size = known["num_trained"] + num_folded
    is_noisy = known["num_trained"] > known["num_parameters"]
    roles = ("acting", "learning", "bootstrapping", "choosing")
    return {
        **dict.fromkeys(("online", "target", "gradient"), size),
        **dict.fromkeys(("first", "second"), known["num_trained"]),
        **dict.fromkeys(roles, size if is_noisy else 0),
        "noise": known["num_parameters"] if is_noisy else 0,
    }


def _sizes_of_batch(known: Mapping[str, int]) -> dict[str, int]:
    """Returns the sizes of what a batch needs."""
    rows = known["rows"]
    return {
        "wanted": rows * known["width"],
        **dict.fromkeys(("factors", "priorities", "rewards", "discounts", "bonuses"), rows),
        **dict.fromkeys(("support", "scratch", "positions", "mask"), known["width"]),
    }


def _sizes_of_noise(known: Mapping[str, int], table: Sequence[Sequence[int]]) -> dict[str, int]:
    """Returns the sizes of the factors of the noise."""
    return {
        "noise_factors": pad(known["num_noise"] + 2, 2 * LANES),
        "input_factors": max(row[INPUTS] for row in table),
        "output_factors": max(row[COUNT] * row[OUTPUTS] for row in table),
    }


def _make_table(
    layers: Sequence[Linear], rows: int, num_outputs: int | None
) -> tuple[list[list[int]], int, int]:
    """Returns the table of layers, and the numbers of packed parameters and of units."""
    table: list[list[int]] = []
    parameters = flat = units = 0
    inputs = layers[0].inputs
    for layer in layers:
        width, is_last = layer.outputs, layer is layers[-1]
        if is_last:
            width = num_outputs or 1
        if is_last and num_outputs is None:
            inputs, outputs = pad(inputs, COLUMNS), 1
        else:
            outputs = pad(width, COLUMNS)
        count = layer.outputs // width
        bias = parameters + pad(count * inputs * outputs)
        heads = units + pad(rows * inputs)
        table.append(
            [
                *(inputs, outputs, parameters, bias, units, heads, count, width),
                *(flat, layer.inputs, layer.outputs),
            ]
        )
        parameters, flat = bias + pad(count * outputs), flat + (layer.inputs + 1) * layer.outputs
        inputs, units = outputs, heads
    last = table[-1]
    return table, parameters, units + pad(rows * last[COUNT] * last[OUTPUTS])


def _fold(last: Sequence[int], weight: int) -> tuple[list[int], int]:
    """Returns the layer with a head for each action that is made of dueling heads, and its size."""
    folded = list(last)
    folded[COUNT] -= 1
    folded[WEIGHT] = weight
    folded[BIAS] = weight + folded[COUNT] * folded[INPUTS] * folded[OUTPUTS]
    return folded, folded[BIAS] + pad(folded[COUNT] * folded[OUTPUTS]) - weight


@kernel
def layer_of(memory: Memory, index: int, head: int) -> Layer:
    """Returns one head of a layer as a layer; hidden layers have one head."""
    row = memory.layers[index]
    inputs, outputs = row[INPUTS], row[OUTPUTS]
    return Layer(
        inputs,
        outputs,
        row[WEIGHT] + head * inputs * outputs,
        row[BIAS] + head * outputs,
        row[UNITS],
        row[HEADS] + head * memory.at.rows * outputs,
    )


@kernel
def scalar_heads_of(memory: Memory) -> Heads:
    """Returns the heads of scalar values."""
    row = memory.layers[len(memory.layers) - 1]
    return Heads(
        row[INPUTS], row[COUNT], row[WEIGHT], row[BIAS], row[UNITS], row[HEADS], memory.at.rows
    )


@kernel
def output_of(memory: Memory, row: int, action: int) -> int:
    """Returns the place of the outputs of an action in a row."""
    place: int = memory.at.outputs + (action * memory.at.rows + row) * memory.at.width
    return place


@kernel
def all_rows(memory: Memory, count: int) -> Rows:
    """Returns the first rows."""
    return Rows(memory.everyone, 0, count)


@called_kernel
def group_rows(memory: Memory, actions: IntArray, count: int) -> None:
    """Orders the first rows by their actions `[R]`, in groups that are padded with a row."""
    groups, order, first = memory.groups, memory.order, 0
    for action in range(len(groups)):
        groups[action, 0], end = first, first
        for row in range(count):
            # Without a branch: each row is written, and overwritten unless it is in the group.
            order[end] = row
            end += 1 if item(actions, row) == action else 0
        groups[action, 1] = end
        first = pad_rows(end)
        for place in range(end, first):
            order[place] = order[end - 1]


@kernel
def pad_rows(count: int) -> int:
    """Returns the rows that hold a number of observations."""
    return -(-count // ROWS) * ROWS
