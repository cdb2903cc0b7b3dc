"""The memory of one thread: parameters, units and gradients of the run that it computes.

All numbers lie in one flat, aligned array, which fits into the caches for small networks. The
parameters of a run are packed into it before the run is computed, and unpacked afterwards.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from dqn_exp.agent.native.convolution import Convolution
from dqn_exp.agent.native.dense import ROWS, Layer, Rows
from dqn_exp.agent.native.layout import (
    BIAS,
    CHANNELS,
    COUNT,
    HEADS,
    INPUTS,
    LINE,
    OUTPUT_HEIGHT,
    OUTPUT_WIDTH,
    OUTPUTS,
    PLACES,
    SIZE,
    STRIDE,
    UNITS,
    WEIGHT,
    WIDTH,
    make_memory_layout,
)
from dqn_exp.agent.native.scalar_heads import Heads
from dqn_exp.core.arrays import Float32Array, IntArray, UInt32Array
from dqn_exp.core.jit import called_kernel, kernel
from dqn_exp.core.vector import LANES, aligned_zeros, item, pad
from dqn_exp.network import convolution
from dqn_exp.network.layers import Linear

TICKET, DONE = 8, 16
"""Places in `Memory.work` of the tasks that are left, and of the number of those that are done.
They do not share a cache line, which would slow down threads that write one of them."""

CLOSED = 2**16 - 1
"""Number of tasks that means that no more will follow in this update.

A ticket has the number of tasks that are left in its last 16 bits. The bits before number the
layers, so a ticket never returns.
"""


class Memory(NamedTuple):
    """Memory of one thread.

    Attributes:
        numbers: all numbers.
        sampled: `[B]` rows of a batch in the storage of the replay buffers.
        actions: `[R]` actions taken.
        chosen: `[R]` actions to bootstrap from.
        everyone: rows in their order.
        order: rows by action.
        groups: `[A, 2]` places of the first row of each action in the order, and of its end.
        random: random numbers of a batch, or of noise.
        work: of several threads: what `tasks.KIND` names, then `TICKET` and `DONE`.
        layers: `[L, 12]` table of the layers, see `INPUTS`.
        convolutions: `[L', 6]` table of the convolutions, see `SIZE`.
        at: record of `PLACES`.
    """

    numbers: Float32Array
    sampled: IntArray
    actions: IntArray
    chosen: IntArray
    everyone: IntArray
    order: IntArray
    groups: IntArray
    random: UInt32Array
    work: IntArray
    layers: IntArray
    convolutions: IntArray
    at: Any


def make_memory(
    layers: Sequence[Linear | convolution.Convolution],
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
    table, convolutions, sizes, places, end = make_memory_layout(
        layers,
        num_outputs=num_outputs,
        is_dueling=is_dueling,
        num_rows=num_rows,
        num_copies=num_copies,
    )
    rows, num_actions = sizes["rows"], sizes["num_actions"]
    work = np.zeros(DONE + 8, dtype=np.int64)
    work[TICKET] = CLOSED
    numbers, at = aligned_zeros(end), np.zeros(1, dtype=PLACES).view(np.recarray)
    for name, size in (("factors", batch_size), ("mask", sizes["num_outputs"])):
        numbers[places[name] : places[name] + size] = 1.0
    for name, value in (sizes | places).items():
        at[name] = value
    num_random = max(batch_size, pad(sizes["num_noise"] + 2, 2 * LANES))
    return Memory(
        numbers=numbers,
        sampled=np.zeros(batch_size, dtype=np.int64),
        actions=np.zeros(rows, dtype=np.int64),
        chosen=np.zeros(rows, dtype=np.int64),
        everyone=np.arange(rows),
        order=np.zeros(rows + ROWS * num_actions, dtype=np.int64),
        groups=np.zeros((num_actions, 2), dtype=np.int64),
        random=np.zeros(num_random, dtype=np.uint32),
        work=work,
        layers=np.array(table, dtype=np.int64),
        convolutions=np.array(convolutions, dtype=np.int64).reshape(-1, 6),
        at=at[0],
    )


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
def convolution_of(memory: Memory, index: int) -> Convolution:
    """Returns a layer that is a convolution."""
    row, own = memory.layers[index], memory.convolutions[index]
    return Convolution(
        row[INPUTS],
        row[OUTPUTS],
        row[WEIGHT],
        row[BIAS],
        row[UNITS],
        row[HEADS],
        row[WIDTH],
        own[CHANNELS],
        own[LINE],
        own[SIZE],
        own[STRIDE],
        own[OUTPUT_HEIGHT],
        own[OUTPUT_WIDTH],
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
def rows_of(memory: Memory, action: int) -> Rows:
    """Returns the rows in the group of an action."""
    first = memory.groups[action, 0]
    return Rows(memory.order, first, memory.groups[action, 1] - first)


@kernel
def pad_rows(count: int) -> int:
    """Rounds a number of rows up to a multiple of `ROWS`."""
    return -(-count // ROWS) * ROWS
