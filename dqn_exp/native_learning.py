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


class Draws(NamedTuple):
    """Where the transitions of a batch lie.

    transitions: `[C, 2 * D + 2 + n]` packed ones of a run.
    leaves: `[B]` rows of them.
    """

    transitions: Floats
    leaves: Ints


class Batch(NamedTuple):
    """A batch of one run; with threads first, those of all threads.

    weights: `[B]` factors of the losses in their sum.
    actions: `[B]` that were taken.
    chosen: `[B]` the actions to bootstrap from.
    targets: `[B]` of the values.
    deltas: `[B]` gradients of the values of the actions taken.
    """

    weights: Floats
    actions: Ints
    chosen: Ints
    targets: Floats
    deltas: Floats


def make_batches(num_threads: int, batch_size: int) -> Batch:
    """Makes batches `[T, ...]`."""
    shape = (num_threads, batch_size)
    return Batch(
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
        batches.weights[thread],
        batches.actions[thread],
        batches.chosen[thread],
        batches.targets[thread],
        batches.deltas[thread],
    )


@kernel
def read_batch(network: Network, batch: Batch, draws: Draws, weights: Floats) -> None:
    """Reads what actions were taken, and takes notice of the weights `[B]`."""
    place, count = 2 * network.layers[0, INPUTS], np.float32(len(weights))
    for b in range(len(weights)):
        batch.actions[b] = int(draws.transitions[draws.leaves[b], place])
        batch.weights[b] = weights[b] / count


@kernel
def set_inputs(network: Network, memory: Memory, draws: Draws, first: int) -> None:
    """Makes numbers `first` to `first + D` of the transitions the inputs of the network."""
    count = network.layers[0, INPUTS]
    inputs = matrix(memory.units, 0, len(draws.leaves), count)
    for b in range(len(draws.leaves)):
        leaf = draws.leaves[b]
        for i in range(count):
            inputs[b, i] = draws.transitions[leaf, first + i]


@kernel
def bootstrap(
    network: Network,
    online: Weights,
    target: Weights,
    memory: Memory,
    batch: Batch,
    draws: Draws,
    is_double: bool,
) -> None:
    """Writes to the targets what the observations that follow are worth.

    It is the value that the target network has for the action that is best in its own eyes, or in
    those of the online network. The first of equal values is taken.
    """
    rows = len(draws.leaves)
    set_inputs(network, memory, draws, network.layers[0, INPUTS])
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
def td_targets(network: Network, batch: Batch, draws: Draws, rules: Rules, run: int) -> None:
    """Makes targets of the bootstrapped values in them: `reward + discount * bootstrap`."""
    limit, factors = rules.reward_limits[run], rules.factors[run]
    first = 2 * network.layers[0, INPUTS] + 1
    for b in range(len(draws.leaves)):
        leaf, reward = draws.leaves[b], ZERO
        for step in range(len(factors)):
            given = draws.transitions[leaf, first + 1 + step]
            reward += factors[step] * bounded(given, limit)
        batch.targets[b] = reward + draws.transitions[leaf, first] * batch.targets[b]


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
        The sum of the losses by their weights.
    """
    total = ZERO
    for b in range(len(errors)):
        predictions[b] = values[b, batch.actions[b]]
        errors[b] = predictions[b] - batch.targets[b]
        if rules.is_huber:
            loss, slope = huber_loss(errors[b], rules.huber_deltas[run])
        else:
            loss, slope = squared_loss(errors[b])
        batch.deltas[b] = slope * batch.weights[b]
        total += loss * batch.weights[b]
    return total
