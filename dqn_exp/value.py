"""What the outputs of a network mean, and what it costs when they are wrong.

Outputs of an action are always a distribution of its return: K atoms with probabilities. A plain
value is the distribution with one atom.
"""

from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from dqn_exp.per_run import PerRunState

Ints = npt.NDArray[np.int64]


class Distribution(NamedTuple):
    """Where the return of an action may lie.

    atoms: `[N, B, K]`.
    probabilities: `[N, B, K]`, or of a shape that is broadcast to it.
    """

    atoms: Tensor
    probabilities: Tensor


class Judgement(NamedTuple):
    """How wrong predictions are, transition by transition, `[N, B]`.

    losses: what is minimised, before importance weights.
    predictions: the predicted values Q of the actions taken.
    td_errors: by how much the predictions exceed the means of their targets.
    priorities: how much there is to learn, at least 0.

    Only the losses are differentiated.
    """

    losses: Tensor
    predictions: Tensor
    td_errors: Tensor
    priorities: Tensor


class Value(Protocol):
    """A meaning of outputs `[..., K]`."""

    num_outputs: int

    def means(self, outputs: Tensor, runs: Ints | None = None) -> Tensor:
        """Returns the values Q `[N, B, A]` of outputs `[N, B, A, K]` of all runs, or of some."""
        ...

    def distribution(self, outputs: Tensor) -> Distribution:
        """Returns the distributions that outputs `[N, B, K]` mean."""
        ...

    def judge(self, outputs: Tensor, target: Distribution) -> Judgement:
        """Compares outputs `[N, B, K]` with what they should mean."""
        ...

    def retire(self, run: int) -> None:
        """Takes a run out, as `PerRunState.retire` does."""
        ...


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


class ScalarValue:
    """One output: the value itself."""

    num_outputs = 1

    def __init__(self, loss: Loss, device: torch.device) -> None:
        """Args: the loss of TD errors, and where the outputs are."""
        self._loss = loss
        self._certainty = torch.ones(1, 1, 1, device=device)

    def means(self, outputs: Tensor, runs: Ints | None = None) -> Tensor:
        """Returns the values Q `[N, B, A]` of outputs `[N, B, A, 1]`."""
        return outputs[..., 0]

    def distribution(self, outputs: Tensor) -> Distribution:
        """Returns the distributions that outputs `[N, B, 1]` mean."""
        return Distribution(outputs, self._certainty)

    def judge(self, outputs: Tensor, target: Distribution) -> Judgement:
        """Compares outputs `[N, B, 1]` with what they should mean."""
        predictions = outputs[..., 0]
        td_errors = predictions - target.atoms[..., 0]
        priorities = td_errors.detach().abs()
        return Judgement(self._loss.losses(td_errors), predictions, td_errors, priorities)

    def retire(self, run: int) -> None:
        """Takes a run out, as `PerRunState.retire` does."""
        self._loss.retire(run)


class CategoricalValue(PerRunState):
    """The logits of K atoms at equal distances from the least to the greatest return.

    A Distributional Perspective on Reinforcement Learning, https://arxiv.org/abs/1707.06887.
    """

    rows = ("_support", "_least", "_greatest")

    def __init__(self, num_atoms: int, least: Tensor, greatest: Tensor) -> None:
        """Args: K, at least 2, and `[N]` the least and the greatest return, which differ."""
        self.num_outputs = num_atoms
        self._least, self._greatest = least[:, None, None], greatest[:, None, None]
        shares = torch.linspace(0, 1, num_atoms, dtype=torch.float64, device=least.device)
        widths = (greatest - least).double()[:, None]
        self._support = (least.double()[:, None] + widths * shares).float()[:, None]  # [N, 1, K]

    def means(self, outputs: Tensor, runs: Ints | None = None) -> Tensor:
        """Returns the values Q `[N, B, A]` of outputs `[N, B, A, K]`."""
        support = self._support if runs is None else self._support[torch.from_numpy(runs)]
        return (torch.softmax(outputs, -1) * support[:, :, None]).sum(-1)

    def distribution(self, outputs: Tensor) -> Distribution:
        """Returns the distributions that outputs `[N, B, K]` mean."""
        return Distribution(self._support, torch.softmax(outputs, -1))

    def judge(self, outputs: Tensor, target: Distribution) -> Judgement:
        """Compares outputs `[N, B, K]` with what they should mean.

        The loss is the cross-entropy; its excess over the entropy of the target, the divergence,
        is the priority, as in Rainbow, https://arxiv.org/abs/1710.02298.
        """
        wanted = self.project(target)
        logs = torch.log_softmax(outputs, -1)
        losses = -(wanted * logs).sum(-1)
        with torch.no_grad():
            divergences = losses + torch.special.xlogy(wanted, wanted).sum(-1)
            predictions = (logs.exp() * self._support).sum(-1)
            td_errors = predictions - (wanted * self._support).sum(-1)
        return Judgement(losses, predictions, td_errors, divergences.clamp_min_(0))

    def project(self, distribution: Distribution) -> Tensor:
        """Returns the probabilities `[N, B, K]` of the own atoms that come closest.

        The probability of an atom goes to the two own ones beside it, by nearness; that of one
        beyond the ends goes to the end.
        """
        last = self.num_outputs - 1
        scale = last / (self._greatest - self._least)
        places = ((distribution.atoms - self._least) * scale).clamp_(0, last)
        # At the upper end the lower neighbour is the last but one, with no share of it.
        lower = places.floor().clamp_max_(last - 1)
        to_upper = distribution.probabilities * (places - lower)
        to_lower = distribution.probabilities - to_upper
        # What is not a number stays with its run; as an index it would fail them all.
        below = lower.nan_to_num(0.0).long()
        projected = torch.zeros_like(to_upper).scatter_add_(2, below, to_lower)
        return projected.scatter_add_(2, below + 1, to_upper)


