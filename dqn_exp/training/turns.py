"""Segments of runs that step by turns, because their environments are Python objects."""

from typing import Any, NamedTuple

import numpy.typing as npt

from dqn_exp.agent.native.entries import act_once, give_back, take_in
from dqn_exp.agent.native.memory import Memory
from dqn_exp.agent.native.stores import Stores
from dqn_exp.core.arrays import BoolArray, Float32Array, IntArray
from dqn_exp.core.compile_time import Static
from dqn_exp.core.jit import cached_jit, inlined_kernel
from dqn_exp.training.segment import World, is_over, take_step


class Outcomes(NamedTuple):
    """Outcomes of a step in environments that are Python objects.

    Attributes:
        rewards: `[N]`.
        terminated: `[N]`.
        truncated: `[N]`.
        starts: `[N, D]` first observations of the next episodes, where one has ended.
    """

    rewards: Float32Array
    terminated: BoolArray
    truncated: BoolArray
    starts: Float32Array


@cached_jit
def begin(
    spec: Static,
    stores: Stores,
    world: World,
    records: Any,
    runs: IntArray,
    memory: Memory,
    numbers: Float32Array,
    finished: npt.NDArray[Any],
    over: BoolArray,
) -> None:
    """Begins segments of runs whose environments are Python objects, and chooses their actions.

    Args:
        spec: of the agent.
        stores: of all runs.
        world: of all runs.
        records: `[N]`.
        runs: `[G]`.
        memory: of the thread.
        numbers: `[G, size]` numbers of the memory for each run.
        finished: `[G, F]` episodes that finish, written.
        over: `[G]` segments that are over already, written.
    """
    size = len(stores.online) // len(records)
    for k in range(len(runs)):
        record, own = records[runs[k]], _memory_of(memory, numbers[k])
        take_in(spec, stores, record, runs[k], size, own)
        record.num_finished = 0
        over[k] = is_over(record, finished[k])
        if not over[k]:
            record.action = act_once(spec, stores, record, runs[k], own, world.observations)


@cached_jit
def proceed(
    spec: Static,
    stores: Stores,
    world: World,
    outcomes: Outcomes,
    records: Any,
    runs: IntArray,
    memory: Memory,
    numbers: Float32Array,
    finished: npt.NDArray[Any],
    over: BoolArray,
) -> None:
    """Learns from a step of segments that are not over, and chooses the next actions.

    The arguments are those of `begin`, with the outcomes of the step.
    """
    for k in range(len(runs)):
        if over[k]:
            continue
        run, own = runs[k], _memory_of(memory, numbers[k])
        record = records[run]
        record.reward, record.terminated = outcomes.rewards[run], outcomes.terminated[run]
        record.truncated = outcomes.truncated[run]
        take_step(spec, stores, world, record, run, own, finished[k])
        if record.terminated or record.truncated:
            for feature in range(world.observations.shape[1]):
                world.observations[run, feature] = outcomes.starts[run, feature]
        over[k] = is_over(record, finished[k])
        if not over[k]:
            record.action = act_once(spec, stores, record, run, own, world.observations)


@cached_jit
def end(
    spec: Static,
    stores: Stores,
    records: Any,
    runs: IntArray,
    memory: Memory,
    numbers: Float32Array,
) -> None:
    """Ends segments of runs `[G]` whose environments are Python objects."""
    size = len(stores.online) // len(records)
    for k in range(len(runs)):
        give_back(spec, stores, runs[k], size, _memory_of(memory, numbers[k]))


@inlined_kernel
def _memory_of(shared: Memory, numbers: Float32Array) -> Memory:
    """Returns the memory of one of the runs that take turns."""
    return Memory(
        numbers,
        shared.leaves,
        shared.actions,
        shared.chosen,
        shared.everyone,
        shared.order,
        shared.groups,
        shared.random,
        shared.layers,
        shared.at,
    )
