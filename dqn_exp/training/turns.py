"""Segments of runs that step by turns, because their environments are Python objects."""

from typing import Any, NamedTuple

import numpy.typing as npt

from dqn_exp.agent.native.entries import act_once, give_back, take_in
from dqn_exp.agent.native.memory import Memory
from dqn_exp.agent.native.spec import Spec
from dqn_exp.agent.native.stores import Stores
from dqn_exp.buffer.frame_kernels import NONE, add_frame
from dqn_exp.core.arrays import BoolArray, Float32Array, IntArray, UInt8Array
from dqn_exp.core.callback import call_back
from dqn_exp.core.compile_time import Static, chosen
from dqn_exp.core.jit import cached_jit, inlined_kernel, kernel
from dqn_exp.training.segment import World, is_over, take_step


class Outcomes(NamedTuple):
    """Outcomes of a step in environments that are Python objects.

    Attributes:
        rewards: `[N]`.
        terminated: `[N]`.
        truncated: `[N]`.
        starts: `[N, D]` first observations of the next episodes, where one has ended.
        frames: `[N, H * W * c]` newest frames, if observations are images.
        first_frames: `[N, H * W * c]` first frames of the next episodes, where one has ended.
    """

    rewards: Float32Array
    terminated: BoolArray
    truncated: BoolArray
    starts: Float32Array
    frames: UInt8Array
    first_frames: UInt8Array


class Group(NamedTuple):
    """Runs that step by turns.

    Attributes:
        runs: `[G]` rows of the runs.
        numbers: `[G, size]` numbers of the memory for each run.
        finished: `[G, F]` episodes that finish, written.
        actions: `[G]` chosen actions, written.
        over: `[G]` segments that are over, written.
        failed: `[G]` runs without a next episode, whose segments end with the current step.
    """

    runs: IntArray
    numbers: Float32Array
    finished: npt.NDArray[Any]
    actions: IntArray
    over: BoolArray
    failed: BoolArray


@cached_jit
def play(
    spec: Static,
    stores: Stores,
    world: World,
    outcomes: Outcomes,
    records: Any,
    memory: Memory,
    group: Group,
    step: int,
) -> None:
    """Advances runs until their segments are over.

    Args:
        spec: of the agent.
        stores: of all runs.
        world: of all runs.
        outcomes: of the newest step.
        records: `[N]`.
        memory: of the thread.
        group: the runs.
        step: callback that takes the actions of segments that are not over, and writes outcomes.
    """
    size = len(stores.online) // len(records)
    for k in range(len(group.runs)):
        record, own = records[group.runs[k]], _memory_of(memory, group.numbers[k])
        take_in(spec, stores, record, group.runs[k], size, own)
        record.num_finished = 0
    _choose_actions(spec, stores, world, records, memory, group)
    while not group.over.all() and call_back(step):
        for k in range(len(group.runs)):
            if not group.over[k]:
                _receive_step(spec, stores, world, outcomes, records, memory, group, k)
        _choose_actions(spec, stores, world, records, memory, group)
    for k in range(len(group.runs)):
        give_back(spec, stores, group.runs[k], size, _memory_of(memory, group.numbers[k]))


@kernel
def _choose_actions(
    spec: Static, stores: Stores, world: World, records: Any, memory: Memory, group: Group
) -> None:
    """Finds segments that are over, and chooses the next actions of the others."""
    for k in range(len(group.runs)):
        run, own = group.runs[k], _memory_of(memory, group.numbers[k])
        record = records[run]
        group.over[k] = group.over[k] or group.failed[k] or is_over(record, group.finished[k])
        if not group.over[k]:
            record.action = act_once(spec, stores, record, run, own, world.observations)
            group.actions[k] = record.action


@kernel
def _receive_step(
    spec: Static,
    stores: Stores,
    world: World,
    outcomes: Outcomes,
    records: Any,
    memory: Memory,
    group: Group,
    k: int,
) -> None:
    """Learns from a step of one of the runs."""
    run, own = group.runs[k], _memory_of(memory, group.numbers[k])
    record = records[run]
    record.reward, record.terminated = outcomes.rewards[run], outcomes.terminated[run]
    record.truncated = outcomes.truncated[run]
    receive(spec, stores, record, run, outcomes.frames, world.following, False)
    take_step(spec, stores, world, record, run, own, group.finished[k])
    if record.terminated or record.truncated:
        receive(spec, stores, record, run, outcomes.first_frames, outcomes.starts, True)
        for feature in range(world.observations.shape[1]):
            world.observations[run, feature] = outcomes.starts[run, feature]


@kernel
def _receive_nothing(
    _spec: Static,
    _stores: Stores,
    _record: Any,
    _run: int,
    _frames: UInt8Array,
    _observations: Float32Array,
    _is_first: bool,
) -> None:
    pass


@kernel
def _receive_frame(
    _spec: Static,
    stores: Stores,
    record: Any,
    run: int,
    frames: UInt8Array,
    observations: Float32Array,
    is_first: bool,
) -> None:
    oldest, layout = NONE, stores.layout
    if record.size == record.capacity:
        row = (record.offset + record.position) * layout.width
        oldest = int(stores.storage[row + layout.observation])
    slot = add_frame(stores.frames, stores.frame_layout, run, frames, run, is_first, oldest)
    observations[run, 0] = slot


@chosen
def receive(spec: Spec) -> Any:
    """Stores the frame of a run among `[N, H * W * c]`, and writes its place as observation."""
    return _receive_frame if spec.stores_frames else _receive_nothing


@inlined_kernel
def _memory_of(shared: Memory, numbers: Float32Array) -> Memory:
    """Returns the memory of one of the runs that take turns."""
    return Memory(
        numbers,
        shared.sampled,
        shared.actions,
        shared.chosen,
        shared.everyone,
        shared.order,
        shared.groups,
        shared.random,
        shared.work,
        shared.layers,
        shared.convolutions,
        shared.at,
    )
