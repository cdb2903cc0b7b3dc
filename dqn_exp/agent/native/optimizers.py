"""Optimizers and target updates of one run, in compiled code.

The equations are those of `agent.optimizer` and `agent.dqn`, against which they are tested.
"""

from typing import Any

import numpy as np

from dqn_exp.agent.native.memory import Memory
from dqn_exp.agent.native.spec import Spec
from dqn_exp.agent.optimizer import BETA1, BETA2, FLUSH_BELOW
from dqn_exp.core.arrays import Float32Array
from dqn_exp.core.compile_time import Static, chosen
from dqn_exp.core.jit import kernel
from dqn_exp.core.vector import LANES, fill, load, store, zeros
from dqn_exp.core.vector_functions import positive_part, square_root, where_small
from dqn_exp.core.vector_lanes import total

ONE, SMALLEST = np.float32(1), np.float32(1e-6)
FLUSH = np.float32(FLUSH_BELOW)


@kernel
def norm(numbers: Float32Array, place: int, count: int) -> np.float32:
    """Returns the Euclidean norm of numbers."""
    sum0 = sum1 = sum2 = sum3 = zeros()
    for i in range(place, place + count - 3 * LANES, 4 * LANES):
        given0, given1 = load(numbers, i), load(numbers, i + LANES)
        given2, given3 = load(numbers, i + 2 * LANES), load(numbers, i + 3 * LANES)
        sum0 += given0 * given0
        sum1 += given1 * given1
        sum2 += given2 * given2
        sum3 += given3 * given3
    for i in range(place + count - count % (4 * LANES), place + count, LANES):
        given0 = load(numbers, i)
        sum0 += given0 * given0
    length: np.float32 = np.sqrt(total((sum0 + sum1) + (sum2 + sum3)))
    return length


@kernel
def limit_norm(numbers: Float32Array, place: int, count: int, limit: np.float32) -> np.float32:
    """Clips the norm of a gradient to a limit; returns the norm before."""
    length = norm(numbers, place, count)
    if length > limit:
        share = fill(limit / (length + SMALLEST))
        for i in range(place, place + count, LANES):
            store(numbers, i, load(numbers, i) * share)
    return length


@kernel
def _step_adam(_spec: Static, memory: Memory, record: Any, count: int, rate: float) -> None:
    record.beta1_power *= BETA1
    record.beta2_power *= BETA2
    numbers, least = memory.numbers, fill(FLUSH)
    share1, share2 = fill(1 - BETA1), fill(1 - BETA2)
    scale, epsilon = fill(1.0 / np.sqrt(1.0 - record.beta2_power)), fill(record.optimizer_epsilon)
    step = fill(rate / (1.0 - record.beta1_power))
    kept = fill(1.0 - rate * record.weight_decay)
    for i in range(0, count, LANES):
        slope = load(numbers, memory.at.gradient + i)
        first, second = load(numbers, memory.at.first + i), load(numbers, memory.at.second + i)
        first = first + share1 * (slope - first)
        second = second + share2 * (slope * slope - second)
        first = where_small(first, least, zeros(), first)
        second = where_small(second, least, zeros(), second)
        store(numbers, memory.at.first + i, first)
        store(numbers, memory.at.second + i, second)
        change = step * first / (square_root(second) * scale + epsilon)
        place = memory.at.online + i
        store(numbers, place, load(numbers, place) * kept - change)


@kernel
def _step_rmsprop(_spec: Static, memory: Memory, record: Any, count: int, rate: float) -> None:
    numbers, least, share = memory.numbers, fill(FLUSH), fill(record.optimizer_share)
    epsilon, step = fill(record.optimizer_epsilon), fill(rate)
    for i in range(0, count, LANES):
        slope = load(numbers, memory.at.gradient + i)
        first, second = load(numbers, memory.at.first + i), load(numbers, memory.at.second + i)
        first = first + share * (slope - first)
        second = second + share * (slope * slope - second)
        first = where_small(first, least, zeros(), first)
        second = where_small(second, least, zeros(), second)
        store(numbers, memory.at.first + i, first)
        store(numbers, memory.at.second + i, second)
        # Where the gradient is constant, rounding may leave a negative variance.
        variance = positive_part(second - first * first)
        change = step * slope / square_root(variance + epsilon)
        store(numbers, memory.at.online + i, load(numbers, memory.at.online + i) - change)


@chosen
def step_optimizer(spec: Spec) -> Any:
    """Updates the online parameters by the gradient, at a learning rate."""
    return {"adam": _step_adam, "rmsprop": _step_rmsprop}[spec.optimizer]


@kernel
def move_target(numbers: Float32Array, target: int, online: int, count: int, tau: float) -> None:
    """Moves the target by a share (tau) of its distance to the online parameters."""
    share = fill(tau)
    for i in range(0, count, LANES):
        new, old = load(numbers, online + i), load(numbers, target + i)
        # Exactly the online parameters with a share of 1.
        store(numbers, target + i, new if tau >= 1.0 else old + share * (new - old))


@kernel
def target_distance(memory: Memory, count: int) -> np.float32:
    """Returns the norm of the target minus the online parameters, relative to the latter's."""
    numbers, sums = memory.numbers, zeros()
    for i in range(0, count, LANES):
        difference = load(numbers, memory.at.online + i) - load(numbers, memory.at.target + i)
        sums += difference * difference
    distance: np.float32 = np.sqrt(total(sums)) / norm(numbers, memory.at.online, count)
    return distance
