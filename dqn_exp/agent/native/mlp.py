"""Forward and backward pass of the network of one run, in compiled code."""

from typing import Any

from dqn_exp.agent.native import convolution, dense, scalar_heads, tasks
from dqn_exp.agent.native.activations import LINEAR
from dqn_exp.agent.native.dense import COLUMNS, Rows
from dqn_exp.agent.native.dueling import fold_heads, unfold_gradient
from dqn_exp.agent.native.layout import INPUTS, UNITS
from dqn_exp.agent.native.memory import (
    Memory,
    all_rows,
    convolution_of,
    group_rows,
    layer_of,
    scalar_heads_of,
)
from dqn_exp.agent.native.scalar_heads import Groups, Places
from dqn_exp.agent.native.spec import Spec
from dqn_exp.core.arrays import IntArray
from dqn_exp.core.compile_time import Static, chosen
from dqn_exp.core.jit import kernel

BLOCK = 16
"""Rows whose units stay in the nearest cache from layer to layer."""

FAR = 2**17
"""Parameters of a network that does not fit into a near cache: it is read once for all rows."""


@kernel
def forward(spec: Static, memory: Memory, parameters: int, rows: int) -> None:
    """Computes the outputs of all actions for the first rows of observations in the units.

    Args:
        spec: of the agent.
        memory: of the thread.
        parameters: place of the parameters.
        rows: number of rows; linear layers go on to a multiple of `ROWS`.
    """
    fold_heads(spec, memory, parameters)
    block = block_size(memory, rows)
    for first in range(0, rows, block):
        some = Rows(memory.everyone, first, min(block, rows - first))
        _forward_hidden(spec, memory, parameters, some)
        forward_heads(spec, memory, parameters, some)


@kernel
def block_size(memory: Memory, rows: int) -> int:
    """Returns how many rows are computed from the first to the last layer at once."""
    return BLOCK if memory.at.num_parameters < FAR else rows


@kernel
def _forward_hidden(spec: Static, memory: Memory, parameters: int, rows: Rows) -> None:
    for index in range(memory.at.num_layers - 1):
        forward_layer(spec, memory, index, parameters, rows)


@kernel
def _forward_dense(spec: Static, memory: Memory, index: int, parameters: int, rows: Rows) -> None:
    layer = layer_of(memory, index, 0)
    dense.forward(spec, memory.numbers, layer, parameters, memory.at.units, rows)


@kernel
def _forward_any(spec: Static, memory: Memory, index: int, parameters: int, rows: Rows) -> None:
    if index < memory.at.num_convolutions:
        layer, units = convolution_of(memory, index), memory.at.units
        convolution.forward(spec, memory.numbers, layer, parameters, units, rows)
    else:
        _forward_dense(spec, memory, index, parameters, rows)


@kernel
def _forward_shared(spec: Static, memory: Memory, index: int, parameters: int, rows: Rows) -> None:
    tasks.compute_layer(spec, memory, tasks.FORWARD, index, parameters, rows)


@chosen
def forward_layer(spec: Spec) -> Any:
    """Computes the activated outputs of a hidden layer."""
    if spec.is_shared:
        return _forward_shared
    return _forward_any if spec.has_convolutions else _forward_dense


@kernel
def _forward_scalars(_spec: Static, memory: Memory, parameters: int, rows: Rows) -> None:
    layer, end = scalar_heads_of(memory), rows.first + rows.size
    units = memory.at.units
    scalar_heads.forward_all(memory.numbers, layer, parameters, units, rows.first, end)


@kernel
def _forward_vectors(_spec: Static, memory: Memory, parameters: int, rows: Rows) -> None:
    for action in range(memory.at.num_actions):
        layer = layer_of(memory, len(memory.layers) - 1, action)
        dense.forward(LINEAR, memory.numbers, layer, parameters, memory.at.units, rows)


@chosen
def forward_heads(spec: Spec) -> Any:
    """Computes the outputs of all actions, given the units below."""
    return _forward_scalars if spec.value == "scalar" else _forward_vectors


