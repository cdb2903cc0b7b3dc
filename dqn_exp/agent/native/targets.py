"""Targets of a batch, in compiled code.

The equations are those of `agent.td_target`, against which they are tested.
"""

import math
from typing import Any

import numpy as np

from dqn_exp.agent.native.inputs import read_observations
from dqn_exp.agent.native.memory import Memory, output_of
from dqn_exp.agent.native.mlp import forward, forward_taken
from dqn_exp.agent.native.noise import choosing_weights, target_weights
from dqn_exp.agent.native.spec import Spec
from dqn_exp.agent.native.stores import Stores
from dqn_exp.agent.native.values import best_action, greatest_values, set_target
from dqn_exp.core.compile_time import Static, chosen
from dqn_exp.core.jit import kernel
from dqn_exp.core.vector import LANES, item, load, store

ZERO = np.float32(0)


@kernel
def _bootstrap(spec: Static, record: Any, memory: Memory, b: int, action: int) -> None:
    """Sets the target of a transition, given the outputs for its next observation."""
    numbers = memory.numbers
    reward, discount = numbers[memory.at.rewards + b], numbers[memory.at.discounts + b]
    set_target(spec, memory, record, b, output_of(memory, b, action), reward, discount)


@kernel
def _bootstrap_scalars(_spec: Static, _record: Any, memory: Memory) -> None:
    numbers = memory.numbers
    for b in range(0, len(memory.sampled), LANES):
        rewards = load(numbers, memory.at.rewards + b)
        discounts = load(numbers, memory.at.discounts + b)
        best, _ = greatest_values(memory, b)
        store(numbers, memory.at.wanted + b, rewards + discounts * best)


@kernel
def _bootstrap_vectors(spec: Static, record: Any, memory: Memory) -> None:
    for b in range(len(memory.sampled)):
        _bootstrap(spec, record, memory, b, best_action(spec, memory, record, b))


@chosen
def bootstrap_greedily(spec: Spec) -> Any:
    """Sets the targets of a batch, given the outputs for its next observations."""
    return _bootstrap_scalars if spec.value == "scalar" else _bootstrap_vectors


@kernel
def _choose_by_scalars(_spec: Static, _record: Any, memory: Memory) -> None:
    for b in range(0, len(memory.sampled), LANES):
        _, choices = greatest_values(memory, b)
        store(memory.numbers, memory.at.scratch, choices)
        for lane in range(LANES):
            memory.chosen[b + lane] = int(item(memory.numbers, memory.at.scratch + lane))


@kernel
def _choose_by_vectors(spec: Static, record: Any, memory: Memory) -> None:
    for b in range(len(memory.sampled)):
        memory.chosen[b] = best_action(spec, memory, record, b)


@chosen
def choose_actions(spec: Spec) -> Any:
    """Chooses the greedy actions of a batch, given the outputs."""
    return _choose_by_scalars if spec.value == "scalar" else _choose_by_vectors


@kernel
def _set_greedy_targets(spec: Static, stores: Stores, record: Any, memory: Memory) -> None:
    count = len(memory.sampled)
    read_observations(spec, stores, record, memory, stores.layout.next_observation)
    forward(spec, memory, target_weights(spec, record, memory), count)
    bootstrap_greedily(spec, record, memory)


@kernel
def _set_double_targets(spec: Static, stores: Stores, record: Any, memory: Memory) -> None:
    count = len(memory.sampled)
    read_observations(spec, stores, record, memory, stores.layout.next_observation)
    forward(spec, memory, choosing_weights(spec, record, memory), count)
    choose_actions(spec, record, memory)
    weights = target_weights(spec, record, memory)
    forward_taken(spec, memory, weights, memory.chosen, count)
    for b in range(count):
        _bootstrap(spec, record, memory, b, memory.chosen[b])


@kernel
def _set_munchausen_targets(spec: Static, stores: Stores, record: Any, memory: Memory) -> None:
    """Bootstraps from a softmax policy; values are scalar, and transitions have one step."""
    count, layout = len(memory.sampled), stores.layout
    numbers, weights = memory.numbers, target_weights(spec, record, memory)
    read_observations(spec, stores, record, memory, layout.observation)
    forward(spec, memory, weights, count)
    for b in range(count):
        # The temperature times the log-probability of the action.
        own = numbers[output_of(memory, b, memory.actions[b])] - soft_maximum(memory, record, b)
        bonus = record.clip if own < record.clip else own
        numbers[memory.at.bonuses + b] = record.scale * bonus
    read_observations(spec, stores, record, memory, layout.next_observation)
    forward(spec, memory, weights, count)
    for b in range(count):
        reward = numbers[memory.at.rewards + b] + numbers[memory.at.bonuses + b]
        value = soft_maximum(memory, record, b)
        numbers[memory.at.wanted + b] = reward + numbers[memory.at.discounts + b] * value


@kernel
def soft_maximum(memory: Memory, record: Any, row: int) -> np.float32:
    """Returns `temperature * logsumexp(values / temperature)` for the values of a row."""
    numbers, greatest = memory.numbers, memory.numbers[output_of(memory, row, 0)]
    for action in range(1, record.num_actions):
        greatest = max(greatest, numbers[output_of(memory, row, action)])
    total = ZERO
    for action in range(record.num_actions):
        value = numbers[output_of(memory, row, action)]
        total += math.exp((value - greatest) / record.temperature)
    found: np.float32 = greatest + record.temperature * math.log(total)
    return found


@chosen
def set_targets(spec: Spec) -> Any:
    """Computes the targets of a batch."""
    kernels = {
        "greedy": _set_greedy_targets,
        "double": _set_double_targets,
        "munchausen": _set_munchausen_targets,
    }
    return kernels[spec.target]
