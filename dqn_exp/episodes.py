"""The open training episodes of all runs."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from dqn_exp.compiled import entry
from dqn_exp.outcome import Environments, Outcome
from dqn_exp.per_run import PerRunState
from dqn_exp.random_streams import RandomStream, episode_seeds

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


class Finished(NamedTuple):
    """Episodes that have ended, all arrays `[M]`.

    rows: of their runs.
    numbers: of the episodes in their runs, from 0.
    returns: undiscounted.
    lengths: in steps.
    terminated: whether the task has ended, rather than a limit.
    """

    rows: Ints
    numbers: Ints
    returns: Floats
    lengths: Ints
    terminated: Bools


class Episodes(PerRunState):
    """Steps the environments of all runs and starts an episode where one has ended."""

    rows = ("counts", "observations", "newest_returns", "_returns", "_lengths", "_recent")
    saved = rows

    def __init__(self, environments: Environments, seeds: RandomStream, count: int) -> None:
        """Args: the environments, a stream of two numbers an episode, and N."""
        self._environments, self._seeds = environments, seeds
        self.counts, self._lengths = np.zeros((2, count), dtype=np.int64)  # counts: of finished.
        self._returns = np.zeros(count)
        self._recent = np.zeros((count, 3))  # Since the last entry: count and sums.
        self.newest_returns = np.full(count, np.nan)
        self.observations = self._start(np.arange(count))

    def step(self, actions: Ints) -> Outcome:
        """Takes one action `[N]` in every environment."""
        outcome = self._environments.step(actions)
        _count(outcome.rewards, self._returns, self._lengths)
        self.observations = outcome.observations
        return outcome

    def end(self, outcome: Outcome) -> Finished | None:
        """Starts new episodes where a step has ended one; returns those that have ended."""
        if not np.count_nonzero(outcome.ended):
            return None
        ended = np.flatnonzero(outcome.ended)
        returns, lengths = self._returns[ended], self._lengths[ended]
        finished = Finished(ended, self.counts[ended], returns, lengths, outcome.terminated[ended])
        self._recent[ended] += np.stack([np.ones(len(ended)), returns, lengths], 1)
        self.newest_returns[ended] = returns
        self._returns[ended] = self._lengths[ended] = 0
        self.counts[ended] += 1
        # In place: what the transitions needed of these observations is in the buffer already.
        self.observations[ended] = self._start(ended)
        return finished

    def take_errors(self) -> dict[int, Exception]:
        """Returns what environments have raised since this was last asked, by row."""
        errors = self._environments.errors
        if errors:
            self._environments.errors = {}
        return errors

    def take_means(self, rows: Ints) -> Floats:
        """Returns mean return and length `[M, 2]` of the episodes since this was last asked.

        They are nan where no episode has ended.
        """
        with np.errstate(invalid="ignore"):
            means: Floats = self._recent[rows, 1:] / self._recent[rows, :1]
        self._recent[rows] = 0
        return means

    def retire(self, run: int) -> None:
        """Takes a run out: the last row moves into its place."""
        super().retire(run)
        self._environments.retire(run)
        self._seeds.retire(run)

    def state_dict(self, run: int) -> dict[str, Any]:
        """Returns a copy of all that is known of one run's episodes."""
        return {**super().state_dict(run), "environment": self._environments.state_dict(run)}

    def restore(self, run: int, state: dict[str, Any]) -> str | None:
        """Overwrites one run with what `state_dict` returned.

        Returns:
            Why the open episode could not be brought back and a new one has begun, or None.

        Raises:
            ValueError: if `state` is not one of such episodes.
        """
        environment = state["environment"]
        self.load_state_dict(run, {k: v for k, v in state.items() if k != "environment"})
        self._environments.errors.pop(run, None)  # Of an episode that is not played.
        problem = self._environments.restore(run, environment, self.observations[run])
        if problem is not None:
            self._returns[run] = self._lengths[run] = 0
            self.observations[run] = self._start(np.array([run]))[0]
        return problem

    def close(self) -> None:
        """Frees the environments."""
        self._environments.close()

    def _start(self, rows: Ints) -> npt.NDArray[np.float32]:
        seeds = episode_seeds(self._seeds.read(rows, self.counts[rows]))
        return self._environments.reset(rows, seeds)


@entry
def _count(rewards: npt.NDArray[np.float32], returns: Floats, lengths: Ints) -> None:
    """Adds a step with `rewards [N]` to the open episodes' `returns [N]` and `lengths [N]`."""
    for run in range(len(rewards)):
        returns[run] += rewards[run]
        lengths[run] += 1
