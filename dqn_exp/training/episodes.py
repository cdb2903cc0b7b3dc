"""The current training episodes of all runs."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from dqn_exp.buffer.uniform import UniformBuffer
from dqn_exp.core.arrays import (
    BoolArray,
    Float32Array,
    Float64Array,
    IntArray,
    ObservationArray,
)
from dqn_exp.core.errors import EpisodeError
from dqn_exp.core.jit import cached_jit
from dqn_exp.core.per_run import PerRunState
from dqn_exp.core.random_streams import RandomStream, episode_seeds
from dqn_exp.env.vector_env import StepResult, VectorEnv


class FinishedEpisodes(NamedTuple):
    """Finished episodes, all arrays `[M]`.

    Attributes:
        rows: of their runs.
        numbers: of the episodes in their runs, from 0.
        steps: of the runs when they finished.
        returns: undiscounted returns.
        lengths: lengths in steps.
        terminated: whether the episode terminated, rather than being truncated.
    """

    rows: IntArray
    numbers: IntArray
    steps: IntArray
    returns: Float64Array
    lengths: IntArray
    terminated: BoolArray


_NONE = np.zeros(0, dtype=np.int64)
NO_EPISODES = FinishedEpisodes(_NONE, _NONE, _NONE, np.zeros(0), _NONE, np.zeros(0, dtype=np.bool_))


def join_finished(parts: Sequence[FinishedEpisodes]) -> FinishedEpisodes:
    """Returns finished episodes one after the other."""
    some = [part for part in parts if len(part.rows)]
    if len(some) < 2:
        return some[0] if some else NO_EPISODES
    return FinishedEpisodes(*(np.concatenate(columns) for columns in zip(*some, strict=True)))


class Episodes(PerRunState):
    """Steps the environments of all runs and starts an episode where one has ended."""

    rows = ("counts", "observations", "newest_returns", "returns", "lengths", "recent")
    saved = rows
    parts = ("env", "_seeds")

    def __init__(
        self, env: VectorEnv, seeds: RandomStream, count: int, buffer: UniformBuffer | None = None
    ) -> None:
        """Starts the first episodes.

        Args:
            env: one environment per run.
            seeds: random stream with one number per episode.
            count: N.
            buffer: stores the frames, if the environments return frames.
        """
        self.env, self._seeds = env, seeds
        # A custom buffer need not have frames.
        self._buffer = buffer if getattr(buffer, "frames", None) is not None else None
        self.counts, self.lengths = np.zeros((2, count), dtype=np.int64)  # counts: of finished.
        self.returns = np.zeros(count)
        self.recent = np.zeros((count, 3))  # Since the last entry: count and sums.
        self.newest_returns = np.full(count, np.nan)
        self.lost: dict[int, str] = {}  # Why loading lost the current episode, by row.
        self.observations = self._start(np.arange(count))

    def step(self, actions: IntArray) -> StepResult:
        """Takes one action `[N]` in every environment."""
        result = self.env.step(actions)
        _count(result.rewards, self.returns, self.lengths)
        stored = self._store(np.arange(len(actions)), result.observations, is_first=False)
        result = result._replace(observations=stored)
        self.observations = result.observations
        return result

    def end(self, result: StepResult, steps: IntArray) -> FinishedEpisodes:
        """Starts new episodes where a step ended one; returns the finished ones.

        Args:
            result: of the step.
            steps: `[N]` the runs' own steps after it.
        """
        if not np.count_nonzero(result.ended):
            return NO_EPISODES
        ended = np.flatnonzero(result.ended)
        finished = FinishedEpisodes(
            ended,
            self.counts[ended],
            steps[ended],
            self.returns[ended],
            self.lengths[ended],
            result.terminated[ended],
        )
        self.note(finished)
        self.returns[ended] = self.lengths[ended] = 0
        self.counts[ended] += 1
        # In place: the buffer already holds copies of these observations.
        self.observations[ended] = self._start(ended)
        return finished

    def note(self, finished: FinishedEpisodes) -> None:
        """Counts finished episodes among the recent ones."""
        rows, returns = finished.rows, finished.returns
        sums = np.stack([np.ones(len(rows)), returns, finished.lengths], 1)
        np.add.at(self.recent, rows, sums)
        self.newest_returns[rows] = returns

    def take_errors(self) -> dict[int, EpisodeError]:
        """Returns the errors that environments raised since the last call, by row."""
        errors = self.env.errors
        if errors:
            self.env.errors = {}
        for row, error in errors.items():
            error.episode = f"training episode {self.counts[row]}"
        return errors

    def take_means(self, rows: IntArray) -> Float64Array:
        """Returns mean return and length `[M, 2]` of the episodes since the last call.

        They are NaN where no episode has ended.
        """
        with np.errstate(invalid="ignore"):
            means: Float64Array = self.recent[rows, 1:] / self.recent[rows, :1]
        self.recent[rows] = 0
        return means

    def load_state_dict(self, run: int, state: dict[str, Any]) -> None:
        """Overwrites one run with the return value of `state_dict`.

        If the environment cannot restore the current episode, a new one begins, and `lost` has
        the reason.

        Raises:
            ValueError: If the state does not fit.
        """
        self._check_names(state, {*self.saved, "env"})
        self._load_rows(run, state)
        self.env.errors.pop(run, None)  # Errors of an episode that is not continued.
        problem = self.env.restore(run, state["env"], self._newest(run), float(self.returns[run]))
        if problem is not None:
            self.lost[run] = problem
            self.returns[run] = self.lengths[run] = 0
            self.observations[run] = self._start(np.array([run]))[0]

    def close(self) -> None:
        """Closes the environments."""
        self.env.close()

    def seed(self, row: int, number: int) -> int:
        """Returns the seed of an episode of a run."""
        numbers = self._seeds.read(np.array([row]), np.array([number]))
        return int(episode_seeds(numbers)[0, 0])

    def _start(self, rows: IntArray) -> Float32Array:
        seeds = episode_seeds(self._seeds.read(rows, self.counts[rows])[:, 0])
        return self._store(rows, self.env.reset(rows, seeds), is_first=True)

    def _store(
        self, rows: IntArray, observations: ObservationArray, *, is_first: bool
    ) -> Float32Array:
        """Returns observations of rows `[M]` as they are stored in transitions."""
        if self._buffer is None:
            return observations
        return self._buffer.add_frames(rows, observations, np.full(len(rows), is_first))

    def _newest(self, run: int) -> ObservationArray:
        """Returns the newest observation of a run as its environment returned it."""
        if self._buffer is None or self._buffer.frames is None:
            newest: ObservationArray = self.observations[run]
            return newest
        return self._buffer.frames.newest(run)


@cached_jit
def _count(rewards: Float32Array, returns: Float64Array, lengths: IntArray) -> None:
    """Adds a step with `rewards [N]` to the current episodes' `returns [N]` and `lengths [N]`."""
    for run in range(len(rewards)):
        returns[run] += rewards[run]
        lengths[run] += 1
