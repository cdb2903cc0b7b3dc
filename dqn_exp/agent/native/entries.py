"""The compiled functions that Python calls: acting and learning of runs, one after the other."""

from typing import Any

import numpy as np

from dqn_exp.agent.native.categorical import set_support
from dqn_exp.agent.native.inputs import (
    observe_statistics,
    prepare_inputs,
    read_current,
    read_observation,
)
from dqn_exp.agent.native.memory import Memory
from dqn_exp.agent.native.mlp import forward
from dqn_exp.agent.native.noise import acting_weights
from dqn_exp.agent.native.packing import pack_all, unpack_all
from dqn_exp.agent.native.spec import Spec
from dqn_exp.agent.native.stores import Stores
from dqn_exp.agent.native.update import make_update, schedule_of, update_from_batch
from dqn_exp.agent.native.values import best_action
from dqn_exp.core import philox
from dqn_exp.core.arrays import BoolArray, Float32Array, IntArray
from dqn_exp.core.compile_time import Static, chosen
from dqn_exp.core.jit import cached_jit, kernel
from dqn_exp.core.random_streams import Stream

EXPLORATION = int(Stream.EXPLORATION)


@kernel
def _prepare_other(_spec: Static, _memory: Memory, _record: Any) -> None:
    pass


@kernel
def _prepare_categorical(_spec: Static, memory: Memory, record: Any) -> None:
    set_support(memory, record)


@chosen
def prepare_values(spec: Spec) -> Any:
    """Writes to the memory what the values of a run need."""
    return _prepare_categorical if spec.value == "categorical" else _prepare_other


@kernel
def take_in(spec: Static, stores: Stores, record: Any, run: int, size: int, memory: Memory) -> None:
    """Packs the networks and optimizer moments of a run, P numbers each, into a thread's memory."""
    first = run * size
    pack_all(memory, memory.at.online, stores.online, first)
    pack_all(memory, memory.at.target, stores.target, first)
    pack_all(memory, memory.at.first, stores.first, first)
    pack_all(memory, memory.at.second, stores.second, first)
    prepare_values(spec, memory, record)
    prepare_inputs(spec, stores, run, memory)


@kernel
def give_back(spec: Static, stores: Stores, run: int, size: int, memory: Memory) -> None:
    """Unpacks what a run has learned."""
    first = run * size
    unpack_all(memory, memory.at.online, stores.online, first)
    unpack_all(memory, memory.at.target, stores.target, first)
    unpack_all(memory, memory.at.first, stores.first, first)
    unpack_all(memory, memory.at.second, stores.second, first)


@kernel
def explore(record: Any) -> int:
    """Returns a random action with the current probability epsilon, else -1."""
    epsilon = schedule_of(record.epsilon, record.step)
    if epsilon > 0:
        first, second = philox.pair(record.seed, EXPLORATION, record.step)
        if philox.to_unit(first) < epsilon:
            return philox.to_range(second, record.num_actions)
    return -1


@kernel
def act_once(
    spec: Static,
    stores: Stores,
    record: Any,
    run: int,
    memory: Memory,
    observations: Float32Array,
) -> int:
    """Returns the action of a run, after its statistics are updated with its observation."""
    observe_statistics(spec, stores, record, run, observations)
    action = explore(record)
    if action < 0:
        prepare_inputs(spec, stores, run, memory)
        weights = acting_weights(spec, record, memory)
        read_current(spec, stores, record, memory, observations, run)
        forward(spec, memory, weights, 1)
        action = best_action(spec, memory, record, 0)
    return action


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
        record = records[run]
        pack_all(memory, memory.at.online, stores.online, run * size)
        prepare_values(spec, memory, record)
        actions[run] = act_once(spec, stores, record, run, memory, observations)


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
            take_in(spec, stores, records[run], run, size, memory)
            diverged[run] = not learn_once(spec, stores, records[run], run, memory)
            give_back(spec, stores, run, size, memory)


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
    priorities: Float32Array,
) -> None:
    """Makes one update of the learning runs with given batches.

    Args:
        spec: of the agent.
        stores: of all runs; the storage holds B transitions of each run.
        records: `[N]`.
        memory: of the thread.
        learning: `[N]` runs that learn.
        weights: `[N, B]` factors of the losses.
        priorities: `[N, B]`, written.
    """
    size, count = len(stores.online) // len(records), weights.shape[1]
    for run in range(len(records)):
        if learning[run]:
            take_in(spec, stores, records[run], run, size, memory)
            for b in range(count):
                memory.sampled[b] = run * count + b
                memory.numbers[memory.at.factors + b] = weights[run, b]
            update_from_batch(spec, stores, records[run], run, memory)
            for b in range(count):
                priorities[run, b] = memory.numbers[memory.at.priorities + b]
            give_back(spec, stores, run, size, memory)


@kernel
def prepare_policy(spec: Static, stores: Stores, records: Any, run: int, memory: Memory) -> None:
    """Packs what the greedy policy of a run needs into the memory of a thread."""
    size = len(stores.online) // len(records)
    pack_all(memory, memory.at.online, stores.online, run * size)
    prepare_values(spec, memory, records[run])
    prepare_inputs(spec, stores, run, memory)


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
    _, count, num_features = observations.shape
    for i in range(len(runs)):
        prepare_policy(spec, stores, records, runs[i], memory)
        for first in range(0, count, memory.at.rows):
            rows = min(memory.at.rows, count - first)
            for row in range(rows):
                place = (i * count + first + row) * num_features
                read_observation(spec, memory, row, observations, place, num_features)
            forward(spec, memory, memory.at.online, rows)
            for row in range(rows):
                actions[i, first + row] = best_action(spec, memory, records[runs[i]], row)