@kernel
def _forward_scalars_taken(
    spec: Static, memory: Memory, parameters: int, actions: IntArray, rows: int
) -> None:
    fold_heads(spec, memory, parameters)
    layer, units, block = scalar_heads_of(memory), memory.at.units, block_size(memory, rows)
    for first in range(0, rows, block):
        end = min(first + block, rows)
        _forward_hidden(spec, memory, parameters, Rows(memory.everyone, first, end - first))
        scalar_heads.forward_taken(memory.numbers, layer, parameters, units, actions, first, end)


@kernel
def _forward_vectors_taken(
    spec: Static, memory: Memory, parameters: int, actions: IntArray, rows: int
) -> None:
    fold_heads(spec, memory, parameters)
    _forward_hidden(spec, memory, parameters, all_rows(memory, rows))
    group_rows(memory, actions, rows)
    for action in range(memory.at.num_actions):
        layer = layer_of(memory, len(memory.layers) - 1, action)
        some = _rows_of(memory, action)
        dense.forward(LINEAR, memory.numbers, layer, parameters, memory.at.units, some)


@chosen
def forward_taken(spec: Spec) -> Any:
    """Computes the outputs of one of the actions `[R]` for each of the first rows.

    The arguments are those of `forward`, with the actions before the number of rows.
    """
    return _forward_scalars_taken if spec.value == "scalar" else _forward_vectors_taken


@kernel
def _rows_of(memory: Memory, action: int) -> Rows:
    """Returns the rows in the group of an action."""
    first = memory.groups[action, 0]
    return Rows(memory.order, first, memory.groups[action, 1] - first)


@kernel
def backward(spec: Static, memory: Memory, parameters: int, count: int) -> None:
    """Computes the gradient of the parameters, given the deltas of the actions taken.

    Args:
        spec: of the agent.
        memory: of the thread, as `forward_taken` left it for `memory.actions`.
        parameters: place of the parameters.
        count: B, number of rows.
    """
    group_rows(memory, memory.actions, count)
    backward_heads(spec, memory, parameters, all_rows(memory, count))
    unfold_gradient(spec, memory)
    backward_deep(spec, memory, parameters, all_rows(memory, count))


@kernel
def _backward_scalars(spec: Static, memory: Memory, parameters: int, rows: Rows) -> None:
    numbers, heads = memory.numbers, scalar_heads_of(memory)
    gradient, units, deltas = memory.at.gradient, memory.at.units, memory.at.deltas
    at, groups = Places(parameters, gradient, units, deltas), Groups(memory.groups, memory.order)
    scalar_heads.gradient_of_biases(numbers, heads, at, groups)
    for column in range(0, heads.inputs, COLUMNS):
        scalar_heads.backward_columns(spec, numbers, heads, at, groups, column)
        gradient_of_columns(spec, memory, rows, column)
    gradient_of_last(spec, memory, rows)


@kernel
def _dense_columns(_spec: Static, memory: Memory, rows: Rows, column: int) -> None:
    if memory.at.num_layers > 1:  # The deltas are still in the nearest cache.
        below = layer_of(memory, max(memory.at.num_layers - 2, 0), 0)
        gradient, units, deltas = memory.at.gradient, memory.at.units, memory.at.deltas
        dense.gradient_of_columns(memory.numbers, below, gradient, units, deltas, rows, column)


@kernel
def _no_columns(_spec: Static, _memory: Memory, _rows: Rows, _column: int) -> None:
    pass


@chosen
def gradient_of_columns(spec: Spec) -> Any:
    """Computes the gradient of some outputs of the last hidden layer, if it is a linear one."""
    return _no_columns if spec.ends_in_convolution or spec.is_shared else _dense_columns


@kernel
def _all_at_once(spec: Static, memory: Memory, rows: Rows) -> None:
    gradient_of_layer(spec, memory, memory.at.num_layers - 2, rows)


@kernel
def _is_done(_spec: Static, _memory: Memory, _rows: Rows) -> None:
    pass


@chosen
def gradient_of_last(spec: Spec) -> Any:
    """Computes the gradient of the last hidden layer, if `gradient_of_columns` does not."""
    return _all_at_once if spec.ends_in_convolution or spec.is_shared else _is_done


@kernel
def _gradient_of_convolution(memory: Memory, index: int, rows: Rows) -> None:
    layer, units, deltas = convolution_of(memory, index), memory.at.units, memory.at.deltas
    convolution.gradient(memory.numbers, layer, memory.at.gradient, units, deltas, rows)


