"""From a batch of one run to the gradients of its values, in compiled code.

The equations are those of `td_target` and `value`, against which they are tested; here each stands
for a single run.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from dqn_exp.compiled import kernel
from dqn_exp.native_memory import matrix
from dqn_exp.native_network import (
    INPUTS,
    Memory,
    Network,
    Weights,
    forward,
)

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

ZERO, HALF, TWO = np.float32(0), np.float32(0.5), np.float32(2)


class Rules(NamedTuple):
    """What a target and a loss are.

    factors: `[N, n]` of the rewards of a transition.
    reward_limits: `[N]` magnitudes that rewards are clipped to.
    huber_deltas: `[N]` errors where the loss becomes linear.
    is_double: whether the online network chooses the action.
    is_huber: whether the loss is that of Huber.
    """

    factors: Floats
    reward_limits: Floats
    huber_deltas: Floats
    is_double: bool
    is_huber: bool


class Batch(NamedTuple):
    """A batch of one run; with threads first, those of all threads.

    rows: `[B, 2 * D + 2 + n]` packed transitions.
    weights: `[B]` factors of the losses.
    actions: `[B]` that were taken.
    chosen: `[B]` the actions to bootstrap from.
    targets: `[B]` of the values.
    deltas: `[B]` gradients of the values of the actions taken.
    """

    rows: Floats
    weights: Floats
    actions: Ints
    chosen: Ints
    targets: Floats
    deltas: Floats


def make_batches(num_threads: int, batch_size: int, width: int) -> Batch:
    """Makes batches `[T, ...]` of packed transitions of some width."""
    shape = (num_threads, batch_size)
    return Batch(
        rows=np.zeros((*shape, width), dtype=np.float32),
        weights=np.zeros(shape, dtype=np.float32),
        actions=np.zeros(shape, dtype=np.int64),
        chosen=np.zeros(shape, dtype=np.int64),
        targets=np.zeros(shape, dtype=np.float32),
        deltas=np.zeros(shape, dtype=np.float32),
    )


@kernel
def batch_of(batches: Batch, thread: int) -> Batch:
    """Returns the batch of one thread."""
    return Batch(
        batches.rows[thread],
        batches.weights[thread],
        batches.actions[thread],
        batches.chosen[thread],
        batches.targets[thread],
        batches.deltas[thread],
    )


@kernel
def read_batch(
    network: Network, batch: Batch, storage: Floats, offset: int, leaves: Ints, weights: Floats
) -> None:
    """Reads the transitions that lie at `leaves [B]` behind an offset in the storage."""
    rows, first = batch.rows, 2 * network.layers[0, INPUTS]
    for b in range(len(leaves)):
        for i in range(rows.shape[1]):
            rows[b, i] = storage[offset + leaves[b], i]
        batch.actions[b] = int(rows[b, first])
        batch.weights[b] = weights[b]


@kernel
def set_inputs(network: Network, memory: Memory, batch: Batch, first: int) -> None:
    """Makes columns `first` to `first + D` of the batch the inputs of the network."""
    count = network.layers[0, INPUTS]
    inputs = matrix(memory.units, 0, len(batch.rows), count)
    for b in range(len(batch.rows)):
        for i in range(count):
            inputs[b, i] = batch.rows[b, first + i]


@kernel
def bootstrap(
    network: Network,
    online: Weights,
    target: Weights,
    memory: Memory,
    batch: Batch,
    is_double: bool,
) -> None:
    """Writes to the targets what the observations that follow are worth.

    It is the value that the target network has for the action that is best in its own eyes, or in
    those of the online network. The first of equal values is taken.
    """
    rows = len(batch.rows)
    set_inputs(network, memory, batch, network.layers[0, INPUTS])
    if is_double:
        best_actions(forward(network, online, memory, rows), batch.chosen)
    values = forward(network, target, memory, rows)
    if not is_double:
        best_actions(values, batch.chosen)
    for b in range(rows):
        batch.targets[b] = values[b, batch.chosen[b]]


@kernel
def best_actions(values: Floats, actions: Ints) -> None:
    """Writes to `actions [B]` the first of the greatest of `values [B, A]`; nan is the greatest."""
    for b in range(len(actions)):
        best = 0
        for action in range(1, values.shape[1]):
            found, greatest = values[b, action], values[b, best]
            if greatest == greatest and not found <= greatest:
                best = action
        actions[b] = best


@kernel
def td_targets(network: Network, batch: Batch, rules: Rules, run: int) -> None:
    """Makes targets of the bootstrapped values in them: `reward + discount * bootstrap`."""
    limit, factors = rules.reward_limits[run], rules.factors[run]
    first = 2 * network.layers[0, INPUTS] + 1
    for b in range(len(batch.rows)):
        reward = ZERO
        for step in range(len(factors)):
            given = batch.rows[b, first + 1 + step]
            reward += factors[step] * bounded(given, limit)
        batch.targets[b] = reward + batch.rows[b, first] * batch.targets[b]


@kernel
def bounded(value: np.float32, limit: np.float32) -> np.float32:
    """Returns the nearest value of a magnitude up to the limit; what is not a number stays so."""
    if value > limit:
        return limit
    return -limit if value < -limit else value


@kernel
def squared_loss(error: np.float32) -> tuple[np.float32, np.float32]:
    """Returns the square of a TD error, and its derivative."""
    return error * error, TWO * error


@kernel
def huber_loss(error: np.float32, delta: np.float32) -> tuple[np.float32, np.float32]:
    """Returns half the square of a TD error up to delta and linear beyond, and its derivative."""
    slope = bounded(error, delta)
    return slope * (error - HALF * slope), slope


@kernel
def judge(
    values: Floats,
    batch: Batch,
    rules: Rules,
    run: int,
    errors: Floats,
    predictions: Floats,
) -> np.float32:
    """Compares the values of the actions taken with their targets; writes their deltas.

    Args:
        values: `[B, A]` of the online network.
        batch: with actions, targets and weights.
        rules: the loss.
        run: row of the run.
        errors: `[B]`, written: by how much the values exceed their targets.
        predictions: `[B]`, written: the values.

    Returns:
        The mean of the losses by their weights.
    """
    count, total = np.float32(len(errors)), ZERO
    for b in range(len(errors)):
        predictions[b] = values[b, batch.actions[b]]
        errors[b] = predictions[b] - batch.targets[b]
        if rules.is_huber:
            loss, slope = huber_loss(errors[b], rules.huber_deltas[run])
        else:
            loss, slope = squared_loss(errors[b])
        batch.deltas[b] = slope * (batch.weights[b] / count)
        total += loss * batch.weights[b]
    return total / count
