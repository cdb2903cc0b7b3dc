"""Targets and losses of a batch of one run, in compiled code.

The equations are those of `agent.td_target` and `agent.value`, against which they are tested.
"""

from typing import NamedTuple

import numpy as np

from dqn_exp.agent.native.network import (
    INPUTS,
    MLPShape,
    Weights,
    Workspace,
    forward,
)
from dqn_exp.agent.native.views import matrix
from dqn_exp.core.arrays import Float32Array, IntArray
from dqn_exp.core.jit import kernel
from dqn_exp.core.transition import TransitionLayout

ZERO, HALF, TWO = np.float32(0), np.float32(0.5), np.float32(2)


class Rules(NamedTuple):
    """Target rule and loss of a population.

    Attributes:
        factors: `[N, n]` of the rewards of a transition.
        reward_limits: `[N]` magnitudes that rewards are clipped to.
        huber_deltas: `[N]` errors where the loss becomes linear.
        is_double: whether the online network chooses the action to bootstrap from.
        is_huber: whether the loss is Huber's, else it is squared.
    """

    factors: Float32Array
    reward_limits: Float32Array
    huber_deltas: Float32Array
    is_double: bool
    is_huber: bool


class Draws(NamedTuple):
    """The transitions of a batch.

    Attributes:
        transitions: `[C, width]` stored transitions of a run.
        layout: of their rows.
        leaves: `[B]` rows of the batch.
    """

    transitions: Float32Array
    layout: TransitionLayout
    leaves: IntArray


class Batch(NamedTuple):
    """A batch of one run; with the thread axis first, one per thread.

    Attributes:
        weights: `[B]` factors of the losses in their sum.
        actions: `[B]` actions taken.
        chosen: `[B]` actions to bootstrap from.
        targets: `[B]` targets of the values.
        deltas: `[B]` derivatives of the loss by the values of the actions taken.
    """

    weights: Float32Array
    actions: IntArray
    chosen: IntArray
    targets: Float32Array
    deltas: Float32Array


def make_batches(num_threads: int, batch_size: int) -> Batch:
    """Allocates batches `[T, ...]`."""
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
def read_batch(batch: Batch, draws: Draws, weights: Float32Array) -> None:
    """Reads the actions taken, and divides the weights `[B]` by B."""
    place, count = draws.layout.action, np.float32(len(weights))
    for b in range(len(weights)):
        batch.actions[b] = int(draws.transitions[draws.leaves[b], place])
        batch.weights[b] = weights[b] / count


@kernel
def set_inputs(network: MLPShape, workspace: Workspace, draws: Draws, first: int) -> None:
    """Copies the D numbers from offset `first` of the transitions to the inputs."""
    count = network.layers[0, INPUTS]
    inputs = matrix(workspace.units, 0, len(draws.leaves), count)
    for b in range(len(draws.leaves)):
        leaf = draws.leaves[b]
        for i in range(count):
            inputs[b, i] = draws.transitions[leaf, first + i]


@kernel
def bootstrap(
    network: MLPShape,
    online: Weights,
    target: Weights,
    workspace: Workspace,
    batch: Batch,
    draws: Draws,
    is_double: bool,
) -> None:
    """Writes the values of the next observations to the targets.

    They are the target network's values of its own greedy actions or, with `is_double`, of those
    of the online network. The first of equal values is taken.
    """
    rows = len(draws.leaves)
    set_inputs(network, workspace, draws, draws.layout.next_observation)
    if is_double:
        best_actions(forward(network, online, workspace, rows), batch.chosen)
    values = forward(network, target, workspace, rows)
    if not is_double:
        best_actions(values, batch.chosen)
    for b in range(rows):
        batch.targets[b] = values[b, batch.chosen[b]]


@kernel
def best_actions(values: Float32Array, actions: IntArray) -> None:
    """Writes the first maximum of `values [B, A]` to `actions [B]`; NaN counts as the maximum."""
    for b in range(len(actions)):
        best = 0
        for action in range(1, values.shape[1]):
            found, greatest = values[b, action], values[b, best]
            if greatest == greatest and not found <= greatest:
                best = action
        actions[b] = best


@kernel
def td_targets(batch: Batch, draws: Draws, rules: Rules, run: int) -> None:
    """Replaces bootstrapped values by targets: `reward + discount * bootstrap`."""
    limit, factors = rules.reward_limits[run], rules.factors[run]
    layout = draws.layout
    for b in range(len(draws.leaves)):
        leaf, reward = draws.leaves[b], ZERO
        for step in range(len(factors)):
            given = draws.transitions[leaf, layout.rewards + step]
            reward += factors[step] * bounded(given, limit)
        batch.targets[b] = reward + draws.transitions[leaf, layout.discount] * batch.targets[b]


@kernel
def bounded(value: np.float32, limit: np.float32) -> np.float32:
    """Clips a value to a magnitude; NaN stays NaN."""
    if value > limit:
        return limit
    return -limit if value < -limit else value


@kernel
def squared_loss(error: np.float32) -> tuple[np.float32, np.float32]:
    """Returns the squared TD error and its derivative."""
    return error * error, TWO * error


@kernel
def huber_loss(error: np.float32, delta: np.float32) -> tuple[np.float32, np.float32]:
    """Returns the Huber loss of a TD error and its derivative."""
    slope = bounded(error, delta)
    return slope * (error - HALF * slope), slope


@kernel
def compute_loss(
    values: Float32Array,
    batch: Batch,
    rules: Rules,
    run: int,
    errors: Float32Array,
    predictions: Float32Array,
) -> np.float32:
    """Computes the loss of the actions taken and writes its derivatives to `batch.deltas`.

    Args:
        values: `[B, A]` of the online network.
        batch: with actions, targets and weights.
        rules: the loss.
        run: row of the run.
        errors: `[B]`, written: TD errors, each the value minus its target.
        predictions: `[B]`, written: the values.

    Returns:
        The weighted sum of the losses.
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
