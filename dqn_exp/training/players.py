"""Playing a segment of a run, in a compiled environment or in one that is a Python object."""

from collections.abc import Mapping
from functools import partial
from typing import Any, Protocol

import numpy as np

from dqn_exp.agent.native.engine import NativeEngine
from dqn_exp.agent.native.remember import Waiting
from dqn_exp.buffer.n_step import NStep
from dqn_exp.core.arrays import Float64Array, IntArray, ObservationArray
from dqn_exp.core.callback import callback
from dqn_exp.core.compile_time import Static
from dqn_exp.env.classic_control import ClassicControlVectorEnv
from dqn_exp.env.serial_env import SerialVectorEnv
from dqn_exp.training import segment, turns
from dqn_exp.training.episodes import Episodes
from dqn_exp.training.helpers import Helpers
from dqn_exp.training.segment import Worker, World
from dqn_exp.training.thread_choice import ThreadChoice

CACHE_BYTES = 8 * 2**20
"""Share of a processor's cache that a thread may fill with the parameters of a group. With more,
each turn would fetch them from memory, which takes several times as long as learning itself."""

LARGEST_GROUP = 16
"""Runs of a group, however small their networks."""

COPIES = 7
"""Of the parameters that an update touches: online, target, gradient, moments and noise."""


class Player(Protocol):
    """Plays segments of the runs of a population.

    Attributes:
        episodes: of the runs.
        max_group: runs of a group, at most.
    """

    episodes: Episodes
    max_group: int

    @property
    def num_threads(self) -> int:
        """Threads that advance the newest groups, at most."""
        ...

    def load(self, records: Any) -> None:
        """Copies the current episodes to the records of all runs."""
        ...

    def store(self, records: Any) -> None:
        """Takes over what segments have changed in the records."""
        ...

    def group(self, num_runs: int) -> list[IntArray]:
        """Divides the runs into groups; a thread advances one group at a time."""
        ...

    def note_rate(self, rate: float) -> None:
        """Takes the run-steps per second since the newest groups were made."""
        ...

    def compile(self, records: Any, worker: Worker) -> None:
        """Compiles or loads the code; no run advances."""
        ...

    def advance(self, records: Any, runs: IntArray, worker: Worker) -> None:
        """Advances runs of a group until `segment.is_over` for each of them."""
        ...

    def has_failed(self, run: int) -> bool:
        """Returns whether the environment of a run has raised an error."""
        ...

    def close(self) -> None:
        """Ends threads of its own."""
        ...

    def take_errors(self) -> Mapping[int, Exception]:
        """Returns the errors that environments raised since the last call, by row."""
        ...


class _EpisodePlayer:
    """The common part of all players: episodes, and their fields in the records."""

    def __init__(self, engine: NativeEngine, n_step: NStep, episodes: Episodes) -> None:
        self.episodes, self._engine, self._n_step = episodes, engine, n_step
        self._following = np.zeros_like(episodes.observations)

    def load(self, records: Any) -> None:
        """Copies the current episodes to the records of all runs."""
        self._stores, self._world = self._engine.stores(), self._make_world()
        for name, values in self._state().items():
            records[name] = values

    def store(self, records: Any) -> None:
        """Takes over what segments have changed in the records."""
        for name, values in self._state().items():
            values[:] = records[name]

    def has_failed(self, run: int) -> bool:
        """Returns whether the environment of a run has raised an error."""
        return run in self.episodes.env.errors

    def close(self) -> None:
        """Does nothing: there are no threads."""

    def take_errors(self) -> Mapping[int, Exception]:
        """Returns the errors that environments raised since the last call, by row."""
        return self.episodes.take_errors()

    def _state(self) -> dict[str, IntArray | Float64Array]:
        episodes = self.episodes
        return {
            "episode": episodes.counts,
            "episode_return": episodes.returns,
            "episode_length": episodes.lengths,
            "begin": self._n_step.begins,
            "count": self._n_step.counts,
        }

    def _make_world(self) -> World:
        n_step = self._n_step
        waiting = Waiting(n_step.observations, n_step.actions, n_step.rewards, n_step.discounts)
        return World(np.zeros((0, 0)), self.episodes.observations, self._following, waiting, 0, 0.0)


class CompiledPlayer(_EpisodePlayer):
    """Plays in a compiled environment: a segment is one call, without the GIL."""

    max_group = 1

    def __init__(
        self,
        engine: NativeEngine,
        n_step: NStep,
        episodes: Episodes,
        env: ClassicControlVectorEnv,
        num_threads: int,
    ) -> None:
        """Takes the parts of the population, with the environments of the episodes."""
        super().__init__(engine, n_step, episodes)
        self.num_threads = num_threads
        self._env, self._physics = env, Static(env.physics.name)

    def group(self, num_runs: int) -> list[IntArray]:
        """Returns groups of one run."""
        return [np.array([run]) for run in range(num_runs)]

    def note_rate(self, rate: float) -> None:
        """Does nothing: the groups are always the same."""

    def compile(self, records: Any, worker: Worker) -> None:
        """Compiles or loads the code with a segment without steps."""
        self.advance(records, np.zeros(1, dtype=np.int64), worker)

    def advance(self, records: Any, runs: IntArray, worker: Worker) -> None:
        """Advances runs, one after the other, until `segment.is_over`."""
        for run in runs.tolist():
            segment.advance(
                *(self._engine.spec, self._physics, self._stores, self._world),
                *(records, run, worker.memory, worker.finished[0]),
            )

    def _state(self) -> dict[str, IntArray | Float64Array]:
        return {**super()._state(), "env_steps": self._env.steps}

    def _make_world(self) -> World:
        env = self._env
        return (
            super()._make_world()._replace(states=env.state, limit=env.limit, argument=env.argument)
        )


