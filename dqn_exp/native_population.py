"""How all runs of a population act and learn in compiled code, spread over threads.

Each run is computed by one thread, alone, so its numbers depend neither on the threads nor on the
other runs.
"""

from typing import NamedTuple

import numba
import numpy as np
import numpy.typing as npt
from numba import types
from numba.experimental import structref

from dqn_exp import philox
from dqn_exp.compiled import entry, exact_kernel, kernel, parallel_entry
from dqn_exp.native_learning import (
    Batch,
    Draws,
    Rules,
    batch_of,
    best_actions,
    bootstrap,
    judge,
    read_batch,
    set_inputs,
    td_targets,
)
from dqn_exp.native_memory import matrix, prefetch, unowned
from dqn_exp.native_network import (
    INPUTS,
    Memory,
    Network,
    backward,
    begin_gradient,
    end_gradient,
    forward,
    make_weights,
    memory_of,
)
from dqn_exp.native_steps import limit_norm, move_target, step_adam
from dqn_exp.optimizer import AdamState
from dqn_exp.random_streams import Stream
from dqn_exp.replay import Priorities, prioritize, sample_by_priority, sample_uniformly

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]

LINE = 16
"""Numbers of parameters and transitions in a line of the caches."""

NEIGHBOURS = 8
"""Runs of which an array with one number for each fills such a line."""

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


class Parts(NamedTuple):
    """All that compiled code acts and learns with; the last two are of all threads."""

    network: Network
    rules: Rules
    parameters: Parameters
    adam: AdamState
    replay: Replay
    priorities: Priorities
    sampled: Sampled
    figures: Figures
    memories: Memory
    batches: Batch


@structref.register
class PopulationType(types.StructRef):  # type: ignore[misc]
    """The type of a `Population` in compiled code."""


class Population(structref.StructRefProxy):  # type: ignore[misc]
    """The parts as one object, which costs much less to hand over than all their arrays."""


structref.define_proxy(Population, PopulationType, Parts._fields)


@entry
def make_population(
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
) -> Population:
    """Makes one object of the parts."""
    return Population(
        network,
        rules,
        parameters,
        adam,
        replay,
        priorities,
        sampled,
        figures,
        memories,
        batches,
    )


@kernel
def _parts(population: Population) -> Parts:
    return Parts(
        unowned(population.network),
        unowned(population.rules),
        unowned(population.parameters),
        unowned(population.adam),
        unowned(population.replay),
        unowned(population.priorities),
        unowned(population.sampled),
        unowned(population.figures),
        unowned(population.memories),
        unowned(population.batches),
    )


@parallel_entry
def act(
    num_threads: int,
    population: Population,
    runs: Ints,
    observations: Floats,
    epsilon: Doubles,
    steps: Ints,
    actions: Ints,
) -> None:
    """Chooses an action for every observation: random with probability epsilon, else greedy.

    Args:
        num_threads: T.
        population: of which some runs act.
        runs: `[M]` these runs.
        observations: `[M, E, D]`.
        epsilon: `[M]`.
        steps: `[M]` at which the runs stand.
        actions: `[M, E]`, written.
    """
    for thread in numba.prange(num_threads):
        parts = _parts(population)
        memory = memory_of(parts.memories, thread)
        for turn in range(len(runs)):
            row = place_of(turn, thread, num_threads, len(runs))
            if row >= len(runs):
                break
            run = runs[row]
            _act(
                parts.network, parts.parameters.online[run], memory, observations[row], actions[row]
            )
            if epsilon[row] > 0:
                seed = parts.sampled.seeds[run]
                _explore(parts.network, epsilon[row], seed, steps[row], actions[row])


@parallel_entry
def learn(
    num_threads: int,
    population: Population,
    learning: Bools,
    rates: Doubles,
    importance: Doubles,
    num_updates: int,
    is_given: bool,
    diverged: Bools,
) -> None:
    """Makes updates of the runs that learn.

    Args:
        num_threads: T.
        population: that learns.
        learning: `[N]`.
        rates: `[N]` learning rates.
        importance: `[N]` exponents of the weights of transitions.
        num_updates: of each run.
        is_given: whether the batches are given in `sampled`; otherwise they are drawn.
        diverged: `[N]`, written: which have met a loss that is not finite.
    """
    for thread in numba.prange(num_threads):
        parts, count = _parts(population), len(learning)
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
                diverged[run] |= not np.isfinite(parts.figures.losses[run])
                if parts.replay.is_prioritized and not is_given:
                    leaves, errors = parts.sampled.leaves[run], parts.figures.errors[run]
                    prioritize(parts.priorities, run, leaves, errors)


