"""Forward pass of the network of one run, in compiled code."""

from typing import Any

from dqn_exp.agent.native import dense, scalar_heads, tasks
from dqn_exp.agent.native.activations import LINEAR
from dqn_exp.agent.native.dense import Rows
from dqn_exp.agent.native.dueling import fold_heads
from dqn_exp.agent.native.memory import (
    Memory,
    all_rows,
    group_rows,
    layer_of,
    rows_of,
    scalar_heads_of,
)
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
def _forward_in_tasks(
    spec: Static, memory: Memory, index: int, parameters: int, rows: Rows
) -> None:
    tasks.compute_layer(spec, memory, tasks.FORWARD, index, parameters, rows)


@chosen
def forward_layer(spec: Spec) -> Any:
    """Computes the activated outputs of a hidden layer."""
    return _forward_in_tasks if spec.has_convolutions else _forward_dense


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
        some = rows_of(memory, action)
        dense.forward(LINEAR, memory.numbers, layer, parameters, memory.at.units, some)


@chosen
def forward_taken(spec: Spec) -> Any:
    """Computes the outputs of one of the actions `[R]` for each of the first rows.

    The arguments are those of `forward`, with the actions before the number of rows.
    """
    return _forward_scalars_taken if spec.value == "scalar" else _forward_vectors_taken
