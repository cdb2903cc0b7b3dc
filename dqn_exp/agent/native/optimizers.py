"""Optimizers and target updates of one run, in compiled code.

The equations are those of `agent.optimizer` and `agent.dqn`, against which they are tested.
"""

from typing import Any

import numpy as np

from dqn_exp.agent.native.layout import PART
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

CLIP, RATE, EPSILON, SCALE, KEPT, SHARE = range(6)
"""Places among the coefficients of a step: what the gradient is multiplied by, the learning rate,
what is added to the denominator, what the second moment's root and the parameters are multiplied
by, and the share of a new gradient in the moments."""


@kernel
def sum_of_squares(numbers: Float32Array, place: int, count: int) -> np.float32:
    """Returns the sum of the squares of numbers."""
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
    squares: np.float32 = total((sum0 + sum1) + (sum2 + sum3))
    return squares


@kernel
def num_parts(memory: Memory) -> int:
    """Returns the number of parts of the parameters."""
    return int(-(-memory.at.num_trained // PART))


@kernel
def square_part(memory: Memory, part: int) -> None:
    """Writes the sum of the squares of a part of the gradient."""
    first = part * PART
    count = min(PART, memory.at.num_trained - first)
    squares = sum_of_squares(memory.numbers, memory.at.gradient + first, count)
    memory.numbers[memory.at.squares + part] = squares


@kernel
def limit_norm(memory: Memory, limit: np.float32) -> np.float32:
    """Limits the norm of the gradient in the coming step, given the squares of all parts.

    Returns:
        The norm before.
    """
    numbers, squares = memory.numbers, np.float32(0)
    for part in range(num_parts(memory)):
        squares += numbers[memory.at.squares + part]
    length: np.float32 = np.sqrt(squares)
    share = limit / (length + SMALLEST) if length > limit else ONE
    numbers[memory.at.coefficients + CLIP] = share
    return length


@kernel
def _prepare_adam(_spec: Static, memory: Memory, record: Any, rate: float) -> None:
    record.beta1_power *= BETA1
    record.beta2_power *= BETA2
    numbers, to = memory.numbers, memory.at.coefficients
    numbers[to + RATE] = rate / (1.0 - record.beta1_power)
    numbers[to + EPSILON] = record.optimizer_epsilon
    numbers[to + SCALE] = 1.0 / np.sqrt(1.0 - record.beta2_power)
    numbers[to + KEPT] = 1.0 - rate * record.weight_decay


@kernel
def _prepare_rmsprop(_spec: Static, memory: Memory, record: Any, rate: float) -> None:
    numbers, to = memory.numbers, memory.at.coefficients
    numbers[to + RATE] = rate
    numbers[to + EPSILON] = record.optimizer_epsilon
    numbers[to + SHARE] = record.optimizer_share


@chosen
def prepare_step(spec: Spec) -> Any:
    """Writes the coefficients of a step of the optimizer at a learning rate, after `limit_norm`."""
    return {"adam": _prepare_adam, "rmsprop": _prepare_rmsprop}[spec.optimizer]


@kernel
def _coefficient(memory: Memory, which: int) -> Any:
    return fill(memory.numbers[memory.at.coefficients + which])


@kernel
def _step_adam(_spec: Static, memory: Memory, part: int) -> None:
    numbers, least = memory.numbers, fill(FLUSH)
    share1, share2, clip = fill(1 - BETA1), fill(1 - BETA2), _coefficient(memory, CLIP)
    step, epsilon = _coefficient(memory, RATE), _coefficient(memory, EPSILON)
    scale, kept = _coefficient(memory, SCALE), _coefficient(memory, KEPT)
    for i in range(part * PART, min((part + 1) * PART, memory.at.num_trained), LANES):
        slope = load(numbers, memory.at.gradient + i) * clip
        first, second = load(numbers, memory.at.first + i), load(numbers, memory.at.second + i)
        first = first + share1 * (slope - first)
        second = second + share2 * (slope * slope - second)
        first = where_small(first, least, zeros(), first)
        second = where_small(second, least, zeros(), second)
        store(numbers, memory.at.first + i, first)
        store(numbers, memory.at.second + i, second)
        # With a smaller epsilon, a root of 0 would make large changes.
        root = square_root(where_small(second, least, least, second))
        change = step * first / (root * scale + epsilon)
        place = memory.at.online + i
        store(numbers, place, load(numbers, place) * kept - change)


@kernel
def _step_rmsprop(_spec: Static, memory: Memory, part: int) -> None:
    numbers, least, clip = memory.numbers, fill(FLUSH), _coefficient(memory, CLIP)
    step, epsilon = _coefficient(memory, RATE), _coefficient(memory, EPSILON)
    share = _coefficient(memory, SHARE)
    for i in range(part * PART, min((part + 1) * PART, memory.at.num_trained), LANES):
        slope = load(numbers, memory.at.gradient + i) * clip
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
def step_part(spec: Spec) -> Any:
    """Updates a part of the online parameters by the gradient, after `prepare_step`."""
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
    distance: np.float32 = np.sqrt(total(sums) / sum_of_squares(numbers, memory.at.online, count))
    return distance