class PythonPlayer(_EpisodePlayer):
    """Plays in environments that are Python objects.

    The runs of a group step by turns, and compiled code acts and learns for all of them at once,
    without the GIL. Meanwhile another group may step.
    """

    def __init__(
        self,
        engine: NativeEngine,
        n_step: NStep,
        episodes: Episodes,
        env: SerialVectorEnv,
        num_threads: int,
    ) -> None:
        """Takes the parts of the population, with the environments of the episodes."""
        super().__init__(engine, n_step, episodes)
        self._env, self._choice = env, ThreadChoice(num_threads)
        self._helpers = Helpers(num_threads if engine.is_shared else 1)
        num_bytes = COPIES * 4 * engine.agent.online.shape[1]
        # Helpers work with the memory of a thread, which has the numbers of one run.
        largest = 1 if engine.is_shared else LARGEST_GROUP
        self.max_group = min(largest, max(1, CACHE_BYTES // num_bytes))

    @property
    def num_threads(self) -> int:
        """One thread, or several where they were faster."""
        return self._choice.num_threads

    def load(self, records: Any) -> None:
        """Copies the current episodes to the records of all runs."""
        super().load(records)
        count, frames = len(records), self.episodes.env.shape.frames
        newest = np.zeros((count, 0 if frames is None else frames.num_values), dtype=np.uint8)
        self._outcomes = turns.Outcomes(
            rewards=np.zeros(count, dtype=np.float32),
            terminated=np.zeros(count, dtype=np.bool_),
            truncated=np.zeros(count, dtype=np.bool_),
            starts=np.zeros_like(self._following),
            frames=newest,
            first_frames=newest.copy(),
        )
        outcomes = self._outcomes
        self._newest: ObservationArray = self._following if frames is None else outcomes.frames
        self._first: ObservationArray = outcomes.starts if frames is None else outcomes.first_frames

    def group(self, num_runs: int) -> list[IntArray]:
        """Returns groups of equal size, at least one for each thread."""
        num_groups = min(num_runs, max(self.num_threads, -(-num_runs // self.max_group)))
        self._helpers.share_among(min(self.num_threads, num_groups))
        return np.array_split(np.arange(num_runs), num_groups)

    def note_rate(self, rate: float) -> None:
        """Takes the run-steps per second since the newest groups were made."""
        self._choice.note(rate)

    def compile(self, records: Any, worker: Worker) -> None:
        """Compiles or loads the code with a group without runs."""
        self.advance(records, np.zeros(0, dtype=np.int64), worker)
        self._helpers.compile(self._engine.spec, worker.memory)

    def close(self) -> None:
        """Ends the threads of the helpers."""
        self._helpers.close()

    def advance(self, records: Any, runs: IntArray, worker: Worker) -> None:
        """Advances runs until `segment.is_over`, or until their environments raise an error."""
        size = len(runs)
        actions, over = np.zeros(size, dtype=np.int64), np.zeros(size, dtype=np.bool_)
        failed = np.array([self.has_failed(run) for run in runs.tolist()], dtype=np.bool_)
        numbers, finished = worker.numbers[:size], worker.finished[:size]
        group = turns.Group(runs, numbers, finished, actions, over, failed)
        with (
            self._helpers.at_work(self._engine.spec, worker.memory),
            callback(partial(self._step, records, group)) as step,
        ):
            turns.play(
                *(self._engine.spec, self._stores, self._world, self._outcomes),
                *(records, worker.memory, group, step),
            )

    def _step(self, records: Any, group: turns.Group) -> None:
        """Takes the chosen actions in the environments of segments that are not over."""
        columns = (group.over.tolist(), group.runs.tolist(), group.actions.tolist())
        steps = [
            (k, run, action)
            for k, (is_over, run, action) in enumerate(zip(*columns, strict=True))
            if not is_over
        ]
        if self._env.can_begin:
            for _, run, action in steps:
                self._env.begin_one(run, action)
        for k, run, action in steps:
            self._step_one(records, group, k, run, action)

    def _step_one(self, records: Any, group: turns.Group, k: int, run: int, action: int) -> None:
        outcomes, env = self._outcomes, self._env
        if (result := env.step_one(run, action)) is None:
            group.over[k] = True
            return
        self._newest[run], outcomes.rewards[run], terminated, truncated = result
        outcomes.terminated[run], outcomes.truncated[run] = terminated, truncated
        if terminated or truncated:
            seed = self.episodes.seed(run, int(records["episode"][run]) + 1)
            self._first[run] = env.reset_one(run, seed)
            group.failed[k] = self.has_failed(run)
