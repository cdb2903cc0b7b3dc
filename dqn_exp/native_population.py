"""How all runs of a population act and learn in compiled code, spread over threads.

Each run is computed by one thread, alone, so its numbers depend neither on the threads nor on the
other runs.
"""

from typing import NamedTuple

import numba
import numpy as np
import numpy.typing as npt

from dqn_exp import philox
from dqn_exp.compiled import kernel, parallel_entry
from dqn_exp.native_learning import (
    Batch,
    Rules,
    batch_of,
    best_actions,
    bootstrap,
    judge,
    read_batch,
    set_inputs,
    td_targets,
)
from dqn_exp.native_network import (
    INPUTS,
    Memory,
    Network,
    backward,
    forward,
    head_deltas,
    matrix,
    memory_of,
)
from dqn_exp.native_steps import AdamState, limit_norm, move_target, step_adam
from dqn_exp.random_streams import Stream
from dqn_exp.replay import Priorities, prioritize, sample_by_priority, sample_uniformly

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]

EXPLORATION, SAMPLING = int(Stream.EXPLORATION), int(Stream.SAMPLING)


class Parameters(NamedTuple):
    """Online and target parameters of all runs, and how they move.

    online, target: `[N, P]`.
    updates: `[N]` made so far.
    periods: `[N]` updates between two moves of the target.
    shares: `[N]` of its distance that the target moves.
    norm_limits: `[N]` of the gradient.
    """

    online: Floats
    target: Floats
    updates: Ints
    periods: Ints
    shares: Doubles
    norm_limits: Floats


class Replay(NamedTuple):
    """The rings of all runs.

    storage: packed transitions.
    offsets, sizes: `[N]`.
    is_prioritized: whether they have priorities.
    """

    storage: Floats
    offsets: Ints
    sizes: Ints
    is_prioritized: bool


class Sampled(NamedTuple):
    """What the batches consist of.

    seeds: `[N]` of the runs.
    leaves: `[N, B]` places in the rings.
    weights: `[N, B]` factors of the losses.
    numbers: `[N, B]` random ones.
    """

    seeds: npt.NDArray[np.uint64]
    leaves: Ints
    weights: Floats
    numbers: npt.NDArray[np.uint32]


class Figures(NamedTuple):
    """What the newest updates were like: `[N]`, and `[N, B]` of their transitions."""

    losses: Floats
    norms: Floats
    errors: Floats
    predictions: Floats


@parallel_entry
def act(
    num_threads: int,
    network: Network,
    memories: Memory,
    online: Floats,
    runs: Ints,
    observations: Floats,
    epsilon: Doubles,
    seeds: npt.NDArray[np.uint64],
    steps: Ints,
    actions: Ints,
) -> None:
    """Chooses an action for every observation: random with probability epsilon, else greedy.

    Args:
        num_threads: T.
        network: its shape.
        memories: `[T, ...]`.
        online: `[N, P]`.
        runs: `[M]` whose parameters are used.
        observations: `[M, E, D]`.
        epsilon: `[M]`.
        seeds: `[M]` of the runs.
        steps: `[M]` at which the runs stand.
        actions: `[M, E]`, written.
    """
    for thread in numba.prange(num_threads):
        memory = memory_of(memories, thread)
        for row in range(thread, len(runs), num_threads):
            _act(network, online[runs[row]], memory, observations[row], actions[row])
            if epsilon[row] > 0:
                _explore(network, epsilon[row], seeds[row], steps[row], actions[row])


