"""Parts of an update that several threads compute together, in compiled code.

The thread of a run divides a layer, or a step of the optimizer, into tasks and carries out one
after the other, and so do its helpers, if it has any. A task computes its numbers in the same way
whoever carries it out, so results do not depend on helpers.
"""

from typing import Any

from dqn_exp.agent.native import convolution, convolution_gradient, dense
from dqn_exp.agent.native.dense import COLUMNS, Rows
from dqn_exp.agent.native.layout import INPUTS, OUTPUTS
from dqn_exp.agent.native.memory import CLOSED, DONE, TICKET, Memory, convolution_of, layer_of
from dqn_exp.agent.native.optimizers import num_parts, square_part, step_part
from dqn_exp.agent.native.spec import Spec
from dqn_exp.core.arrays import IntArray
from dqn_exp.core.atomics import add_atomic, load_atomic, replace_atomic, store_atomic
from dqn_exp.core.callback import call_back
from dqn_exp.core.compile_time import Static, chosen
from dqn_exp.core.jit import cached_jit, called_kernel, kernel
from dqn_exp.core.vector import item

FORWARD, GRADIENT, INPUT_DELTAS, SQUARES, STEP = range(5)
"""What is computed: three things for a layer, two for the parameters."""

KIND, INDEX, PARAMETERS, FIRST, SIZE = range(5)
"""Places in `Memory.work` of the current tasks: what for, number of the layer, place of the
parameters, first row and number of rows."""

INPUTS_OF_TASK = 192
"""Inputs of a linear layer whose deltas are one task."""

SPINS = 50_000
"""Times that a thread looks for a change, for about a tenth of a millisecond, before it rests."""


@kernel
def call_helpers(_spec: Static, memory: Memory) -> None:
    """Calls the helpers, if there are any, at the beginning of an update."""
    if memory.at.helpers != 0:
        _offer(memory.work, 0)
        call_back(memory.at.helpers)


@kernel
def dismiss_helpers(_spec: Static, memory: Memory) -> None:
    """Dismisses the helpers at the end of an update."""
    if memory.at.helpers != 0:
        _offer(memory.work, CLOSED)


@kernel
def _offer(work: IntArray, count: int) -> None:
    store_atomic(work, DONE, 0)
    store_atomic(work, TICKET, ((load_atomic(work, TICKET) >> 16) + 1) << 16 | count)


@called_kernel
def compute_layer(
    spec: Static, memory: Memory, kind: int, index: int, parameters: int, rows: Rows
) -> None:
    """Computes something for a hidden layer, with the helpers.

    Args:
        spec: of the agent.
        memory: of the thread.
        kind: `FORWARD`, `GRADIENT` or `INPUT_DELTAS`.
        index: of the layer.
        parameters: place of the parameters.
        rows: of `memory.everyone`.
    """
    work, count = memory.work, _num_tasks(memory, kind, index, rows)
    work[KIND], work[INDEX], work[PARAMETERS] = kind, index, parameters
    work[FIRST], work[SIZE] = rows.first, rows.size
    if kind == INPUT_DELTAS and index < memory.at.num_convolutions:
        layer, to = convolution_of(memory, index), memory.at.transposed
        convolution.transpose(memory.numbers, layer, parameters, to)
    if memory.at.helpers == 0 or rows.size == 1:  # To act takes less time than to call helpers.
        for task in range(count):
            _carry_out(spec, memory, task)
    else:
        _share(spec, memory, count)


@kernel
def _compute_parts_alone(spec: Static, memory: Memory, kind: int) -> None:
    for part in range(num_parts(memory)):
        _compute_part(spec, memory, kind, part)


@kernel
def _compute_parts_together(spec: Static, memory: Memory, kind: int) -> None:
    if memory.at.helpers == 0:
        _compute_parts_alone(spec, memory, kind)
    else:
        memory.work[KIND] = kind
        _share(spec, memory, num_parts(memory))


@chosen
def compute_parts(spec: Spec) -> Any:
    """Computes something for the parameters, `SQUARES` or `STEP`, with the helpers."""
    return _compute_parts_together if spec.has_convolutions else _compute_parts_alone


@kernel
def _compute_part(spec: Static, memory: Memory, kind: int, part: int) -> None:
    if kind == SQUARES:
        square_part(memory, part)
    else:
        step_part(spec, memory, part)


