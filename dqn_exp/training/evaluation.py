"""Evaluation of greedy policies in separate environments."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from dqn_exp.agent.engine import Engine, Policy
from dqn_exp.agent.native.engine import NativeEngine
from dqn_exp.core.arrays import BoolArray, Float32Array, Float64Array, IntArray
from dqn_exp.core.frame_format import FrameFormat
from dqn_exp.core.jit import cached_jit
from dqn_exp.core.per_run import PerRunState
from dqn_exp.env.vector_env import StepResult, VectorEnv
from dqn_exp.training.filmstrip import Filmstrip


class EvaluationEpisodes(NamedTuple):
    """Episodes of an evaluation.

    Attributes:
        returns: `[M, E]` undiscounted returns.
        lengths: `[M, E]` lengths in steps.
        first_observations: `[M, E, D]`.
        last_observations: `[M, E, D]`.
        discounted: `[M, E]` discounted sums of the rewards as the agent learns from them.
        bootstrap_weights: `[M, E]` discounts of the values of the last observations; 0 where there
            is no future.
        errors: errors of environments, by run of M; the values of such a run are meaningless.
        filmstrips: frames of the first episode of each run; empty where observations are no images.
    """

    returns: Float64Array
    lengths: IntArray
    first_observations: Float32Array
    last_observations: Float32Array
    discounted: Float64Array
    bootstrap_weights: Float64Array
    errors: dict[int, Exception]
    filmstrips: Sequence[Filmstrip] = ()


MOST_ENVS = 256
"""Environments at a time, unless one run needs more: games of Atari have threads of their own."""


def join_episodes(parts: Sequence[EvaluationEpisodes]) -> EvaluationEpisodes:
    """Returns the episodes of some runs and then of others."""
    names = EvaluationEpisodes._fields[:6]
    arrays: dict[str, Any] = {
        name: np.concatenate([getattr(part, name) for part in parts]) for name in names
    }
    errors: dict[int, Exception] = {}
    begin = 0
    for part in parts:
        errors |= {begin + run: error for run, error in part.errors.items()}
        begin += len(part.returns)
    filmstrips = [filmstrip for part in parts for filmstrip in part.filmstrips]
    return EvaluationEpisodes(**arrays, errors=errors, filmstrips=filmstrips)


def do_nothing() -> None:
    """Does nothing."""


class Evaluation(PerRunState):
    """Plays E episodes in parallel with each of several policies.

    The episodes start from the same seeds each time, so that evaluations can be compared.
    """

    rows = ("seeds", "_gamma", "_reward_limits", "_bootstrap_truncated")

    def __init__(
        self,
        seeds: IntArray,
        make_env: Callable[[int], VectorEnv],
        *,
        gamma: Float64Array,
        reward_limits: Float64Array,
        bootstrap_truncated: BoolArray,
        frames: FrameFormat | None = None,
        reuses_env: bool = True,
    ) -> None:
        """Sets up evaluations without creating environments.

        Args:
            seeds: `[N, E]` of the episodes.
            make_env: creates a given number of environments.
            gamma: `[N]` discount factors.
            reward_limits: `[N]` magnitudes that rewards are clipped to for learning.
            bootstrap_truncated: `[N]` whether a truncated episode has a future.
            frames: format of the frames, if observations are images.
            reuses_env: whether the environments of an evaluation serve the next one as well, since
                they carry nothing from one episode to the next.
        """
        self._frames = frames
        self.seeds = seeds
        self._gamma, self._reward_limits = gamma, reward_limits
        self._bootstrap_truncated = bootstrap_truncated
        self._make_env, self._reuses_env = make_env, reuses_env
        self._env: VectorEnv | None = None
        self._count = 0

    def evaluate(
        self, engine: Engine, runs: IntArray, on_step: Callable[[], None] = do_nothing
    ) -> EvaluationEpisodes:
        """Plays E episodes with the current policy of each run in `runs` `[M]`.

        Args:
            engine: has the policies.
            runs: rows `[M]`.
            on_step: called after each step, unless compiled code plays whole episodes.
        """
        count = -(-runs.size * self.seeds.shape[1] // MOST_ENVS)
        parts = []
        for some in np.array_split(runs, min(count, len(runs))):
            with engine.policy(some) as policy:
                parts.append(self.play(policy, some, on_step))
        return join_episodes(parts)

    def compile(self, engine: NativeEngine) -> None:
        """Compiles or loads the code of policies."""
        engine.compile_policy()

    def play(
        self, policy: Policy, runs: IntArray, on_step: Callable[[], None] = do_nothing
    ) -> EvaluationEpisodes:
        """Plays E episodes with the policy of each run in `runs` `[M]`; see `evaluate`."""
        seeds = self.seeds[runs]
        env, everyone = self._open(seeds.size), np.arange(seeds.size)
        active = np.ones(seeds.size, dtype=np.bool_)
        observations = env.reset(everyone, seeds.ravel())
        tally = self._make_tally(observations, np.repeat(runs, seeds.shape[1]))
        filmstrips = {
            row: Filmstrip(self._frames)
            for row in range(0, seeds.size, seeds.shape[1])
            if self._frames is not None
        }
        while active.any():
            for row, filmstrip in filmstrips.items():
                if active[row]:
                    filmstrip.add(observations[row])
            actions = policy(observations.reshape(*seeds.shape, -1)).ravel()
            result = env.step(actions, active)
            tally.count(result, active)
            # The last observation of a finished episode stays: the shape of the network's inputs
            # must not depend on how long the neighbors' episodes are.
            observations[active] = result.observations[active]
            active &= ~result.ended
            active[list(env.errors)] = False
            on_step()
        errors: dict[int, Exception] = {}
        for row, error in env.errors.items():
            error.episode = f"evaluation episode {row % seeds.shape[1]}"
            error.is_evaluation = True
            errors.setdefault(row // seeds.shape[1], error)
        if errors:  # The state of the failed environments is unknown.
            self.close()
        return tally.result(seeds.shape, errors)._replace(filmstrips=list(filmstrips.values()))

    def close(self) -> None:
        """Closes the environments."""
        if self._env is not None:
            self._env.close()
            self._env = None

    def _open(self, count: int) -> VectorEnv:
        if self._env is None or self._count != count or not self._reuses_env:
            self.close()
            self._env, self._count = self._make_env(count), count
        return self._env

    def _make_tally(self, observations: Float32Array, rows: IntArray) -> "_Tally":
        return _Tally(
            observations,
            self._gamma[rows],
            self._reward_limits[rows],
            self._bootstrap_truncated[rows],
        )


class _Tally:
    """Running sums of episodes `[M * E]`, as long as they are active."""

    def __init__(
        self,
        observations: Float32Array,
        gamma: Float64Array,
        reward_limits: Float64Array,
        bootstrap_truncated: BoolArray,
    ) -> None:
        """Starts with the first observations `[M * E, D]`; the others are as in `Evaluation`."""
        self._gamma, self._reward_limits = gamma, reward_limits
        self._ends_when_truncated = ~bootstrap_truncated
        self._first, self._last = observations.copy(), observations.copy()
        self._returns, self._discounted = np.zeros((2, len(observations)))
        self._lengths = np.zeros(len(observations), dtype=np.int64)
        self._weights = np.ones(len(observations))  # Discounts of the next rewards.

    def count(self, result: StepResult, active: BoolArray) -> None:
        """Adds a step."""
        _count(
            result.rewards,
            active,
            self._reward_limits,
            self._gamma,
            self._returns,
            self._lengths,
            self._discounted,
            self._weights,
        )
        ends = result.ended & active
        if np.count_nonzero(ends):
            self._last[ends] = result.observations[ends]
            self._weights[ends & (result.terminated | self._ends_when_truncated)] = 0.0

    def result(self, shape: tuple[int, int], errors: dict[int, Exception]) -> EvaluationEpisodes:
        """Returns the episodes, of shape `[M, E]`."""
        return EvaluationEpisodes(
            returns=self._returns.reshape(shape),
            lengths=self._lengths.reshape(shape),
            first_observations=self._first.reshape(*shape, -1),
            last_observations=self._last.reshape(*shape, -1),
            discounted=self._discounted.reshape(shape),
            bootstrap_weights=self._weights.reshape(shape),
            errors=errors,
        )


@cached_jit
def _count(
    rewards: Float32Array,
    active: BoolArray,
    reward_limits: Float64Array,
    gamma: Float64Array,
    returns: Float64Array,
    lengths: IntArray,
    discounted: Float64Array,
    weights: Float64Array,
) -> None:
    """Adds a step with `rewards [M * E]` to the sums of active episodes, all `[M * E]`."""
    for row in range(len(rewards)):
        if active[row]:
            reward, limit = rewards[row], reward_limits[row]
            returns[row] += reward
            lengths[row] += 1
            discounted[row] += weights[row] * min(max(reward, -limit), limit)
            weights[row] *= gamma[row]
