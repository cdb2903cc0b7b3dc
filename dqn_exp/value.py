"""What it costs when a predicted value is wrong."""

from typing import Protocol

import torch
from torch import Tensor

from dqn_exp.per_run import PerRunState


class Loss(Protocol):
    """Maps TD errors to losses, transition by transition."""

    def losses(self, td_errors: Tensor) -> Tensor:
        """Returns the losses `[N, B]` of TD errors `[N, B]`."""
        ...

    def retire(self, run: int) -> None:
        """Takes a run out, as `PerRunState.retire` does."""
        ...


class SquaredLoss(PerRunState):
    """The square of the TD error."""

    def losses(self, td_errors: Tensor) -> Tensor:
        """Returns the losses `[N, B]` of TD errors `[N, B]`."""
        return td_errors.square()


class HuberLoss(PerRunState):
    """Half the square of the TD error up to delta, and linear beyond.

    Robust Estimation of a Location Parameter, https://doi.org/10.1214/aoms/1177703732.
    """

    rows = ("_delta",)

    def __init__(self, delta: Tensor) -> None:
        """Args: `delta` `[N]`, positive, where each run's loss becomes linear."""
        self._delta = delta[:, None]

    def losses(self, td_errors: Tensor) -> Tensor:
        """Returns the losses `[N, B]` of TD errors `[N, B]`."""
        magnitudes = td_errors.abs()
        bounded = torch.minimum(magnitudes, self._delta)
        return bounded * (magnitudes - 0.5 * bounded)