@kernel
def _gradient_of_dense(_spec: Static, memory: Memory, index: int, rows: Rows) -> None:
    layer, units, deltas = layer_of(memory, index, 0), memory.at.units, memory.at.deltas
    dense.gradient(memory.numbers, layer, memory.at.gradient, units, deltas, rows)


@kernel
def _gradient_of_any(spec: Static, memory: Memory, index: int, rows: Rows) -> None:
    if index < memory.at.num_convolutions:
        _gradient_of_convolution(memory, index, rows)
    else:
        _gradient_of_dense(spec, memory, index, rows)


@kernel
def _gradient_shared(spec: Static, memory: Memory, index: int, rows: Rows) -> None:
    tasks.compute_layer(spec, memory, tasks.GRADIENT, index, 0, rows)


@chosen
def gradient_of_layer(spec: Spec) -> Any:
    """Computes the gradient of a hidden layer."""
    if spec.is_shared:
        return _gradient_shared
    return _gradient_of_any if spec.has_convolutions else _gradient_of_dense


@kernel
def _backward_vectors(spec: Static, memory: Memory, parameters: int, rows: Rows) -> None:
    numbers, index = memory.numbers, memory.at.num_layers - 2
    gradient, units, deltas = memory.at.gradient, memory.at.units, memory.at.deltas
    for action in range(memory.at.num_actions):
        layer, some = layer_of(memory, len(memory.layers) - 1, action), _rows_of(memory, action)
        dense.gradient(numbers, layer, gradient, units, deltas, some)
        if index >= 0:
            dense.input_deltas(numbers, layer, parameters, deltas, some)
    if index >= 0:
        _apply_slopes(spec, memory, index + 1, rows.size)
        gradient_of_layer(spec, memory, index, rows)


@chosen
def backward_heads(spec: Spec) -> Any:
    """Computes the gradient of the heads and of the layer below, and the deltas between them."""
    return _backward_scalars if spec.value == "scalar" else _backward_vectors


@kernel
def _apply_slopes(spec: Static, memory: Memory, index: int, count: int) -> None:
    """Turns the deltas of the inputs of a layer into those before their activation."""
    row = memory.layers[index]
    units, deltas = memory.at.units + row[UNITS], memory.at.deltas + row[UNITS]
    dense.apply_slopes(spec, memory.numbers, units, deltas, count * row[INPUTS])


@kernel
def _end_here(_spec: Static, _memory: Memory, _parameters: int, _rows: Rows) -> None:
    pass


@kernel
def _backward_deep(spec: Static, memory: Memory, parameters: int, rows: Rows) -> None:
    for index in range(memory.at.num_layers - 2, 0, -1):
        deltas_of_inputs(spec, memory, index, parameters, rows)
        _apply_slopes(spec, memory, index, rows.size)
        gradient_of_layer(spec, memory, index - 1, rows)


@kernel
def _dense_deltas(_spec: Static, memory: Memory, index: int, parameters: int, rows: Rows) -> None:
    layer, deltas = layer_of(memory, index, 0), memory.at.deltas
    dense.input_deltas(memory.numbers, layer, parameters, deltas, rows)


@kernel
def _any_deltas(spec: Static, memory: Memory, index: int, parameters: int, rows: Rows) -> None:
    if index < memory.at.num_convolutions:
        layer, deltas, to = convolution_of(memory, index), memory.at.deltas, memory.at.transposed
        convolution.transpose(memory.numbers, layer, parameters, to)
        convolution.input_deltas(memory.numbers, layer, deltas, rows, to)
    else:
        _dense_deltas(spec, memory, index, parameters, rows)


@kernel
def _shared_deltas(spec: Static, memory: Memory, index: int, parameters: int, rows: Rows) -> None:
    tasks.compute_layer(spec, memory, tasks.INPUT_DELTAS, index, parameters, rows)


@chosen
def deltas_of_inputs(spec: Spec) -> Any:
    """Computes the gradients of a hidden layer's inputs, after their activation."""
    if spec.is_shared:
        return _shared_deltas
    return _any_deltas if spec.has_convolutions else _dense_deltas


@chosen
def backward_deep(spec: Spec) -> Any:
    """Computes the gradients of the hidden layers below the last one."""
    return _backward_deep if spec.is_deep else _end_here
