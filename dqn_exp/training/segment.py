"""Segments: stretches of steps of one run, in compiled code without the GIL."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from dqn_exp.agent.native.entries import act_once, give_back, learn_once, take_in
from dqn_exp.agent.native.memory import Memory
from dqn_exp.agent.native.optimizers import target_distance
from dqn_exp.agent.native.records import HYPERPARAMETERS, STATE
from dqn_exp.agent.native.remember import Waiting, remember
from dqn_exp.agent.native.stores import Stores
from dqn_exp.core.arrays import Float32Array, Float64Array
from dqn_exp.core.compile_time import Static
from dqn_exp.core.jit import cached_jit, kernel
from dqn_exp.core.philox import pair
from dqn_exp.core.random_streams import Stream
from dqn_exp.env import classic_control_physics as physics_of

EPISODES = int(Stream.EPISODES)

FIELDS: dict[str, Any] = {
    "action": "i8",
    "reward": "f4",
    "terminated": "?",
    "truncated": "?",
    "discount": "f8",
    "until": "i8",
    "due": "i8",
    "last_episode": "i8",
    "episode": "i8",
    "episode_return": "f8",
    "episode_length": "i8",
    "env_steps": "i8",
    "num_finished": "i8",
    "is_diverged": "?",
}
"""Fields of a run's record that segments add to those of the agent."""

RECORD = np.dtype([*HYPERPARAMETERS.items(), *STATE.items(), *FIELDS.items()], align=True)
"""Type of a run's record."""

FINISHED = np.dtype(
    [("number", "i8"), ("step", "i8"), ("return_", "f8"), ("length", "i8"), ("terminated", "?")],
    align=True,
)
"""Fields of a finished episode."""


class World(NamedTuple):
    """Environments of all runs and their current episodes.

    Attributes:
        states: `[N, S]`.
        observations: `[N, D]` newest ones.
        following: `[N, D]`, scratch.
        waiting: steps that are not stored yet.
        limit: of the length of an episode.
        argument: of the physics.
    """

    states: Float64Array
    observations: Float32Array
    following: Float32Array
    waiting: Waiting
    limit: int
    argument: float


class Worker(NamedTuple):
    """What a thread works with.

    Attributes:
        memory: of the thread, with the numbers of the first run.
        numbers: `[G, size]` numbers of the memory for each of G runs that take turns.
        finished: `[G, F]` episodes that finish in a segment.
    """

    memory: Memory
    numbers: Float32Array
    finished: npt.NDArray[Any]


@cached_jit
def advance(
    spec: Static,
    physics: Static,
    stores: Stores,
    world: World,
    records: Any,
    run: int,
    memory: Memory,
    finished: npt.NDArray[Any],
) -> None:
    """Advances a run in a compiled environment, until `is_over`.

    Args:
        spec: of the agent.
        physics: of the environment.
        stores: of all runs.
        world: of all runs.
        records: `[N]`.
        run: row of the run.
        memory: of the thread.
        finished: `[F]` episodes that finish, written.
    """
    record, size = records[run], len(stores.online) // len(records)
    take_in(spec, stores, record, run, size, memory)
    record.num_finished = 0
    while not is_over(record, finished):
        record.action = act_once(spec, stores, record, run, memory, world.observations)
        reward, terminated = physics_of.step(
            physics, world.states, run, record.action, world.argument
        )
        physics_of.observe(physics, world.states, run, world.following)
        record.env_steps += 1
        record.reward, record.terminated = reward, terminated
        record.truncated = record.env_steps >= world.limit
        take_step(spec, stores, world, record, run, memory, finished)
        if record.terminated or record.truncated:
            seed = seed_of_episode(record.seed, record.episode)
            physics_of.begin(physics, world.states, run, seed)
            physics_of.observe(physics, world.states, run, world.observations)
            record.env_steps = 0
    give_back(spec, stores, run, size, memory)


@kernel
def is_over(record: Any, finished: npt.NDArray[Any]) -> bool:
    """Returns whether a segment is over.

    A segment ends at its last step, at the end of its run's last episode, when the run diverges, or
    when there is no room for another finished episode.
    """
    is_over: bool = (
        record.step >= record.until
        or record.episode >= record.last_episode
        or record.num_finished >= len(finished)
        or record.is_diverged
    )
    return is_over


@kernel
def take_step(
    spec: Static,
    stores: Stores,
    world: World,
    record: Any,
    run: int,
    memory: Memory,
    finished: npt.NDArray[Any],
) -> None:
    """Stores the step in a record and counts it, and learns if that is due."""
    terminated, truncated = record.terminated, record.truncated
    has_no_future = terminated or (truncated and not record.bootstrap_truncated)
    record.discount = 0.0 if has_no_future else record.gamma
    ended = terminated or truncated
    remember(spec, stores, world.waiting, record, run, world.observations, world.following, ended)
    record.step += 1
    record.episode_return += record.reward
    record.episode_length += 1
    if ended:
        _end_episode(record, finished)
    for feature in range(world.observations.shape[1]):
        world.observations[run, feature] = world.following[run, feature]
    if record.step % record.train_every == 0 and record.size > record.learning_starts:
        if record.step == record.due or record.episode == record.last_episode:
            record.target_distance = target_distance(memory, memory.at.num_trained)
        record.is_diverged = not learn_once(spec, stores, record, run, memory)


@kernel
def _end_episode(record: Any, finished: npt.NDArray[Any]) -> None:
    """Writes the episode that has ended, and begins to count the next one."""
    one = finished[record.num_finished]
    one.number, one.step = record.episode, record.step
    one.return_, one.length = record.episode_return, record.episode_length
    one.terminated = record.terminated
    record.num_finished += 1
    record.episode += 1
    record.episode_return, record.episode_length = 0.0, 0


@kernel
def seed_of_episode(seed: np.uint64, number: int) -> np.int64:
    """Returns the seed of a training episode, as `random_streams.episode_seeds` does."""
    even, odd = pair(seed, EPISODES, number >> 1)
    return (np.int64(odd if number & 1 else even) >> 2) << 1
