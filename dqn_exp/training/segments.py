"""Steps of each run by itself, in compiled segments on several threads."""

import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from dqn_exp.agent.native.engine import NativeEngine
from dqn_exp.agent.native.remember import Waiting
from dqn_exp.buffer.n_step import NStep
from dqn_exp.core.arrays import IntArray
from dqn_exp.core.compile_time import Static
from dqn_exp.env.classic_control import ClassicControlVectorEnv
from dqn_exp.training.episodes import Episodes, FinishedEpisodes, join_finished
from dqn_exp.training.segment import FINISHED, World, advance
from dqn_exp.training.stretch import Stretch

SECONDS = 0.1
"""Length of a stretch, in which the runs advance as far as they come."""

SEGMENTS_PER_STRETCH = 5
"""Segments that a run may make in a stretch, so that the threads share the work of few runs."""

MAX_FINISHED = 1_024
"""Finished episodes of a segment, at most."""


class Segments:
    """Advances runs on threads that take run after run, each by one compiled segment.

    What a run computes depends neither on the threads nor on the length of the segments.
    """

    def __init__(
        self,
        engine: NativeEngine,
        n_step: NStep,
        episodes: Episodes,
        env: ClassicControlVectorEnv,
        num_threads: int,
    ) -> None:
        """Compiles the code.

        Args:
            engine: of the population.
            n_step: steps that wait for the following ones.
            episodes: in `env`.
            env: compiled environments.
            num_threads: limit of threads.
        """
        self._engine, self._n_step, self._episodes, self._env = engine, n_step, episodes, env
        self._physics = Static(env.physics.name)
        num_threads = max(1, min(num_threads, len(episodes.counts)))
        self._memories = [engine.make_memory() for _ in range(num_threads)]
        self._finished = np.zeros((num_threads, MAX_FINISHED), dtype=FINISHED)
        self._pool = ThreadPoolExecutor(num_threads)
        self._following = np.zeros_like(episodes.observations)
        self._steps_per_second = 1_000.0  # Of a run, until it is known.
        nowhere = np.zeros_like(episodes.counts)
        self.advance(nowhere, nowhere, nowhere)

    def advance(self, steps: IntArray, until: IntArray, last_episodes: IntArray) -> Stretch:
        """Advances all runs until something is due for them, as far as they come in time."""
        stretch = _Stretch(self, steps, until, last_episodes)
        num_threads = min(len(self._memories), len(steps))
        if num_threads == 1:
            stretch.work(0)
        else:
            list(self._pool.map(stretch.work, range(num_threads)))
        return stretch.end()

    def close(self) -> None:
        """Ends the threads."""
        self._pool.shutdown()

    def load(self, steps: IntArray) -> Any:
        """Returns the records of all runs at their own steps `[N]`."""
        records = self._engine.load(steps)
        for name, values in self._state().items():
            records[name] = values
        return records

    def store(self, records: Any) -> None:
        """Takes over what the segments have changed in the records."""
        self._engine.store(records)
        for name, values in self._state().items():
            values[:] = records[name]

    def world(self) -> World:
        """Returns environments and episodes, in the memory of their owners."""
        n_step = self._n_step
        return World(
            self._env.state,
            self._episodes.observations,
            self._following,
            Waiting(n_step.observations, n_step.actions, n_step.rewards, n_step.discounts),
            self._env.limit,
            self._env.argument,
        )

    def _state(self) -> dict[str, Any]:
        episodes = self._episodes
        return {
            "episode": episodes.counts,
            "episode_return": episodes.returns,
            "episode_length": episodes.lengths,
            "env_steps": self._env.steps,
            "begin": self._n_step.begins,
            "count": self._n_step.counts,
        }


class _Stretch:
    """One stretch, which the threads work on together."""

    def __init__(
        self, segments: Segments, steps: IntArray, until: IntArray, last_episodes: IntArray
    ) -> None:
        self._segments, self._until = segments, until
        self._records = segments.load(steps)
        self._records["due"], self._records["last_episode"] = until, last_episodes
        self._stores, self._world = segments._engine.stores(), segments.world()
        self._waiting = deque(range(len(steps)))
        self._deadline = time.perf_counter() + SECONDS
        self._finished: list[FinishedEpisodes] = []

    def work(self, thread: int) -> None:
        """Advances run after run, until there is none left or the time is over."""
        while self._waiting:
            try:
                run = self._waiting.popleft()
            except IndexError:  # Another thread has taken it.
                return
            self._advance(run, thread)
            is_done = self._records["step"][run] >= self._until[run]
            if not (is_done or self._has_ended(run)) and time.perf_counter() < self._deadline:
                self._waiting.append(run)

    def end(self) -> Stretch:
        """Hands the state of the runs back to its owners; returns what has happened."""
        self._segments.store(self._records)
        finished = join_finished(self._finished)
        self._segments._episodes.note(finished)
        return Stretch(
            self._records["step"].copy(), finished, self._records["is_diverged"].copy(), {}
        )

    def _has_ended(self, run: int) -> bool:
        record = self._records[run]
        return bool(record["is_diverged"] or record["episode"] >= record["last_episode"])

    def _advance(self, run: int, thread: int) -> None:
        segments, record = self._segments, self._records[run]
        began, first = time.perf_counter(), int(record["step"])
        length = segments._steps_per_second * SECONDS / SEGMENTS_PER_STRETCH
        record["until"] = min(int(self._until[run]), first + max(1, int(length)))
        found = segments._finished[thread]
        advance(
            segments._engine.spec,
            segments._physics,
            self._stores,
            self._world,
            self._records,
            run,
            segments._memories[thread],
            found,
        )
        if count := int(record["step"]) - first:
            segments._steps_per_second = count / (time.perf_counter() - began)
        if num_finished := int(record["num_finished"]):
            self._finished.append(_copy(found[:num_finished], run))


def _copy(found: Any, run: int) -> FinishedEpisodes:
    return FinishedEpisodes(
        rows=np.full(len(found), run),
        numbers=found["number"].copy(),
        steps=found["step"].copy(),
        returns=found["return_"].copy(),
        lengths=found["length"].copy(),
        terminated=found["terminated"].copy(),
    )
