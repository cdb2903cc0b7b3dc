"""N-step transitions from single steps."""

import numpy as np

from dqn_exp.core.arrays import BoolArray, Float32Array, IntArray
from dqn_exp.core.per_run import PerRunState
from dqn_exp.core.transition import Transition


class NStep(PerRunState):
    """Holds the newest steps of each run until the n following steps are known.

    Learning to Predict by the Methods of Temporal Differences,
    https://doi.org/10.1007/BF00115009.

    A transition never crosses the end of an episode. When an episode ends, by termination or
    truncation, the waiting steps form transitions of n - 1 down to 1 steps to its last
    observation.
    """

    rows = ("observations", "actions", "rewards", "discounts", "begins", "counts")
    saved = rows

    def __init__(self, count: int, num_features: int, n_step: int) -> None:
        """Starts without steps.

        Args:
            count: N.
            num_features: numbers that are stored for an observation: D, or 1 for images.
            n_step: n, positive.
        """
        self._n_step = n_step
        self._ages, self._everyone = np.arange(n_step), np.arange(count)
        # Rings of n steps: the oldest waiting step is at `begins`, and `counts` steps are waiting.
        self.observations = np.zeros((count, n_step, num_features), dtype=np.float32)
        self.actions = np.zeros((count, n_step), dtype=np.int64)
        self.rewards = np.zeros((count, n_step), dtype=np.float32)
        self.discounts = np.zeros((count, n_step))
        self.begins, self.counts = np.zeros((2, count), dtype=np.int64)

    def push(self, step: Transition, ended: BoolArray) -> tuple[IntArray, Transition]:
        """Adds one step of every run; returns the transitions that are now complete.

        Args:
            step: of leading shape `[N]` with one reward each.
            ended: `[N]` whether the episode ended with it.

        Returns:
            The runs `[M]`, in ascending order, and their transitions, the oldest of a run first.
        """
        everyone = self._everyone[: len(ended)]
        if self._n_step == 1:  # No step has to wait.
            return everyone, step
        newest = (self.begins + self.counts) % self._n_step
        self.observations[everyone, newest] = step.observation
        self.actions[everyone, newest] = step.action
        self.rewards[everyone, newest] = step.rewards[:, 0]
        self.discounts[everyone, newest] = step.discount
        counts = self.counts + 1
        complete = np.where(ended, counts, counts == self._n_step)
        runs, ages = np.nonzero(self._ages < complete[:, None])
        transition = self._join(runs, ages, counts[runs], step.next_observation)
        self.begins = (self.begins + complete) % self._n_step
        self.counts = counts - complete
        return runs, transition

    def forget(self, run: int) -> None:
        """Drops the waiting steps of a run, whose episode cannot be continued."""
        self.counts[run] = 0

    def _join(
        self, runs: IntArray, ages: IntArray, counts: IntArray, next_observations: Float32Array
    ) -> Transition:
        following = ages[:, None] + self._ages
        exists = following < counts[:, None]
        slots = (self.begins[runs][:, None] + following) % self._n_step
        discounts = np.where(exists, self.discounts[runs[:, None], slots], 1.0)
        return Transition(
            observation=self.observations[runs, slots[:, 0]],
            action=self.actions[runs, slots[:, 0]],
            rewards=np.where(exists, self.rewards[runs[:, None], slots], 0.0),
            discount=np.multiply.reduce(discounts, axis=1),
            next_observation=next_observations[runs],
        )
