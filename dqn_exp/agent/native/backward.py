"""Backward pass of the network of one run, in compiled code."""

from typing import Any

from dqn_exp.agent.native import dense, scalar_heads, tasks
from dqn_exp.agent.native.dense import COLUMNS, Rows
from dqn_exp.agent.native.dueling import unfold_gradient
from dqn_exp.agent.native.layout import INPUTS, UNITS
from dqn_exp.agent.native.memory import (
    Memory,
    all_rows,
    group_rows,
    layer_of,
    rows_of,
    scalar_heads_of,
)
from dqn_exp.agent.native.scalar_heads import Groups, Places
from dqn_exp.agent.native.spec import Spec
from dqn_exp.core.compile_time import Static, chosen
from dqn_exp.core.jit import kernel


@kernel
def backward(spec: Static, memory: Memory, parameters: int, count: int) -> None:
    """Computes the gradient of the parameters, given the deltas of the actions taken.

    Args:
        spec: of the agent.
        memory: of the thread, as `mlp.forward_taken` left it for `memory.actions`.
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
    """Computes the gradient of some outputs of the last hidden layer, if all layers are linear."""
    return _no_columns if spec.has_convolutions else _dense_columns


@kernel
def _all_at_once(spec: Static, memory: Memory, rows: Rows) -> None:
    gradient_of_layer(spec, memory, memory.at.num_layers - 2, rows)


@kernel
def _is_done(_spec: Static, _memory: Memory, _rows: Rows) -> None:
    pass


@chosen
def gradient_of_last(spec: Spec) -> Any:
    """Computes the gradient of the last hidden layer, if `gradient_of_columns` does not."""
    return _all_at_once if spec.has_convolutions else _is_done


@kernel
def _gradient_of_dense(_spec: Static, memory: Memory, index: int, rows: Rows) -> None:
    layer, units, deltas = layer_of(memory, index, 0), memory.at.units, memory.at.deltas
    dense.gradient(memory.numbers, layer, memory.at.gradient, units, deltas, rows)


@kernel
def _gradient_in_tasks(spec: Static, memory: Memory, index: int, rows: Rows) -> None:
    tasks.compute_layer(spec, memory, tasks.GRADIENT, index, 0, rows)


@chosen
def gradient_of_layer(spec: Spec) -> Any:
    """Computes the gradient of a hidden layer."""
    return _gradient_in_tasks if spec.has_convolutions else _gradient_of_dense


@kernel
def _backward_vectors(spec: Static, memory: Memory, parameters: int, rows: Rows) -> None:
    numbers, index = memory.numbers, memory.at.num_layers - 2
    gradient, units, deltas = memory.at.gradient, memory.at.units, memory.at.deltas
    for action in range(memory.at.num_actions):
        layer, some = layer_of(memory, len(memory.layers) - 1, action), rows_of(memory, action)
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
        gradient_of_layer(spec, memory, index - 1, rows)


@kernel
def _dense_deltas(spec: Static, memory: Memory, index: int, parameters: int, rows: Rows) -> None:
    layer, deltas = layer_of(memory, index, 0), memory.at.deltas
    dense.input_deltas(memory.numbers, layer, parameters, deltas, rows)
    _apply_slopes(spec, memory, index, rows.size)


@kernel
def _deltas_in_tasks(spec: Static, memory: Memory, index: int, parameters: int, rows: Rows) -> None:
    tasks.compute_layer(spec, memory, tasks.INPUT_DELTAS, index, parameters, rows)


@chosen
def deltas_of_inputs(spec: Spec) -> Any:
    """Computes the gradients of a hidden layer's inputs, before their activation."""
    return _deltas_in_tasks if spec.has_convolutions else _dense_deltas


@chosen
def backward_deep(spec: Spec) -> Any:
    """Computes the gradients of the hidden layers below the last one."""
    return _backward_deep if spec.is_deep else _end_here