@kernel
def _share(spec: Static, memory: Memory, count: int) -> None:
    """Carries out the current tasks together with the helpers."""
    work, spins = memory.work, 0
    _offer(work, count)
    while load_atomic(work, DONE) < count:
        task = _take(work)
        if task < 0:
            spins = _wait(memory, spins)
        else:
            _carry_out(spec, memory, task)
            add_atomic(work, DONE, 1)


@kernel
def _num_tasks(memory: Memory, kind: int, index: int, rows: Rows) -> int:
    row = memory.layers[index]
    if index < memory.at.num_convolutions:
        if kind == GRADIENT:
            return convolution_gradient.num_parts(convolution_of(memory, index))
        return int(rows.size)
    if kind == INPUT_DELTAS:
        return int(-(-row[INPUTS] // INPUTS_OF_TASK))
    return int(row[OUTPUTS] // COLUMNS)


@kernel
def _take(work: IntArray) -> int:
    """Takes a task; returns its number, -1 if none is left, or -2 if no more will follow."""
    while True:
        ticket = load_atomic(work, TICKET)
        left = ticket & CLOSED
        if left == CLOSED:
            return -2
        if left == 0 or replace_atomic(work, TICKET, ticket, ticket - 1):
            return int(left - 1)


@kernel
def _wait(memory: Memory, spins: int) -> int:
    """Rests after many spins; returns the spins since."""
    if spins < SPINS:
        return spins + 1
    call_back(memory.at.rest)
    return 0


@called_kernel
def _carry_out(spec: Static, memory: Memory, task: int) -> None:
    """Carries out one of the current tasks."""
    work = memory.work
    rows = Rows(memory.everyone, work[FIRST], work[SIZE])
    if work[KIND] >= SQUARES:
        _compute_part(spec, memory, work[KIND], task)
    elif work[INDEX] < memory.at.num_convolutions:
        _convolve(spec, memory, task, rows)
    else:
        _multiply(spec, memory, task, rows)


@kernel
def _convolve(spec: Static, memory: Memory, task: int, rows: Rows) -> None:
    work, numbers, units, deltas = memory.work, memory.numbers, memory.at.units, memory.at.deltas
    layer, own = convolution_of(memory, work[INDEX]), Rows(rows.numbers, rows.first + task, 1)
    if work[KIND] == FORWARD:
        convolution.forward(spec, numbers, layer, work[PARAMETERS], units, own)
    elif work[KIND] == GRADIENT:
        to = memory.at.gradient
        convolution_gradient.gradient_of_part(numbers, layer, to, units, deltas, rows, task)
    else:
        convolution.input_deltas(numbers, layer, deltas, own, memory.at.transposed)
        _apply_slopes(spec, memory, layer.units, layer.inputs, own, 0, layer.inputs)


@kernel
def _multiply(spec: Static, memory: Memory, task: int, rows: Rows) -> None:
    work, numbers, units, deltas = memory.work, memory.numbers, memory.at.units, memory.at.deltas
    layer, column = layer_of(memory, work[INDEX], 0), task * COLUMNS
    if work[KIND] == FORWARD:
        dense.forward_columns(spec, numbers, layer, work[PARAMETERS], units, rows, column)
    elif work[KIND] == GRADIENT:
        gradient = memory.at.gradient
        dense.gradient_of_columns(numbers, layer, gradient, units, deltas, rows, column)
    else:
        first = task * INPUTS_OF_TASK
        end = min(first + INPUTS_OF_TASK, layer.inputs)
        dense.deltas_of_inputs(numbers, layer, work[PARAMETERS], deltas, rows, first, end)
        _apply_slopes(spec, memory, layer.units, layer.inputs, rows, first, end)


@kernel
def _apply_slopes(
    spec: Static, memory: Memory, offset: int, width: int, rows: Rows, first: int, end: int
) -> None:
    """Turns the deltas of some of `width` inputs of a layer into those before their activation."""
    units, deltas = memory.at.units + offset, memory.at.deltas + offset
    for place in range(rows.first, rows.first + rows.size):
        row = item(rows.numbers, place) * width + first
        dense.apply_slopes(spec, memory.numbers, units + row, deltas + row, end - first)


@cached_jit
def help_with(spec: Static, memory: Memory) -> None:
    """Carries out tasks of another thread until its update is over.

    Args:
        spec: of the agent.
        memory: of the other thread.
    """
    work, spins, task = memory.work, 0, -1
    while task != -2:
        task = _take(work)
        if task >= 0:
            _carry_out(spec, memory, task)
            add_atomic(work, DONE, 1)
        else:
            spins = _wait(memory, spins)
