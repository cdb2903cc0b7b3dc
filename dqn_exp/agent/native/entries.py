"""The compiled functions that Python calls: acting and learning of runs, one after the other."""

from typing import Any

import numpy as np

from dqn_exp.agent.native.dense import ROWS
from dqn_exp.agent.native.memory import Memory, pack, unpack
from dqn_exp.agent.native.mlp import forward
from dqn_exp.agent.native.update import Stores, make_update, padded, schedule_of, update_from_batch
from dqn_exp.agent.native.values import best_action
from dqn_exp.core import philox
from dqn_exp.core.arrays import BoolArray, Float32Array, IntArray
from dqn_exp.core.compile_time import Static
from dqn_exp.core.jit import cached_jit, kernel
from dqn_exp.core.random_streams import Stream

EXPLORATION = int(Stream.EXPLORATION)


@kernel
def take_in(stores: Stores, run: int, size: int, memory: Memory) -> None:
    """Packs what a run learns, of P numbers each, into the memory of a thread."""
    first = run * size
    pack(memory, memory.online, stores.online, first)
    pack(memory, memory.target, stores.target, first)
    pack(memory, memory.first, stores.first, first)
    pack(memory, memory.second, stores.second, first)


@kernel
def give_back(stores: Stores, run: int, size: int, memory: Memory) -> None:
    """Unpacks what a run has learned."""
    first = run * size
    unpack(memory, memory.online, stores.online, first)
    unpack(memory, memory.target, stores.target, first)
    unpack(memory, memory.first, stores.first, first)
    unpack(memory, memory.second, stores.second, first)


@kernel
def explore(record: Any, greedy: int) -> int:
    """Returns the action of the current step: random with probability epsilon, else greedy."""
    epsilon = schedule_of(record.epsilon, record.step)
    if epsilon > 0:
        first, second = philox.pair(record.seed, EXPLORATION, record.step)
        if philox.to_unit(first) < epsilon:
            return philox.to_range(second, record.num_actions)
    return greedy


@kernel
def greedy_action(
    spec: Static, record: Any, memory: Memory, parameters: int, observations: Float32Array, run: int
) -> int:
    """Returns the greedy action for a row of `observations [N, D]`."""
    for feature in range(observations.shape[1]):
        memory.numbers[memory.units + feature] = observations[run, feature]
    forward(spec, memory, parameters, ROWS)
    return best_action(spec, memory, record, 0)


@cached_jit
def act(
    spec: Static,
    stores: Stores,
    records: Any,
    memory: Memory,
    observations: Float32Array,
    actions: IntArray,
) -> None:
    """Chooses the actions of all runs.

    Args:
        spec: of the agent.
        stores: of all runs.
        records: `[N]`.
        memory: of the thread.
        observations: `[N, D]`.
        actions: `[N]`, written.
    """
    size = len(stores.online) // len(records)
    for run in range(len(records)):
        pack(memory, memory.online, stores.online, run * size)
        record = records[run]
        greedy = greedy_action(spec, record, memory, memory.online, observations, run)
        actions[run] = explore(record, greedy)


@cached_jit
def learn(
    spec: Static,
    stores: Stores,
    records: Any,
    memory: Memory,
    learning: BoolArray,
    diverged: BoolArray,
) -> None:
    """Makes the updates of the learning runs that are due.

    Args:
        spec: of the agent.
        stores: of all runs.
        records: `[N]`.
        memory: of the thread.
        learning: `[N]` runs that learn.
        diverged: `[N]`, written: learning runs with a loss that is not finite.
    """
    size = len(stores.online) // len(records)
    for run in range(len(records)):
        diverged[run] = False
        if learning[run]:
            take_in(stores, run, size, memory)
            diverged[run] = not learn_once(spec, stores, records[run], run, memory)
            give_back(stores, run, size, memory)


@kernel
def learn_once(spec: Static, stores: Stores, record: Any, run: int, memory: Memory) -> bool:
    """Makes the updates of one call of the learner; returns whether all losses are finite."""
    is_finite = True
    for _ in range(record.gradient_steps):
        make_update(spec, stores, record, run, memory)
        is_finite &= np.isfinite(record.loss)
    return is_finite


@cached_jit
def learn_given(
    spec: Static,
    stores: Stores,
    records: Any,
    memory: Memory,
    learning: BoolArray,
    weights: Float32Array,
) -> None:
    """Makes one update of the learning runs with given batches.

    Args:
        spec: of the agent.
        stores: of all runs; the storage holds B transitions of each run.
        records: `[N]`.
        memory: of the thread.
        learning: `[N]` runs that learn.
        weights: `[N, B]` factors of the losses.
    """
    size, count = len(stores.online) // len(records), weights.shape[1]
    for run in range(len(records)):
        if learning[run]:
            take_in(stores, run, size, memory)
            for b in range(count):
                memory.leaves[b] = run * count + b
                memory.numbers[memory.factors + b] = weights[run, b]
            update_from_batch(spec, stores, records[run], run, memory)
            give_back(stores, run, size, memory)


@cached_jit
def act_greedily(
    spec: Static,
    stores: Stores,
    records: Any,
    memory: Memory,
    runs: IntArray,
    observations: Float32Array,
    actions: IntArray,
) -> None:
    """Chooses the greedy actions of some runs.

    Args:
        spec: of the agent.
        stores: of all runs.
        records: `[N]`.
        memory: of the thread.
        runs: `[M]`.
        observations: `[M, E, D]`.
        actions: `[M, E]`, written.
    """
    size = len(stores.online) // len(records)
    _, count, num_features = observations.shape
    for i in range(len(runs)):
        pack(memory, memory.online, stores.online, runs[i] * size)
        for first in range(0, count, memory.rows):
            rows = min(memory.rows, count - first)
            for row in range(rows):
                for feature in range(num_features):
                    place = memory.units + row * num_features + feature
                    memory.numbers[place] = observations[i, first + row, feature]
            forward(spec, memory, memory.online, padded(rows))
            for row in range(rows):
                actions[i, first + row] = best_action(spec, memory, records[runs[i]], row)
