"""Acting and learning of all runs of a population, spread over threads.

Each run is computed by a single thread, so its numbers depend neither on the number of threads nor
on the other runs.
"""

import numba
import numpy as np

from dqn_exp.agent.native.network import (
    INPUTS,
    MLPShape,
    Workspace,
    backward,
    begin_gradient,
    end_gradient,
    forward,
    make_weights,
    workspace_of,
)
from dqn_exp.agent.native.state import Parts, Population, parts_of
from dqn_exp.agent.native.targets import (
    Batch,
    Draws,
    batch_of,
    best_actions,
    bootstrap,
    compute_loss,
    read_batch,
    set_inputs,
    td_targets,
)
from dqn_exp.agent.native.updates import limit_norm, move_target, step_adam
from dqn_exp.agent.native.views import matrix, prefetch
from dqn_exp.buffer.priorities import prioritize, sample_by_priority
from dqn_exp.buffer.rings import sample_uniformly
from dqn_exp.core import philox
from dqn_exp.core.arrays import BoolArray, Float32Array, Float64Array, IntArray
from dqn_exp.core.jit import cached_parallel_jit, exact_kernel, kernel
from dqn_exp.core.random_streams import Stream

LINE = 16
"""Single-precision numbers in a cache line."""

NEIGHBOURS = 8
"""Runs whose double-precision numbers fill a cache line."""

EXPLORATION, SAMPLING = int(Stream.EXPLORATION), int(Stream.SAMPLING)


@cached_parallel_jit
def act(
    num_threads: int,
    population: Population,
    runs: IntArray,
    observations: Float32Array,
    epsilon: Float64Array,
    steps: IntArray,
    actions: IntArray,
) -> None:
    """Chooses an action for every observation: random with probability epsilon, else greedy.

    Args:
        num_threads: T.
        population: of all runs.
        runs: `[M]` runs that act.
        observations: `[M, E, D]`.
        epsilon: `[M]`.
        steps: `[M]` the runs' own steps.
        actions: `[M, E]`, written.
    """
    for thread in numba.prange(num_threads):
        parts = parts_of(population)
        workspace = workspace_of(parts.workspaces, thread)
        for turn in range(len(runs)):
            row = place_of(turn, thread, num_threads, len(runs))
            if row >= len(runs):
                break
            run = runs[row]
            _act(
                parts.network,
                parts.parameters.online[run],
                workspace,
                observations[row],
                actions[row],
            )
            if epsilon[row] > 0:
                seed = parts.sampled.seeds[run]
                _explore(parts.network, epsilon[row], seed, steps[row], actions[row])


@cached_parallel_jit
def learn(
    num_threads: int,
    population: Population,
    learning: BoolArray,
    rates: Float64Array,
    importance: Float64Array,
    num_updates: int,
    is_given: bool,
    diverged: BoolArray,
) -> None:
    """Makes the updates of the learning runs.

    Args:
        num_threads: T.
        population: of all runs.
        learning: `[N]` runs that learn.
        rates: `[N]` learning rates.
        importance: `[N]` exponents of the importance weights.
        num_updates: updates of each run.
        is_given: whether `sampled` already holds the batches; otherwise they are drawn.
        diverged: `[N]`, written: runs with a loss that is not finite.
    """
    for thread in numba.prange(num_threads):
        parts, count = parts_of(population), len(learning)
        if not is_given:
            first = place_of(0, thread, num_threads, count)
            _sample_ahead(first, learning, importance, parts)
        for turn in range(count):
            run = place_of(turn, thread, num_threads, count)
            if run >= count:
                break
            if not is_given:
                following = place_of(turn + 1, thread, num_threads, count)
                _sample_ahead(following, learning, importance, parts)
            diverged[run] = False
            for update in range(num_updates if learning[run] else 0):
                if update > 0:
                    _sample(run, importance[run], parts)
                _update(run, thread, rates[run], parts)
                diverged[run] |= not np.isfinite(parts.newest.losses[run])
                if parts.buffer.is_prioritized and not is_given:
                    leaves, errors = parts.sampled.leaves[run], parts.newest.errors[run]
                    prioritize(parts.priorities, run, leaves, errors)


