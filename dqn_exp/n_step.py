"""Joins single steps to transitions over n steps."""

import numpy as np
import numpy.typing as npt

from dqn_exp.per_run import PerRunState
from dqn_exp.transition import Transition

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


class NStep(PerRunState):
    """Holds the newest steps of each run until the n steps that follow them are known.

    Learning to Predict by the Methods of Temporal Differences,
    https://doi.org/10.1007/BF00115009.

    A transition never crosses the end of an episode: at an end, by termination or truncation, the
    steps that wait lead to the last observation over as many steps as there are, n - 1 down to 1.
    """

    rows = ("_observations", "_actions", "_rewards", "_discounts", "_begins", "_counts")
    saved = rows

    def __init__(self, count: int, num_features: int, n_step: int) -> None:
        """Args: N, D and n, positive."""
        self._n_step = n_step
        self._ages, self._everyone = np.arange(n_step), np.arange(count)
        # Rings of n steps: a run's oldest waiting step is at `_begins`, `_counts` of them wait.
        self._observations = np.zeros((count, n_step, num_features), dtype=np.float32)
        self._actions = np.zeros((count, n_step), dtype=np.int64)
        self._rewards = np.zeros((count, n_step), dtype=np.float32)
        self._discounts = np.zeros((count, n_step))
        self._begins, self._counts = np.zeros((2, count), dtype=np.int64)

    def push(self, step: Transition, ended: Bools) -> tuple[Ints, Transition]:
        """Takes one step of every run; returns the transitions that are now known.

        Args:
            step: of leading shape `[N]` and one reward each.
            ended: `[N]` whether the episode has ended with it.

        Returns:
            The runs `[M]`, in ascending order, and their transitions, the oldest of a run first.
        """
        everyone = self._everyone[: len(ended)]
        if self._n_step == 1:  # Nothing waits.
            return everyone, step
        newest = (self._begins + self._counts) % self._n_step
        self._observations[everyone, newest] = step.observation
        self._actions[everyone, newest] = step.action
        self._rewards[everyone, newest] = step.rewards[:, 0]
        self._discounts[everyone, newest] = step.discount
        counts = self._counts + 1
        known = np.where(ended, counts, counts == self._n_step)
        runs, ages = np.nonzero(self._ages < known[:, None])
        transition = self._join(runs, ages, counts[runs], step.next_observation)
        self._begins = (self._begins + known) % self._n_step
        self._counts = counts - known
        return runs, transition

    def forget(self, run: int) -> None:
        """Drops the waiting steps of a run, whose episode nobody will see the end of."""
        self._counts[run] = 0

    def _join(
        self, runs: Ints, ages: Ints, counts: Ints, next_observations: npt.NDArray[np.float32]
    ) -> Transition:
        following = ages[:, None] + self._ages
        is_there = following < counts[:, None]
        slots = (self._begins[runs][:, None] + following) % self._n_step
        discounts = np.where(is_there, self._discounts[runs[:, None], slots], 1.0)
        return Transition(
            observation=self._observations[runs, slots[:, 0]],
            action=self._actions[runs, slots[:, 0]],
            rewards=np.where(is_there, self._rewards[runs[:, None], slots], 0.0),
            discount=np.multiply.reduce(discounts, axis=1),
            next_observation=next_observations[runs],
        )
