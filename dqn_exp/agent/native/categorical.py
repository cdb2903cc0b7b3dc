"""Values that are probabilities of atoms (C51), and their loss, in compiled code.

The equations are those of `agent.value.CategoricalValue`, against which they are tested.
"""

import math
from typing import Any

import numpy as np

from dqn_exp.agent.native.memory import Memory
from dqn_exp.core.compile_time import Static
from dqn_exp.core.jit import kernel
from dqn_exp.core.vector import LANES, fill, item, load, store, zeros
from dqn_exp.core.vector_functions import bounded, where_greater, where_positive
from dqn_exp.core.vector_lanes import four_totals, greatest, lane, total
from dqn_exp.core.vector_math import exponential, logarithm

ZERO, ONE, FAR = np.float32(0), np.float32(1), np.float32(1e30)


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
def _logits(memory: Memory, place: int, first: int) -> Any:
    """Returns logits from `first` on; those of the padding are very low."""
    mask = load(memory.numbers, memory.at.mask + first)
    logits = load(memory.numbers, place + first)
    return logits * mask + (mask - fill(ONE)) * fill(FAR)


@kernel
def _greatest_logit(memory: Memory, place: int) -> np.float32:
    best = _logits(memory, place, 0)
    for first in range(LANES, memory.at.width, LANES):
        logits = _logits(memory, place, first)
        best = where_greater(logits, best, logits, best)
    found: np.float32 = greatest(best)
    return found


@kernel
def _softmax(memory: Memory, place: int) -> tuple[np.float32, np.float32]:
    """Writes unnormalized probabilities to the scratch; returns the largest logit and their sum."""
    largest, sums = _greatest_logit(memory, place), zeros()
    for first in range(0, memory.at.width, LANES):
        some = exponential(_logits(memory, place, first) - fill(largest))
        some = some * load(memory.numbers, memory.at.mask + first)
        store(memory.numbers, memory.at.scratch + first, some)
        sums += some
    return largest, total(sums)


@kernel
def _mean_of_scratch(memory: Memory) -> np.float32:
    sums = zeros()
    for first in range(0, memory.at.width, LANES):
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
    wanted = memory.at.wanted + row * memory.at.width
    _, mass = _softmax(memory, place)
    _write_positions(memory, record, np.float32(reward), np.float32(discount))
    _project(memory, wanted, ONE / mass)


@kernel
def _project(memory: Memory, wanted: int, share: np.float32) -> None:
    """Writes the distribution of the positions on the support.

    The parts of the upper neighbors are added up apart: an atom is often the upper neighbor of
    one position and the lower neighbor of the next, whose sum would wait for the first one.
    """
    numbers, count, upper = memory.numbers, memory.at.num_outputs, memory.at.upper
    for first in range(0, memory.at.width, LANES):
        store(numbers, wanted + first, zeros())
        store(numbers, upper + first, zeros())
    for k in range(count):
        position = item(numbers, memory.at.positions + k)
        probability = item(numbers, memory.at.scratch + k) * share
        lower = 0
        if position == position:  # NaN stays within its row.
            lower = min(int(position), count - 2)
        to_upper = probability * (position - np.float32(lower))
        numbers[wanted + lower] += probability - to_upper
        numbers[upper + lower + 1] += to_upper
    for first in range(0, memory.at.width, LANES):
        store(numbers, wanted + first, load(numbers, wanted + first) + load(numbers, upper + first))


@kernel
def _write_positions(memory: Memory, record: Any, reward: np.float32, discount: np.float32) -> None:
    """Writes where the atoms fall on the support once they are discounted, in atoms."""
    last = np.float32(memory.at.num_outputs - 1)
    scale = fill(last / (record.v_max - record.v_min))
    shift, factor, low = fill(reward), fill(discount), fill(record.v_min)
    for first in range(0, memory.at.width, LANES):
        value = shift + factor * load(memory.numbers, memory.at.support + first)
        position = bounded((value - low) * scale, zeros(), fill(last))
        store(memory.numbers, memory.at.positions + first, position)


@kernel
def categorical_loss(
    _spec: Static, memory: Memory, _record: Any, row: int, place: int, factor: np.float32
) -> tuple[np.float32, np.float32, np.float32, np.float32]:
    """Returns loss, prediction, TD error and priority of a row, and writes its deltas."""
    numbers, wanted = memory.numbers, memory.at.wanted + row * memory.at.width
    deltas = place + memory.at.deltas - memory.at.units
    largest, mass = _softmax(memory, place)
    prediction, log_mass = _mean_of_scratch(memory) / mass, fill(largest + math.log(mass))
    whole = loss = entropy = target = zeros()
    for first in range(0, memory.at.width, LANES):
        share = load(numbers, wanted + first)
        whole += share
        loss += share * (log_mass - load(numbers, place + first))
        entropy += where_positive(share, share * logarithm(share))
        target += share * load(numbers, memory.at.support + first)
    sums = four_totals(whole, loss, entropy, target)
    rate, weight = fill(lane(sums, 0) / mass), fill(factor)
    for first in range(0, memory.at.width, LANES):
        slope = load(numbers, memory.at.scratch + first) * rate - load(numbers, wanted + first)
        store(numbers, deltas + first, slope * weight)
    divergence = lane(sums, 1) + lane(sums, 2)
    priority = ZERO if divergence < ZERO else divergence
    return lane(sums, 1), prediction, prediction - lane(sums, 3), priority
