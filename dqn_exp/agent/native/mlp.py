"""Forward and backward pass of a multi-layer perceptron of one run, in compiled code."""

from typing import Any

import numpy as np

from dqn_exp.agent.native.activations import LINEAR
from dqn_exp.agent.native.dense import (
    forward_narrow,
    forward_wide,
    narrow_gradient,
    narrow_input_deltas,
    wide_gradient,
    wide_input_deltas,
)
from dqn_exp.agent.native.memory import Memory, layer_of
from dqn_exp.agent.native.spec import Spec
from dqn_exp.core.compile_time import Static, chosen
from dqn_exp.core.jit import kernel

ZERO = np.float32(0)


@kernel
def forward(spec: Static, memory: Memory, parameters: int, rows: int) -> None:
    """Computes the outputs of all actions for the first rows of observations in the units.

    Args:
        spec: of the agent.
        memory: of the thread.
        parameters: place of the parameters.
        rows: a multiple of `ROWS`.
    """
    last = len(memory.layers) - 1
    for index in range(last):
        layer = layer_of(memory, index)
        forward_wide(spec, memory.numbers, layer, parameters, memory.at.units, rows)
    forward_last(spec, memory, parameters, rows)
    combine_heads(spec, memory, rows)


@kernel
def backward(spec: Static, memory: Memory, parameters: int, count: int) -> None:
    """Computes the gradient of the parameters, given the deltas of the heads.

    Args:
        spec: of the agent.
        memory: of the thread, as `forward` left it.
        parameters: place of the parameters.
        count: B, rows that count.
    """
    backward_last(spec, memory, parameters, count)
    backward_hidden(spec, memory, parameters, count)


@kernel
def _forward_narrow(_spec: Static, memory: Memory, parameters: int, rows: int) -> None:
    layer = layer_of(memory, len(memory.layers) - 1)
    forward_narrow(memory.numbers, layer, parameters, memory.at.units, rows)


@kernel
def _forward_wide(_spec: Static, memory: Memory, parameters: int, rows: int) -> None:
    layer = layer_of(memory, len(memory.layers) - 1)
    forward_wide(LINEAR, memory.numbers, layer, parameters, memory.at.units, rows)


@chosen
def forward_last(spec: Spec) -> Any:
    """Computes the heads."""
    return _forward_narrow if spec.is_narrow else _forward_wide


@kernel
def _backward_narrow(spec: Static, memory: Memory, parameters: int, count: int) -> None:
    layer = layer_of(memory, len(memory.layers) - 1)
    numbers, units, deltas = memory.numbers, memory.at.units, memory.at.deltas
    narrow_gradient(numbers, layer, memory.at.gradient, units, deltas, count)
    if layer.units > 0:
        narrow_input_deltas(spec, numbers, layer, parameters, units, deltas, count)


@kernel
def _backward_wide(spec: Static, memory: Memory, parameters: int, count: int) -> None:
    _backward_layer(spec, memory, len(memory.layers) - 1, parameters, count)


@kernel
def _backward_layer(spec: Static, memory: Memory, index: int, parameters: int, count: int) -> None:
    """Computes the gradient of a wide layer, and the deltas of its inputs if there is one below."""
    layer = layer_of(memory, index)
    numbers, units, deltas = memory.numbers, memory.at.units, memory.at.deltas
    wide_gradient(numbers, layer, memory.at.gradient, units, deltas, count)
    if index > 0:
        wide_input_deltas(spec, numbers, layer, parameters, units, deltas, count)


@chosen
def backward_last(spec: Spec) -> Any:
    """Computes the gradient of the last layer and the deltas of its inputs."""
    return _backward_narrow if spec.is_narrow else _backward_wide


@kernel
def _backward_first(_spec: Static, memory: Memory, _parameters: int, count: int) -> None:
    """Computes the gradient of the only hidden layer, if there is one."""
    if len(memory.layers) > 1:
        layer = layer_of(memory, 0)
        wide_gradient(
            memory.numbers, layer, memory.at.gradient, memory.at.units, memory.at.deltas, count
        )


@kernel
def _backward_all(spec: Static, memory: Memory, parameters: int, count: int) -> None:
    for index in range(len(memory.layers) - 2, -1, -1):
        _backward_layer(spec, memory, index, parameters, count)


@chosen
def backward_hidden(spec: Spec) -> Any:
    """Computes the gradients of the hidden layers."""
    return _backward_all if spec.is_deep else _backward_first


@kernel
def _outputs_are_heads(_spec: Static, _memory: Memory, _rows: int) -> None:
    pass


@kernel
def _combine_dueling(_spec: Static, memory: Memory, rows: int) -> None:
    """Adds the advantages over their mean to the value, for each of K outputs."""
    layer = layer_of(memory, len(memory.layers) - 1)
    numbers, num_outputs = memory.numbers, memory.at.num_outputs
    num_actions = memory.at.stride // num_outputs
    for row in range(rows):
        value = memory.at.units + layer.heads + row * layer.outputs
        place = memory.at.outputs + row * memory.at.stride
        for output in range(num_outputs):
            mean = ZERO
            for action in range(1, num_actions + 1):
                mean += numbers[value + action * num_outputs + output]
            rest = numbers[value + output] - mean / np.float32(num_actions)
            for action in range(num_actions):
                advantage = numbers[value + (action + 1) * num_outputs + output]
                numbers[place + action * num_outputs + output] = rest + advantage


@chosen
def combine_heads(spec: Spec) -> Any:
    """Computes the outputs of all actions, given the heads."""
    return _combine_dueling if spec.is_dueling else _outputs_are_heads


@kernel
def _set_plain_deltas(_spec: Static, memory: Memory, row: int, action: int) -> None:
    layer = layer_of(memory, len(memory.layers) - 1)
    numbers, num_outputs = memory.numbers, memory.at.num_outputs
    place, slopes = (
        memory.at.deltas + layer.heads + row * layer.outputs,
        memory.at.slopes + row * num_outputs,
    )
    for head in range(layer.outputs):
        numbers[place + head] = ZERO
    for output in range(num_outputs):
        numbers[place + action * num_outputs + output] = numbers[slopes + output]


@kernel
def _set_dueling_deltas(_spec: Static, memory: Memory, row: int, action: int) -> None:
    layer = layer_of(memory, len(memory.layers) - 1)
    numbers, num_outputs = memory.numbers, memory.at.num_outputs
    num_actions = memory.at.stride // num_outputs
    place, slopes = (
        memory.at.deltas + layer.heads + row * layer.outputs,
        memory.at.slopes + row * num_outputs,
    )
    for head in range((num_actions + 1) * num_outputs, layer.outputs):
        numbers[place + head] = ZERO
    for output in range(num_outputs):
        delta = numbers[slopes + output]
        numbers[place + output] = delta
        share = delta / np.float32(num_actions)
        for other in range(num_actions):
            of_action = delta - share if other == action else -share
            numbers[place + (other + 1) * num_outputs + output] = of_action


@chosen
def set_head_deltas(spec: Spec) -> Any:
    """Writes the deltas of the heads of a row, given the slopes by the outputs of an action."""
    return _set_dueling_deltas if spec.is_dueling else _set_plain_deltas
