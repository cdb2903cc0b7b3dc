"""Vectorized classic control environments of Gymnasium, in compiled code."""

from typing import Any

import numpy as np

from dqn_exp.core.arrays import BoolArray, Float32Array, IntArray
from dqn_exp.core.compile_time import Static
from dqn_exp.core.errors import EpisodeError
from dqn_exp.core.per_run import PerRunState
from dqn_exp.env.arguments import EnvShape
from dqn_exp.env.classic_control_physics import Physics, begin_all, step_all
from dqn_exp.env.vector_env import StepResult


class ClassicControlVectorEnv(PerRunState):
    """One of Gymnasium's classic control environments, for all runs in one call.

    An episode with a seed equals, bit for bit, that of `gymnasium.make` with this seed.
    """

    rows = ("state", "steps")
    saved = ("state", "steps")

    def __init__(
        self, physics: Physics, count: int, max_episode_steps: int, argument: float
    ) -> None:
        """Creates environments that must be reset first.

        Args:
            physics: of the environment.
            count: N.
            max_episode_steps: time limit.
            argument: value of `physics.argument`.
        """
        self.physics, self.limit, self.argument = physics, max_episode_steps, argument
        self.shape = EnvShape(physics.num_features, physics.num_actions)
        self._static = Static(physics.name)
        self.state = np.zeros((count, physics.num_numbers))
        self.steps = np.zeros(count, dtype=np.int64)
        self.errors: dict[int, EpisodeError] = {}

    def reset(self, runs: IntArray, seeds: IntArray) -> Float32Array:
        """Starts episodes of runs `[M]` with seeds `[M]`; returns observations `[M, D]`."""
        observations = np.empty((len(self.state), self.physics.num_features), dtype=np.float32)
        begin_all(self._static, self.state, runs, seeds, observations)
        self.steps[runs] = 0
        return observations[runs]

    def step(self, actions: IntArray, active: BoolArray | None = None) -> StepResult:
        """Takes one action `[N]` in every environment, in those that are not active too."""
        count = len(actions)
        observations = np.empty((count, self.physics.num_features), dtype=np.float32)
        rewards, ends = np.empty(count, dtype=np.float32), np.empty((3, count), dtype=np.bool_)
        result = rewards, ends[0], ends[1], ends[2]
        step_all(
            self._static,
            self.state,
            self.steps,
            actions,
            self.limit,
            self.argument,
            observations,
            result,
        )
        return StepResult(observations, *result)

    def restore(
        self, run: int, state: dict[str, Any], observation: Float32Array, return_: float
    ) -> str | None:
        """Restores the current episode of one run; returns why it cannot be, or None."""
        if set(state) != set(self.saved):
            return "its checkpoint was saved by a version that stepped this environment differently"
        self.load_state_dict(run, state)
        return None

    def close(self) -> None:
        """Does nothing: there is nothing to close."""