@parallel_entry
def learn(
    num_threads: int,
    learning: Bools,
    rates: Doubles,
    importance: Doubles,
    num_updates: int,
    is_given: bool,
    network: Network,
    rules: Rules,
    parameters: Parameters,
    adam: AdamState,
    replay: Replay,
    priorities: Priorities,
    sampled: Sampled,
    figures: Figures,
    memories: Memory,
    batches: Batch,
) -> None:
    """Makes updates of the runs that learn.

    Args:
        num_threads: T.
        learning: `[N]`.
        rates: `[N]` learning rates.
        importance: `[N]` exponents of the weights of transitions.
        num_updates: of each run.
        is_given: whether `sampled` holds the batch; otherwise it is drawn.
        network: its shape.
        rules: of targets and losses.
        parameters: of the networks.
        adam: the optimizer.
        replay: the transitions.
        priorities: of them; without meaning where there are none.
        sampled: written, unless it is given.
        figures: written.
        memories: `[T, ...]`.
        batches: `[T, ...]`.
    """
    for thread in numba.prange(num_threads):
        memory, batch = memory_of(memories, thread), batch_of(batches, thread)
        for run in range(thread, len(learning), num_threads):
            if learning[run]:
                for _ in range(num_updates):
                    if not is_given:
                        _sample(run, importance[run], parameters, replay, priorities, sampled)
                    _learn(
                        run, network, rules, parameters, replay, sampled, figures, memory, batch
                    )
                    _update(run, rates[run], parameters, adam, batch.gradient, figures)
                    if replay.is_prioritized and not is_given:
                        leaves, errors = sampled.leaves[run], figures.errors[run]
                        prioritize(priorities, run, leaves, errors)


@kernel
def _act(
    network: Network, parameters: Floats, memory: Memory, observations: Floats, actions: Ints
) -> None:
    rows = len(observations)
    matrix(memory.units, 0, rows, network.layers[0, INPUTS])[:] = observations
    best_actions(forward(network, parameters, memory, rows), actions)


@kernel
def _explore(network: Network, epsilon: float, seed: np.uint64, step: int, actions: Ints) -> None:
    first, second = philox.pair(seed, EXPLORATION, step)
    if philox.to_unit(first) < epsilon:
        actions[0] = philox.to_range(second, network.num_actions)


@kernel
def _sample(
    run: int,
    importance: float,
    parameters: Parameters,
    replay: Replay,
    priorities: Priorities,
    sampled: Sampled,
) -> None:
    numbers, leaves = sampled.numbers[run], sampled.leaves[run]
    first = parameters.updates[run] * len(numbers)
    philox.fill(numbers, sampled.seeds[run], SAMPLING, first)
    size = replay.sizes[run]
    if replay.is_prioritized:
        weights = sampled.weights[run]
        sample_by_priority(numbers, size, priorities, run, importance, leaves, weights)
    else:
        sample_uniformly(numbers, size, leaves)


@kernel
def _learn(
    run: int,
    network: Network,
    rules: Rules,
    parameters: Parameters,
    replay: Replay,
    sampled: Sampled,
    figures: Figures,
    memory: Memory,
    batch: Batch,
) -> None:
    online, target = parameters.online[run], parameters.target[run]
    rows = len(batch.rows)
    read_batch(network, batch, replay.storage, replay.offsets[run], sampled.leaves[run])
    bootstrap(network, online, target, memory, batch, rules.is_double)
    td_targets(network, batch, rules, run)
    set_inputs(network, memory, batch, 0)
    values = forward(network, online, memory, rows)
    figures.losses[run] = judge(
        values,
        batch,
        sampled.weights[run],
        rules,
        run,
        figures.errors[run],
        figures.predictions[run],
    )
    head_deltas(network, memory, batch.actions, batch.deltas)
    backward(network, online, batch.gradient, memory, rows)


@kernel
def _update(
    run: int,
    rate: float,
    parameters: Parameters,
    adam: AdamState,
    gradient: Floats,
    figures: Figures,
) -> None:
    online, target = parameters.online[run], parameters.target[run]
    figures.norms[run] = limit_norm(gradient, parameters.norm_limits[run])
    step_adam(adam, run, online, gradient, rate)
    parameters.updates[run] += 1
    if parameters.updates[run] % parameters.periods[run] == 0:
        move_target(target, online, np.float32(parameters.shares[run]))
