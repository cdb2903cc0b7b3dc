"""Dueling heads as heads of the actions, in compiled code.

The value of an action is linear in the inputs of the last layer. So the heads for the value and the
advantages are folded into one head for each action, and its gradient is unfolded.
"""

from typing import Any

import numpy as np

from dqn_exp.agent.native.layout import BIAS, INPUTS, OUTPUTS, WEIGHT
from dqn_exp.agent.native.memory import Memory
from dqn_exp.agent.native.spec import Spec
from dqn_exp.core.arrays import Float32Array
from dqn_exp.core.compile_time import Static, chosen
from dqn_exp.core.jit import called_kernel, kernel
from dqn_exp.core.vector import LANES, fill, load, store, zeros

ZERO, ONE = np.float32(0), np.float32(1)


@kernel
def _leave_parameters(_spec: Static, _memory: Memory, _parameters: int) -> None:
    pass


@kernel
def _fold(_spec: Static, memory: Memory, parameters: int) -> None:
    numbers, count = memory.numbers, memory.at.num_actions
    trained, folded = memory.layers[memory.at.num_layers - 1], memory.layers[memory.at.num_layers]
    size = trained[INPUTS] * trained[OUTPUTS]
    fold_weights(numbers, parameters + trained[WEIGHT], parameters + folded[WEIGHT], size, count)
    width = trained[OUTPUTS]
    fold_biases(numbers, parameters + trained[BIAS], parameters + folded[BIAS], width, count)


@chosen
def fold_heads(spec: Spec) -> Any:
    """Folds the value and advantage heads of the parameters into one head per action."""
    return _fold if spec.is_dueling else _leave_parameters


@called_kernel
def fold_weights(numbers: Float32Array, heads: int, to: int, size: int, count: int) -> None:
    """Adds to the value each of `count` advantages over their mean; all have a padded size."""
    share = fill(ONE / np.float32(count))
    for i in range(0, size, LANES):
        mean = zeros()
        for action in range(1, count + 1):
            mean += load(numbers, heads + action * size + i)
        rest = load(numbers, heads + i) - mean * share
        for action in range(count):
            advantage = load(numbers, heads + (action + 1) * size + i)
            store(numbers, to + action * size + i, rest + advantage)


@called_kernel
def fold_biases(numbers: Float32Array, heads: int, to: int, size: int, count: int) -> None:
    """Does as `fold_weights` does, for any size."""
    for i in range(size):
        mean = ZERO
        for action in range(1, count + 1):
            mean += numbers[heads + action * size + i]
        rest = numbers[heads + i] - mean / np.float32(count)
        for action in range(count):
            numbers[to + action * size + i] = rest + numbers[heads + (action + 1) * size + i]


@kernel
def _leave_gradient(_spec: Static, _memory: Memory) -> None:
    pass


@kernel
def _unfold(_spec: Static, memory: Memory) -> None:
    numbers, count, place = memory.numbers, memory.at.num_actions, memory.at.gradient
    trained, folded = memory.layers[memory.at.num_layers - 1], memory.layers[memory.at.num_layers]
    size = trained[INPUTS] * trained[OUTPUTS]
    unfold_weights(numbers, place + folded[WEIGHT], place + trained[WEIGHT], size, count)
    unfold_biases(numbers, place + folded[BIAS], place + trained[BIAS], trained[OUTPUTS], count)


@chosen
def unfold_gradient(spec: Spec) -> Any:
    """Computes the gradients of value and advantages, given those of the heads of the actions."""
    return _unfold if spec.is_dueling else _leave_gradient


@called_kernel
def unfold_weights(numbers: Float32Array, heads: int, to: int, size: int, count: int) -> None:
    """Computes the gradients for `fold_weights`."""
    share = fill(ONE / np.float32(count))
    for i in range(0, size, LANES):
        whole = zeros()
        for action in range(count):
            whole += load(numbers, heads + action * size + i)
        store(numbers, to + i, whole)
        mean = whole * share
        for action in range(count):
            given = load(numbers, heads + action * size + i)
            store(numbers, to + (action + 1) * size + i, given - mean)


@called_kernel
def unfold_biases(numbers: Float32Array, heads: int, to: int, size: int, count: int) -> None:
    """Computes the gradients for `fold_biases`."""
    for i in range(size):
        whole = ZERO
        for action in range(count):
            whole += numbers[heads + action * size + i]
        numbers[to + i] = whole
        mean = whole / np.float32(count)
        for action in range(count):
            numbers[to + (action + 1) * size + i] = numbers[heads + action * size + i] - mean
