"""Budgets and periods of runs, in their own steps."""

from typing import NamedTuple

import numpy as np

from dqn_exp.core.arrays import BoolArray, Float64Array, IntArray
from dqn_exp.core.per_run import NEVER, PerRunState, is_due


class Due(NamedTuple):
    """Events that are due, as a mask `[N]` of runs for each.

    Attributes:
        logged: an entry in TensorBoard.
        evaluated: an evaluation.
        saved: a checkpoint.
        over: the end of the budget.
    """

    logged: BoolArray
    evaluated: BoolArray
    saved: BoolArray
    over: BoolArray

    def any(self) -> bool:
        """Returns whether anything is due."""
        return any(bool(due.any()) for due in self)


class Timetable(PerRunState):
    """Budgets and periods of the runs of a population."""

    rows = ("_total_steps", "_total_episodes", "_stop_at_return", "_periods")

    def __init__(
        self,
        *,
        total_steps: IntArray,
        total_episodes: IntArray,
        stop_at_return: Float64Array,
        log_every: IntArray,
        evaluate_every: IntArray,
        checkpoint_every: IntArray,
    ) -> None:
        """Sets budgets, returns to stop at and periods `[N]`; `NEVER` or infinity for none."""
        self._total_steps, self._total_episodes = total_steps, total_episodes
        self._stop_at_return = stop_at_return
        self._periods = np.stack([log_every, evaluate_every, checkpoint_every], 1)

    def due(self, previous: IntArray, steps: IntArray, episodes: IntArray) -> Due:
        """Returns what is due since the previous steps.

        Args:
            previous: `[N]` steps at the previous call.
            steps: `[N]` the runs' own steps.
            episodes: `[N]` finished episodes.
        """
        passed = is_due(previous[:, None], steps[:, None], self._periods)
        logged, evaluated, saved = passed.T
        return Due(logged, evaluated, saved, self.is_over(steps, episodes))

    def is_over(self, steps: IntArray, episodes: IntArray) -> BoolArray:
        """Returns which runs `[N]` have reached a budget."""
        is_over: BoolArray = (steps >= self._total_steps) | (episodes >= self._total_episodes)
        return is_over

    def is_good(self, rows: IntArray, returns: Float64Array) -> BoolArray:
        """Returns which rows `[M]` stop at the mean returns `[M]` of their newest evaluations."""
        is_good: BoolArray = returns >= self._stop_at_return[rows]
        return is_good

    @property
    def total_episodes(self) -> IntArray:
        """Budgets `[N]` of episodes."""
        return self._total_episodes

    def next_due(self, steps: IntArray) -> IntArray:
        """Returns the next steps `[N]` at which something is due; an episode may end earlier."""
        to_periods = (self._periods - steps[:, None] % self._periods).min(1)
        # A budget of episodes alone has no last step, and `NEVER` must not be exceeded.
        following = steps + np.minimum(to_periods, NEVER // 2)
        until: IntArray = np.minimum(following, self._total_steps)
        return until

    def shares_done(self, steps: IntArray, episodes: IntArray) -> Float64Array:
        """Returns the shares `[N]` of the budgets that are spent."""
        return np.maximum(steps / self._total_steps, episodes / self._total_episodes)
