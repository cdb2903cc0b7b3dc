"""Values that are quantiles of the return, and their loss, in compiled code.

The equations are those of `agent.value.QuantileValue`, against which they are tested.
"""

from typing import Any

import numpy as np

from dqn_exp.agent.native.memory import Memory
from dqn_exp.core.compile_time import Static
from dqn_exp.core.jit import kernel
from dqn_exp.core.vector import LANES, bounded, fill, load, magnitude, total, zeros

ZERO, HALF, ONE = np.float32(0), np.float32(0.5), np.float32(1)


@kernel
def quantile_mean(_spec: Static, memory: Memory, _record: Any, place: int) -> np.float32:
    """Returns the mean of the quantiles of an action."""
    mean = ZERO
    for output in range(memory.at.num_outputs):
        mean += memory.numbers[place + output]
    return mean / np.float32(memory.at.num_outputs)


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
    wanted = memory.at.wanted + row * memory.at.width
    for output in range(memory.at.num_outputs):
        memory.numbers[wanted + output] = reward + discount * memory.numbers[place + output]


@kernel
def quantile_loss(
    spec: Static, memory: Memory, record: Any, row: int, place: int, factor: np.float32
) -> tuple[np.float32, np.float32, np.float32, np.float32]:
    """Returns loss, prediction, TD error and priority of a row, and writes its deltas."""
    numbers, count = memory.numbers, memory.at.num_outputs
    wanted = memory.at.wanted + row * memory.at.width
    deltas = place + memory.at.deltas - memory.at.units
    mean = ZERO
    for k in range(count):
        numbers[memory.at.scratch + k] = numbers[wanted + k]
        mean += numbers[wanted + k]
    delta, loss = record.huber_delta, ZERO
    scale, low, high, half = delta * np.float32(count), fill(-delta), fill(delta), fill(HALF)
    for k in range(count):
        output = fill(numbers[place + k])
        slope = size = halves = signed = zeros()
        for first in range(0, count, LANES):
            error = load(numbers, memory.at.scratch + first) - output
            # Padding counts for nothing.
            clipped = bounded(error, low, high) * load(numbers, memory.at.mask + first)
            rest, length = error - half * clipped, magnitude(clipped)
            slope += clipped
            size += length
            halves += rest * clipped
            signed += rest * length
        tilt = (np.float32(k) + HALF) / np.float32(count) - HALF
        numbers[deltas + k] = -factor * (HALF * total(slope) + tilt * total(size)) / scale
        loss += (HALF * total(halves) + tilt * total(signed)) / scale
    prediction = quantile_mean(spec, memory, record, place)
    error_of_mean = prediction - mean / np.float32(count)
    return loss, prediction, error_of_mean, abs(error_of_mean)
