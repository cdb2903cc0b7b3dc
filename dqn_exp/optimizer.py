"""Adam on flat parameters, with each run's own learning rate and count of updates."""

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from dqn_exp.per_run import PerRunState

DECAY_1, DECAY_2, EPSILON = 0.9, 0.999, 1e-8

FLUSH_BELOW = 1e-30
"""Moments below this are set to 0. They cannot move a parameter any more, but the moments of a
unit that is never active would decay into denormal numbers, on which processors are slow."""


class Adam(PerRunState):
    """The optimizer's state for all runs of a population.

    Adam: A Method for Stochastic Optimization, https://arxiv.org/abs/1412.6980.
    """

    rows = ("_learning_rate", "_power_1", "_power_2", "first_moment", "second_moment", "_scratch")
    saved = ("_power_1", "_power_2", "first_moment", "second_moment")

    def __init__(
        self, learning_rate: npt.NDArray[np.float64], num_parameters: int, device: torch.device
    ) -> None:
        """Args: `learning_rate` `[N]`, positive, P, and where the moments are stored."""
        count = len(learning_rate)
        self._learning_rate = learning_rate.copy()
        # Running products of the decay rates. A power function would round differently in the
        # vectorised part of an array than in its tail, and so depend on the neighbours.
        self._power_1 = np.ones(count)
        self._power_2 = np.ones(count)
        self.first_moment = torch.zeros(count, num_parameters, device=device)
        self.second_moment = torch.zeros_like(self.first_moment)
        self._scratch = torch.zeros_like(self.first_moment)

    def step(self, parameters: Tensor, gradients: Tensor, learning: npt.NDArray[np.bool_]) -> None:
        """Makes one update of the runs that learn; the others stay bit for bit as they are.

        Args:
            parameters: `[N, P]`, updated in place.
            gradients: `[N, P]`, finite in the rows that do not learn.
            learning: `[N]` which runs learn.
        """
        self._power_1 *= np.where(learning, DECAY_1, 1.0)
        self._power_2 *= np.where(learning, DECAY_2, 1.0)
        # A run that has not learned yet would divide by zero, but takes no step.
        correction_1 = np.where(self._power_1 < 1.0, 1.0 - self._power_1, 1.0)
        correction_2 = np.where(self._power_2 < 1.0, 1.0 - self._power_2, 1.0)
        rates = learning * self._learning_rate / correction_1
        scratch = self._scratch
        torch.mul(gradients, gradients, out=scratch)
        self.first_moment.lerp_(gradients, self._column(np.where(learning, 1 - DECAY_1, 0.0)))
        self.second_moment.lerp_(scratch, self._column(np.where(learning, 1 - DECAY_2, 0.0)))
        for moment in (self.first_moment, self.second_moment):
            torch.hardshrink(moment, FLUSH_BELOW, out=moment)
        torch.sqrt(self.second_moment, out=scratch)
        scratch.mul_(self._column(1.0 / np.sqrt(correction_2))).add_(EPSILON)
        torch.div(self.first_moment, scratch, out=scratch)
        parameters.sub_(scratch.mul_(self._column(rates)))

    def _column(self, values: npt.NDArray[np.float64]) -> Tensor:
        column = torch.from_numpy(values.astype(np.float32)[:, None])
        return column.to(self.first_moment.device)
