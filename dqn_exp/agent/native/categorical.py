"""Values that are probabilities of atoms (C51), and their loss, in compiled code.

The equations are those of `agent.value.CategoricalValue`, against which they are tested.
"""

import math
from typing import Any

import numpy as np

from dqn_exp.agent.native.memory import Memory
from dqn_exp.core.compile_time import Static
from dqn_exp.core.jit import kernel
from dqn_exp.core.vector import LANES, load, store, total, zeros
from dqn_exp.core.vector_math import exponential

ZERO = np.float32(0)


@kernel
def atom(memory: Memory, record: Any, k: int) -> np.float32:
    """Returns an atom of the support."""
    share = k / (memory.at.num_outputs - 1)
    low, width = np.float64(record.v_min), np.float64(record.v_max - record.v_min)
    return np.float32(low + width * share)


@kernel
def set_support(memory: Memory, record: Any) -> None:
    """Writes the support of a run to the memory."""
    for k in range(memory.at.num_outputs):
        memory.numbers[memory.at.support + k] = atom(memory, record, k)


@kernel
def _softmax(memory: Memory, place: int) -> tuple[np.float32, np.float32]:
    """Writes unnormalized probabilities to the scratch; returns the largest logit and their sum."""
    numbers, count = memory.numbers, memory.at.num_outputs
    greatest = numbers[place]
    for k in range(1, count):
        logit = numbers[place + k]
        greatest = greatest if logit <= greatest else logit
    for k in range(count):
        numbers[memory.at.scratch + k] = numbers[place + k] - greatest
    sums = zeros()
    for first in range(0, count, LANES):
        # Padding counts for nothing.
        some = exponential(load(numbers, memory.at.scratch + first)) * load(
            numbers, memory.at.mask + first
        )
        store(numbers, memory.at.scratch + first, some)
        sums += some
    return greatest, total(sums)


@kernel
def _mean_of_scratch(memory: Memory) -> np.float32:
    sums = zeros()
    for first in range(0, memory.at.num_outputs, LANES):
        atoms = load(memory.numbers, memory.at.support + first)
        sums += load(memory.numbers, memory.at.scratch + first) * atoms
    mean: np.float32 = total(sums)
    return mean


@kernel
def categorical_mean(_spec: Static, memory: Memory, _record: Any, place: int) -> np.float32:
    """Returns the mean of the distribution of an action."""
    _, mass = _softmax(memory, place)
    return _mean_of_scratch(memory) / mass


@kernel
def set_categorical(
    _spec: Static, memory: Memory, record: Any, row: int, place: int, reward: float, discount: float
) -> None:
    """Sets the target of a row: a distribution, projected onto the support."""
    numbers, count = memory.numbers, memory.at.num_outputs
    wanted, last = memory.at.wanted + row * memory.at.width, np.float32(count - 1)
    _, mass = _softmax(memory, place)
    for k in range(count):
        numbers[wanted + k] = ZERO
    scale = last / (record.v_max - record.v_min)
    for k in range(count):
        probability = numbers[memory.at.scratch + k] / mass
        value = np.float32(reward) + np.float32(discount) * numbers[memory.at.support + k]
        position = (value - record.v_min) * scale
        position = ZERO if position < ZERO else last if position > last else position
        lower = 0
        if position == position:  # NaN stays within its row.
            lower = min(int(position), count - 2)
        to_upper = probability * (position - np.float32(lower))
        numbers[wanted + lower] += probability - to_upper
        numbers[wanted + lower + 1] += to_upper


@kernel
def categorical_loss(
    _spec: Static, memory: Memory, _record: Any, row: int, place: int, factor: np.float32
) -> tuple[np.float32, np.float32, np.float32, np.float32]:
    """Returns loss, prediction, TD error and priority of a row, and writes its deltas."""
    numbers, count = memory.numbers, memory.at.num_outputs
    wanted = memory.at.wanted + row * memory.at.width
    deltas = place + memory.at.deltas - memory.at.units
    greatest, mass = _softmax(memory, place)
    prediction = _mean_of_scratch(memory) / mass
    log_mass, whole = greatest + math.log(mass), ZERO
    loss = entropy = target = ZERO
    for k in range(count):
        share = numbers[wanted + k]
        whole += share
        loss -= share * (numbers[place + k] - log_mass)
        entropy += share * math.log(share) if share > ZERO else share
        target += share * numbers[memory.at.support + k]
    for k in range(count):
        slope = numbers[memory.at.scratch + k] / mass * whole - numbers[wanted + k]
        numbers[deltas + k] = factor * slope
    divergence = loss + entropy
    priority = ZERO if divergence < ZERO else divergence
    return loss, prediction, prediction - target, priority
