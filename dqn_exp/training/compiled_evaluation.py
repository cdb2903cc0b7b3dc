"""Evaluation in a compiled environment: whole episodes are played in compiled code."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from dqn_exp.agent.engine import Engine
from dqn_exp.agent.native.engine import NativeEngine
from dqn_exp.agent.native.entries import prepare_policy
from dqn_exp.agent.native.inputs import read_observation
from dqn_exp.agent.native.memory import Memory
from dqn_exp.agent.native.mlp import forward
from dqn_exp.agent.native.stores import Stores
from dqn_exp.agent.native.values import best_action
from dqn_exp.core.arrays import BoolArray, Float32Array, Float64Array, IntArray
from dqn_exp.core.compile_time import Static
from dqn_exp.core.jit import cached_jit, kernel
from dqn_exp.env import classic_control_physics as physics_of
from dqn_exp.env.classic_control import ClassicControlVectorEnv
from dqn_exp.training.evaluation import Evaluation, EvaluationEpisodes, do_nothing

NOBODY = np.zeros(0, dtype=np.int64)


class CompiledEvaluation(Evaluation):
    """Plays in a compiled environment with the policies of the native engine."""

    def evaluate(
        self, engine: Engine, runs: IntArray, on_step: Callable[[], None] = do_nothing
    ) -> EvaluationEpisodes:
        """Plays E episodes with the policy of each run in `runs` `[M]`; never calls `on_step`."""
        assert isinstance(engine, NativeEngine)
        env, shape = self._open(1), (len(runs), self.seeds.shape[1])
        assert isinstance(env, ClassicControlVectorEnv)
        arena = _make_arena(env, engine.memory)
        played = EvaluationEpisodes(
            returns=np.zeros(shape),
            lengths=np.zeros(shape, dtype=np.int64),
            first_observations=np.zeros((*shape, env.physics.num_features), dtype=np.float32),
            last_observations=np.zeros((*shape, env.physics.num_features), dtype=np.float32),
            discounted=np.zeros(shape),
            bootstrap_weights=np.ones(shape),
            errors={},
        )
        play(
            engine.spec,
            Static(env.physics.name),
            engine.stores(),
            engine.constants,
            engine.memory,
            arena,
            Task(
                runs,
                self.seeds[runs],
                self._gamma[runs],
                self._reward_limits[runs],
                self._bootstrap_truncated[runs],
            ),
            Tally(*played[:6]),
        )
        return played

    def compile(self, engine: NativeEngine) -> None:
        """Compiles or loads the code."""
        self.evaluate(engine, NOBODY)


class Arena(NamedTuple):
    """Environments of some episodes.

    Attributes:
        states: `[R, S]`.
        observations: `[R, D]`.
        active: `[R]` rows of the episodes that have not ended.
        limit: of the length of an episode.
        argument: of the physics.
    """

    states: Float64Array
    observations: Float32Array
    active: IntArray
    limit: int
    argument: float


class Task(NamedTuple):
    """What is to be played.

    Attributes:
        runs: `[M]` rows of the runs.
        seeds: `[M, E]` of the episodes.
        gamma: `[M]`.
        reward_limits: `[M]`.
        bootstrap_truncated: `[M]`, see `Evaluation`.
    """

    runs: IntArray
    seeds: IntArray
    gamma: Float64Array
    reward_limits: Float64Array
    bootstrap_truncated: BoolArray


class Part(NamedTuple):
    """Episodes of a run that are played at once.

    Attributes:
        run: place of the run among the M runs.
        first: first episode.
        size: number of active episodes.
    """

    run: int
    first: int
    size: int


class Tally(NamedTuple):
    """The arrays of `EvaluationEpisodes`."""

    returns: Float64Array
    lengths: IntArray
    first_observations: Float32Array
    last_observations: Float32Array
    discounted: Float64Array
    bootstrap_weights: Float64Array


def _make_arena(env: ClassicControlVectorEnv, memory: Memory) -> Arena:
    rows = int(memory.at.rows)
    return Arena(
        np.zeros((rows, env.physics.num_numbers)),
        np.zeros((rows, env.physics.num_features), dtype=np.float32),
        np.zeros(rows, dtype=np.int64),
        env.limit,
        env.argument,
    )


@cached_jit
def play(
    spec: Static,
    physics: Static,
    stores: Stores,
    records: Any,
    memory: Memory,
    arena: Arena,
    task: Task,
    tally: Tally,
) -> None:
    """Plays E episodes with the greedy policy of each of some runs.

    Args:
        spec: of the agent.
        physics: of the environment.
        stores: of all runs.
        records: `[N]`.
        memory: of the thread.
        arena: scratch.
        task: what to play.
        tally: written.
    """
    num_episodes = task.seeds.shape[1]
    for i in range(len(task.runs)):
        prepare_policy(spec, stores, records, task.runs[i], memory)
        for first in range(0, num_episodes, len(arena.active)):
            count = min(len(arena.active), num_episodes - first)
            for row in range(count):
                physics_of.begin(physics, arena.states, row, task.seeds[i, first + row])
                physics_of.observe(physics, arena.states, row, arena.observations)
                arena.active[row] = row
                _copy(arena, row, tally.first_observations, i, first + row)
            record = records[task.runs[i]]
            while count > 0:
                part = Part(i, first, count)
                count = _step(spec, physics, record, memory, arena, task, part, tally)


@kernel
def _step(
    spec: Static,
    physics: Static,
    record: Any,
    memory: Memory,
    arena: Arena,
    task: Task,
    part: Part,
    tally: Tally,
) -> int:
    """Takes a step in all active episodes of a run; returns how many are active after it."""
    num_features = arena.observations.shape[1]
    for k in range(part.size):
        place = arena.active[k] * num_features
        read_observation(spec, memory, k, arena.observations, place, num_features)
    forward(spec, memory, memory.at.online, part.size)
    kept, i = 0, part.run
    for k in range(part.size):
        row = arena.active[k]
        action = best_action(spec, memory, record, k)
        reward, terminated = physics_of.step(physics, arena.states, row, action, arena.argument)
        physics_of.observe(physics, arena.states, row, arena.observations)
        length = _count(task, tally, i, part.first + row, reward)
        if not terminated and length < arena.limit:
            arena.active[kept] = row
            kept += 1
            continue
        _copy(arena, row, tally.last_observations, i, part.first + row)
        if terminated or not task.bootstrap_truncated[i]:
            tally.bootstrap_weights[i, part.first + row] = 0.0
    return kept


@kernel
def _count(task: Task, tally: Tally, i: int, e: int, reward: float) -> int:
    """Adds a reward to the sums of an episode; returns the length of the episode."""
    limit = task.reward_limits[i]
    tally.returns[i, e] += reward
    tally.lengths[i, e] += 1
    tally.discounted[i, e] += tally.bootstrap_weights[i, e] * min(max(reward, -limit), limit)
    tally.bootstrap_weights[i, e] *= task.gamma[i]
    length: int = tally.lengths[i, e]
    return length


@kernel
def _copy(arena: Arena, row: int, to: Float32Array, i: int, e: int) -> None:
    """Copies an observation to `[M, E, D]`."""
    for feature in range(arena.observations.shape[1]):
        to[i, e, feature] = arena.observations[row, feature]