@exact_kernel
def place_of(turn: int, thread: int, num_threads: int, count: int) -> int:
    """Returns which of `count` places a thread comes to at a turn; count or more for none.

    Threads take neighbours together: if each wrote to the same lines of the caches as the others,
    it would wait for them. The neighbours are as many as make the shares of all threads alike.
    """
    share = -(-count // num_threads)
    group = -(-share // -(-share // NEIGHBOURS))
    return (turn // group * num_threads + thread) * group + turn % group


@kernel
def _act(
    network: Network, parameters: Floats, memory: Memory, observations: Floats, actions: Ints
) -> None:
    """Writes the greedy `actions [E]` for `observations [E, D]` and `parameters [P]` of a run."""
    rows = len(observations)
    weights = make_weights(network, parameters, memory.turned[0])
    matrix(memory.units, 0, rows, network.layers[0, INPUTS])[:] = observations
    best_actions(forward(network, weights, memory, rows), actions)


@kernel
def _explore(network: Network, epsilon: float, seed: np.uint64, step: int, actions: Ints) -> None:
    """Makes the first of `actions [E]` a random one with probability epsilon."""
    first, second = philox.pair(seed, EXPLORATION, step)
    if philox.to_unit(first) < epsilon:
        actions[0] = philox.to_range(second, network.num_actions)


@kernel
def _sample_ahead(run: int, learning: Bools, importance: Doubles, parts: Parts) -> None:
    """Samples the first batch of a run, if it is one that learns, while another one learns.

    The transitions of many runs do not fit the caches, and are asked for before they are needed.
    """
    if run < len(learning) and learning[run]:
        _sample(run, importance[run], parts)
        storage, offset = parts.replay.storage, parts.replay.offsets[run]
        width = storage.shape[1]
        for leaf in parts.sampled.leaves[run]:
            first = (offset + leaf) * width
            for place in range(first, first + width, LINE):
                prefetch(storage, place)
            prefetch(storage, first + width - 1)


@kernel
def _sample(run: int, importance: float, parts: Parts) -> None:
    """Draws the `leaves [B]` of a batch of a run, and `weights [B]` where it has priorities."""
    sampled, size = parts.sampled, parts.replay.sizes[run]
    numbers, leaves = sampled.numbers[run], sampled.leaves[run]
    first = parts.parameters.updates[run] * len(numbers)
    philox.fill(numbers, sampled.seeds[run], SAMPLING, first)
    if parts.replay.is_prioritized:
        weights, priorities = sampled.weights[run], parts.priorities
        sample_by_priority(numbers, size, priorities, run, importance, leaves, weights)
    else:
        sample_uniformly(numbers, size, leaves)


@kernel
def _update(run: int, thread: int, rate: float, parts: Parts) -> None:
    """Makes one update of a run with the batch that has been sampled."""
    parameters, network = parts.parameters, parts.network
    sampled, replay = parts.sampled, parts.replay
    online, target = parameters.online[run], parameters.target[run]
    batch, memory = batch_of(parts.batches, thread), memory_of(parts.memories, thread)
    draws = Draws(replay.storage[replay.offsets[run] :], sampled.leaves[run])
    read_batch(network, batch, draws, sampled.weights[run])
    _differentiate(run, online, target, parts, memory, batch, draws)
    gradient, limit = memory.gradient, parameters.norm_limits[run]
    parts.figures.norms[run] = limit_norm(gradient, limit)
    step_adam(parts.adam, run, online, gradient, rate)
    parameters.updates[run] += 1
    if parameters.updates[run] % parameters.periods[run] == 0:
        move_target(target, online, np.float32(parameters.shares[run]))


@kernel
def _differentiate(
    run: int,
    online: Floats,
    target: Floats,
    parts: Parts,
    memory: Memory,
    batch: Batch,
    draws: Draws,
) -> None:
    """Computes the loss of a batch and its gradient."""
    network, rules, figures = parts.network, parts.rules, parts.figures
    online_weights = make_weights(network, online, memory.turned[0])
    target_weights = make_weights(network, target, memory.turned[1])
    gradient = begin_gradient(memory.gradient, memory.turned[2])
    bootstrap(network, online_weights, target_weights, memory, batch, draws, rules.is_double)
    td_targets(network, batch, draws, rules, run)
    set_inputs(network, memory, draws, 0)
    values = forward(network, online_weights, memory, len(draws.leaves))
    errors, predictions = figures.errors[run], figures.predictions[run]
    figures.losses[run] = judge(values, batch, rules, run, errors, predictions)
    backward(network, online_weights, gradient, memory, batch.actions, batch.deltas)
    end_gradient(network, gradient)
