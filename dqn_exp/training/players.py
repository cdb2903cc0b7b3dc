"""Playing a segment of a run, in a compiled environment or in one that is a Python object."""

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from dqn_exp.agent.native.engine import NativeEngine
from dqn_exp.agent.native.memory import Memory
from dqn_exp.agent.native.remember import Waiting
from dqn_exp.buffer.n_step import NStep
from dqn_exp.core.arrays import Float32Array, Float64Array, IntArray
from dqn_exp.core.compile_time import Static
from dqn_exp.env.classic_control import ClassicControlVectorEnv
from dqn_exp.env.serial_env import SerialVectorEnv
from dqn_exp.training import segment
from dqn_exp.training.episodes import Episodes
from dqn_exp.training.segment import World


class Player(Protocol):
    """Plays segments of the runs of a population.

    Attributes:
        episodes: of the runs.
    """

    episodes: Episodes

    def load(self, records: Any) -> None:
        """Copies the current episodes to the records of all runs."""
        ...

    def store(self, records: Any) -> None:
        """Takes over what segments have changed in the records."""
        ...

    def advance(self, records: Any, run: int, memory: Memory, finished: npt.NDArray[Any]) -> None:
        """Advances a run until `segment.is_over`; the arguments are those of `segment.advance`."""
        ...

    def has_failed(self, run: int) -> bool:
        """Returns whether the environment of a run has raised an error."""
        ...

    def take_errors(self) -> dict[int, Exception]:
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

    def take_errors(self) -> dict[int, Exception]:
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
        return World(np.zeros((0, 0)), self._observations(), self._following, waiting, 0, 0.0)

    def _observations(self) -> Float32Array:
        return self.episodes.observations


class CompiledPlayer(_EpisodePlayer):
    """Plays in a compiled environment: a segment is one call, without the interpreter lock."""

    def __init__(
        self, engine: NativeEngine, n_step: NStep, episodes: Episodes, env: ClassicControlVectorEnv
    ) -> None:
        """Takes the parts of the population, with the environments of the episodes."""
        super().__init__(engine, n_step, episodes)
        self._env, self._physics = env, Static(env.physics.name)

    def advance(self, records: Any, run: int, memory: Memory, finished: npt.NDArray[Any]) -> None:
        """Advances a run until `segment.is_over`."""
        segment.advance(
            self._engine.spec,
            self._physics,
            self._stores,
            self._world,
            records,
            run,
            memory,
            finished,
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

    Compiled code acts before each step and learns after it, without the interpreter lock, so that
    one run learns while another one steps.
    """

    def __init__(
        self, engine: NativeEngine, n_step: NStep, episodes: Episodes, env: SerialVectorEnv
    ) -> None:
        """Takes the parts of the population, with the environments of the episodes."""
        super().__init__(engine, n_step, episodes)
        self._env = env

    def advance(self, records: Any, run: int, memory: Memory, finished: npt.NDArray[Any]) -> None:
        """Advances a run until `segment.is_over`, or until its environment raises an error."""
        spec, stores, world = self._engine.spec, self._stores, self._world
        record, env = records[run], self._env
        is_over = segment.begin(spec, stores, records, run, memory, finished)
        while not is_over:
            action = segment.act(spec, stores, records, run, memory, world)
            result = env.step_one(run, action)
            if result is None:
                break
            world.following[run], record["reward"], terminated, truncated = result
            record["terminated"], record["truncated"] = terminated, truncated
            is_over = segment.learn(spec, stores, world, records, run, memory, finished)
            if terminated or truncated:
                seed = self.episodes.seed(run, int(record["episode"]))
                world.observations[run] = env.reset_one(run, seed)
                is_over |= run in env.errors
        segment.end(spec, stores, records, run, memory)