@exact_kernel
def place_of(turn: int, thread: int, num_threads: int, count: int) -> int:
    """Returns which of `count` runs a thread computes at a turn; `count` or more for none.

    Threads take neighbouring runs together, since threads that write to the same cache lines wait
    for each other. The groups are as large as equal shares of all threads allow.
    """
    share = -(-count // num_threads)
    group = -(-share // -(-share // NEIGHBOURS))
    return (turn // group * num_threads + thread) * group + turn % group


@kernel
def _act(
    network: MLPShape,
    parameters: Float32Array,
    workspace: Workspace,
    observations: Float32Array,
    actions: IntArray,
) -> None:
    """Writes the greedy `actions [E]` for `observations [E, D]` and `parameters [P]`."""
    rows = len(observations)
    weights = make_weights(network, parameters, workspace.transposed[0])
    matrix(workspace.units, 0, rows, network.layers[0, INPUTS])[:] = observations
    best_actions(forward(network, weights, workspace, rows), actions)


@kernel
def _explore(
    network: MLPShape, epsilon: float, seed: np.uint64, step: int, actions: IntArray
) -> None:
    """Replaces the first of `actions [E]` by a random one with probability epsilon."""
    first, second = philox.pair(seed, EXPLORATION, step)
    if philox.to_unit(first) < epsilon:
        actions[0] = philox.to_range(second, network.num_actions)


@kernel
def _sample_ahead(run: int, learning: BoolArray, importance: Float64Array, parts: Parts) -> None:
    """Samples and prefetches the first batch of a learning run while another one learns.

    The transitions of many runs do not fit into the caches.
    """
    if run < len(learning) and learning[run]:
        _sample(run, importance[run], parts)
        storage, offset = parts.buffer.storage, parts.buffer.offsets[run]
        width = storage.shape[1]
        for leaf in parts.sampled.leaves[run]:
            first = (offset + leaf) * width
            for place in range(first, first + width, LINE):
                prefetch(storage, place)
            prefetch(storage, first + width - 1)


@kernel
def _sample(run: int, importance: float, parts: Parts) -> None:
    """Draws the `leaves [B]` of a batch, and its `weights [B]` if it is prioritized."""
    sampled, size = parts.sampled, parts.buffer.sizes[run]
    numbers, leaves = sampled.numbers[run], sampled.leaves[run]
    first = parts.parameters.updates[run] * len(numbers)
    philox.fill(numbers, sampled.seeds[run], SAMPLING, first)
    if parts.buffer.is_prioritized:
        weights, priorities = sampled.weights[run], parts.priorities
        sample_by_priority(numbers, size, priorities, run, importance, leaves, weights)
    else:
        sample_uniformly(numbers, size, leaves)


@kernel
def _update(run: int, thread: int, rate: float, parts: Parts) -> None:
    """Makes one update of a run with its sampled batch."""
    parameters = parts.parameters
    sampled, buffer = parts.sampled, parts.buffer
    online, target = parameters.online[run], parameters.target[run]
    batch, workspace = batch_of(parts.batches, thread), workspace_of(parts.workspaces, thread)
    draws = Draws(buffer.storage[buffer.offsets[run] :], buffer.layout, sampled.leaves[run])
    read_batch(batch, draws, sampled.weights[run])
    _differentiate(run, online, target, parts, workspace, batch, draws)
    gradient, limit = workspace.gradient, parameters.norm_limits[run]
    parts.newest.norms[run] = limit_norm(gradient, limit)
    step_adam(parts.adam, run, online, gradient, rate)
    parameters.updates[run] += 1
    if parameters.updates[run] % parameters.periods[run] == 0:
        move_target(target, online, np.float32(parameters.taus[run]))


@kernel
def _differentiate(
    run: int,
    online: Float32Array,
    target: Float32Array,
    parts: Parts,
    workspace: Workspace,
    batch: Batch,
    draws: Draws,
) -> None:
    """Computes the loss of a batch and its gradient."""
    network, rules, newest = parts.network, parts.rules, parts.newest
    online_weights = make_weights(network, online, workspace.transposed[0])
    target_weights = make_weights(network, target, workspace.transposed[1])
    gradient = begin_gradient(workspace.gradient, workspace.transposed[2])
    bootstrap(network, online_weights, target_weights, workspace, batch, draws, rules.is_double)
    td_targets(batch, draws, rules, run)
    set_inputs(network, workspace, draws, draws.layout.observation)
    values = forward(network, online_weights, workspace, len(draws.leaves))
    errors, predictions = newest.errors[run], newest.predictions[run]
    newest.losses[run] = compute_loss(values, batch, rules, run, errors, predictions)
    backward(network, online_weights, gradient, workspace, batch.actions, batch.deltas)
    end_gradient(network, gradient)
