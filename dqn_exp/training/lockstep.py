"""Lockstep training for the torch engine: one step of all runs at a time."""

import time

import numpy as np

from dqn_exp.agent.dqn import Agent
from dqn_exp.agent.engine import Engine
from dqn_exp.buffer.base import Buffer
from dqn_exp.buffer.n_step import NStep
from dqn_exp.core.arrays import BoolArray, IntArray
from dqn_exp.core.transition import Transition
from dqn_exp.env.vector_env import StepResult
from dqn_exp.training.episodes import Episodes, join_finished
from dqn_exp.training.stretch import Stretch

SECONDS = 0.1
"""Length of a stretch, unless a single step takes longer."""


class LockStep:
    """Makes one step of every run at a time."""

    def __init__(
        self, agent: Agent, engine: Engine, n_step: NStep, buffer: Buffer, episodes: Episodes
    ) -> None:
        """Takes the parts of the population."""
        self._agent, self._engine = agent, engine
        self._n_step, self._buffer, self._episodes = n_step, buffer, episodes

    def advance(self, steps: IntArray, until: IntArray, last_episodes: IntArray) -> Stretch:
        """Makes steps until something is due for any run, or has happened to it."""
        deadline, finished = time.perf_counter() + SECONDS, []
        self._engine.target_distances[:] = np.nan  # As long as they have not been measured.
        while True:
            result = self._act(steps)
            steps = steps + 1
            finished.append(self._episodes.end(result, steps))
            is_over = (steps >= until) | (self._episodes.counts >= last_episodes)
            diverged = self._learn(steps, measures_distances=bool(is_over.any()))
            errors = self._episodes.take_errors()
            has_ended = np.count_nonzero(is_over) or np.count_nonzero(diverged) or errors
            if has_ended or time.perf_counter() > deadline:
                return Stretch(steps, join_finished(finished), diverged, errors)

    def close(self) -> None:
        """Does nothing: there are no threads."""

    def _act(self, steps: IntArray) -> StepResult:
        """Acts, steps the environments and stores the step."""
        observations = self._episodes.observations
        actions = self._engine.act(observations, steps)
        result = self._episodes.step(actions)
        discounts = self._agent.discounts(result.terminated, result.truncated)
        step = Transition(
            observations, actions, result.rewards[:, None], discounts, result.observations
        )
        self._buffer.add(*self._n_step.push(step, result.ended))
        return result

    def _learn(self, steps: IntArray, *, measures_distances: bool) -> BoolArray:
        """Updates the runs that are due to learn; returns those that diverged."""
        learning = self._agent.is_learning(steps - 1, steps, self._buffer.sizes)
        if measures_distances:
            distances = self._agent.target_distance(np.arange(len(steps)))
            self._engine.target_distances[:] = distances
        # Ten times faster than `any`.
        if not np.count_nonzero(learning):
            return learning
        return self._engine.learn(learning, steps)
