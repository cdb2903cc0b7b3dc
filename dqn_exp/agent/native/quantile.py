"""Values that are quantiles of the return, and their loss, in compiled code.

The equations are those of `agent.value.QuantileValue`, against which they are tested.
"""

from typing import Any

import numpy as np

from dqn_exp.agent.native.memory import Memory
from dqn_exp.core.compile_time import Static
from dqn_exp.core.jit import kernel
from dqn_exp.core.vector import LANES, fill, load, store, zeros
from dqn_exp.core.vector_functions import bounded, magnitude
from dqn_exp.core.vector_lanes import four_totals, lane, total

ZERO, HALF, ONE = np.float32(0), np.float32(0.5), np.float32(1)


@kernel
def _sum_of(memory: Memory, place: int) -> np.float32:
    """Returns the sum of K numbers, which are padded with zeros."""
    sums = zeros()
    for first in range(0, memory.at.width, LANES):
        sums += load(memory.numbers, place + first)
    found: np.float32 = total(sums)
    return found


@kernel
def quantile_mean(_spec: Static, memory: Memory, _record: Any, place: int) -> np.float32:
    """Returns the mean of the quantiles of an action."""
    return _sum_of(memory, place) / np.float32(memory.at.num_outputs)


@kernel
def set_quantiles(
    _spec: Static,
    memory: Memory,
    _record: Any,
    row: int,
    place: int,
    reward: float,
    discount: float,
) -> None:
    """Sets the target atoms of a row."""
    wanted, numbers = memory.at.wanted + row * memory.at.width, memory.numbers
    shift, factor = fill(reward), fill(discount)
    for first in range(0, memory.at.width, LANES):
        value = shift + factor * load(numbers, place + first)
        store(numbers, wanted + first, value * load(numbers, memory.at.mask + first))


@kernel
def quantile_loss(
    spec: Static, memory: Memory, record: Any, row: int, place: int, factor: np.float32
) -> tuple[np.float32, np.float32, np.float32, np.float32]:
    """Returns loss, prediction, TD error and priority of a row, and writes its deltas."""
    numbers, count = memory.numbers, memory.at.num_outputs
    wanted = memory.at.wanted + row * memory.at.width
    deltas = place + memory.at.deltas - memory.at.units
    delta, loss = record.huber_delta, ZERO
    scale, low, high, half = delta * np.float32(count), fill(-delta), fill(delta), fill(HALF)
    for k in range(count):
        output = fill(numbers[place + k])
        slope = size = halves = signed = zeros()
        for first in range(0, memory.at.width, LANES):
            error = load(numbers, wanted + first) - output
            # Padding counts for nothing.
            clipped = bounded(error, low, high) * load(numbers, memory.at.mask + first)
            rest, length = error - half * clipped, magnitude(clipped)
            slope += clipped
            size += length
            halves += rest * clipped
            signed += rest * length
        tilt = (np.float32(k) + HALF) / np.float32(count) - HALF
        sums = four_totals(slope, size, halves, signed)
        numbers[deltas + k] = -factor * (HALF * lane(sums, 0) + tilt * lane(sums, 1)) / scale
        loss += (HALF * lane(sums, 2) + tilt * lane(sums, 3)) / scale
    prediction = quantile_mean(spec, memory, record, place)
    error_of_mean = prediction - _sum_of(memory, wanted) / np.float32(count)
    return loss, prediction, error_of_mean, abs(error_of_mean)
