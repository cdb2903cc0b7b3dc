"""Losses of TD errors and of quantiles."""

from typing import Any, Protocol

import torch
from torch import Tensor

from dqn_exp.core.per_run import PerRunState


class Loss(Protocol):
    """Maps TD errors to losses, per transition."""

    def losses(self, td_errors: Tensor) -> Tensor:
        """Returns the losses `[N, B]` of TD errors `[N, B]`."""
        ...

    def retire(self, run: int) -> None:
        """Removes a run, as `PerRunState.retire` does."""
        ...


class SquaredLoss(PerRunState):
    """Squared TD error."""

    def losses(self, td_errors: Tensor) -> Tensor:
        """Returns the losses `[N, B]` of TD errors `[N, B]`."""
        return td_errors.square()


class HuberLoss(PerRunState):
    """Half the squared TD error up to delta, and linear beyond.

    Robust Estimation of a Location Parameter, https://doi.org/10.1214/aoms/1177703732.
    """

    rows = ("_delta",)

    def __init__(self, delta: Tensor) -> None:
        """Takes `delta` `[N]`, positive, where each run's loss becomes linear."""
        self._delta = delta[:, None]

    def losses(self, td_errors: Tensor) -> Tensor:
        """Returns the losses `[N, B]` of TD errors `[N, B]`."""
        magnitudes = td_errors.abs()
        bounded = torch.minimum(magnitudes, self._delta)
        return bounded * (magnitudes - 0.5 * bounded)


class QuantileHuber(torch.autograd.Function):
    """Quantile Huber loss, with its gradient in closed form.

    Each transition has K * K errors, and autograd would pass over them several times more. With
    `c` the error clipped to delta, Huber's loss is `c * (error - c / 2)` and its slope `c`. The
    weight of an error is the level where the error is positive, and 1 minus the level otherwise,
    that is `1 / 2 + (level - 1 / 2) * sign(c)`. So sums with and without signs suffice.
    """

    @staticmethod
    def forward(ctx: Any, outputs: Tensor, atoms: Tensor, levels: Tensor, delta: Tensor) -> Tensor:
        """Returns losses `[N, B]` of outputs and atoms `[N, B, K]`.

        Args:
            ctx: context of autograd.
            outputs: predicted quantiles.
            atoms: atoms of the target, of equal probability.
            levels: `[K]` cumulative probabilities of the quantiles.
            delta: `[N, 1, 1, 1]`, positive.
        """
        errors = atoms[:, :, None] - outputs[..., None]  # [N, B, quantile, atom]
        clipped = torch.clamp(errors, -delta, delta)
        slopes = clipped.sum(3)
        halves = torch.mul(errors.sub_(clipped, alpha=0.5), clipped).sum(3)
        magnitudes = clipped.abs_()
        signed = errors.mul_(magnitudes).sum(3)
        scale, tilt = delta[:, :, 0] * atoms.shape[2], levels - 0.5
        ctx.save_for_backward((0.5 * slopes + tilt * magnitudes.sum(3)) / -scale)
        return ((0.5 * halves + tilt * signed) / scale).sum(2)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None, None]:
        """Returns the gradient of the outputs `[N, B, K]`, given that of the losses `[N, B]`."""
        (slopes,) = ctx.saved_tensors
        return gradients[0][..., None] * slopes, None, None, None