class QuantileHuber(torch.autograd.Function):
    """The loss of quantiles, with its gradient in a closed form.

    There are K * K errors for each transition; autograd would pass over them several times more.
    With `c` the error clipped to delta, Huber's loss is `c * (error - c / 2)` and its slope `c`.
    A weight is the level where the error is positive, else 1 less the level: that is
    `1 / 2 + (level - 1 / 2) * sign(c)`, so sums with and without signs are enough.
    """

    @staticmethod
    def forward(ctx: Any, outputs: Tensor, atoms: Tensor, levels: Tensor, delta: Tensor) -> Tensor:
        """Returns losses `[N, B]` of outputs and atoms `[N, B, K]`.

        Args:
            ctx: of autograd.
            outputs: the quantiles.
            atoms: those of the target, of equal probability.
            levels: `[K]` the probabilities below the quantiles.
            delta: `[N, 1, 1, 1]`.
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
        """Returns the gradient of the outputs `[N, B, K]` for those of the losses `[N, B]`."""
        (slopes,) = ctx.saved_tensors
        return gradients[0][..., None] * slopes, None, None, None


class QuantileValue(PerRunState):
    """The quantiles of the return at the middles of K equal shares of probability.

    Distributional Reinforcement Learning with Quantile Regression,
    https://arxiv.org/abs/1710.10044.
    """

    rows = ("_delta",)

    def __init__(self, num_quantiles: int, delta: Tensor) -> None:
        """Args: K, positive, and `[N]` the positive errors where each run's loss is linear."""
        self.num_outputs = num_quantiles
        self._delta = delta[:, None, None, None]
        middles = (torch.arange(num_quantiles, device=delta.device) + 0.5) / num_quantiles
        self._levels = middles
        self._share = torch.full((1, 1, 1), 1 / num_quantiles, device=delta.device)

    def means(self, outputs: Tensor, runs: Ints | None = None) -> Tensor:
        """Returns the values Q `[N, B, A]` of outputs `[N, B, A, K]`."""
        return outputs.mean(-1)

    def distribution(self, outputs: Tensor) -> Distribution:
        """Returns the distributions that outputs `[N, B, K]` mean."""
        return Distribution(outputs, self._share)

    def judge(self, outputs: Tensor, target: Distribution) -> Judgement:
        """Compares outputs `[N, B, K]` with what they should mean: atoms of equal probability.

        The loss is that of Huber, over delta (so that the plain loss of quantiles is its limit for
        a small delta), each error weighted by how far the quantile is from 0 or 1: summed over
        the quantiles, and averaged over the atoms of the target.
        """
        losses: Tensor = QuantileHuber.apply(  # type: ignore[no-untyped-call]
            outputs, target.atoms, self._levels, self._delta
        )
        predictions = outputs.detach().mean(-1)
        td_errors = predictions - target.atoms.mean(-1)
        return Judgement(losses, predictions, td_errors, td_errors.abs())
