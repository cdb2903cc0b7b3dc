"""Output heads (scalar, C51, quantile) and their losses.

The outputs of an action always describe a distribution of its return: K atoms with probabilities.
A scalar value is the distribution with one atom.
"""

from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from dqn_exp.agent.losses import Loss, QuantileHuber
from dqn_exp.core.arrays import Float32Array, IntArray
from dqn_exp.core.devices import to_device
from dqn_exp.core.per_run import PerRunState


class Distribution(NamedTuple):
    """Distributions of returns.

    Attributes:
        atoms: `[N, B, K]`.
        probabilities: of a shape that broadcasts to `[N, B, K]`.
    """

    atoms: Tensor
    probabilities: Tensor


class LossTerms(NamedTuple):
    """Loss and errors `[N, B]` of each transition; only the losses are differentiated.

    Attributes:
        losses: before importance weights.
        predictions: predicted values Q of the actions taken.
        td_errors: predictions minus the means of their targets.
        priorities: at least 0, for prioritized replay.
    """

    losses: Tensor
    predictions: Tensor
    td_errors: Tensor
    priorities: Tensor


class Value(Protocol):
    """Interprets the outputs `[..., K]` of a network as distributions of returns.

    Attributes:
        num_outputs: K.
    """

    num_outputs: int

    def means(self, outputs: Tensor, runs: IntArray | None = None) -> Tensor:
        """Returns values Q `[N, B, A]` of outputs `[N, B, A, K]`, of all runs or of `runs`."""
        ...

    def distribution(self, outputs: Tensor) -> Distribution:
        """Returns the distributions of outputs `[N, B, K]`."""
        ...

    def compute_loss(self, outputs: Tensor, target: Distribution) -> LossTerms:
        """Returns the loss of outputs `[N, B, K]` against target distributions."""
        ...

    def retire(self, run: int) -> None:
        """Removes a run, as `PerRunState.retire` does."""
        ...


class ScalarValue(PerRunState):
    """One output, the value itself."""

    parts = ("_loss",)
    num_outputs = 1

    def __init__(self, loss: Loss, device: torch.device) -> None:
        """Takes the loss of TD errors and the device of the outputs."""
        self._loss = loss
        self._probabilities = torch.ones(1, 1, 1, device=device)

    def means(self, outputs: Tensor, runs: IntArray | None = None) -> Tensor:
        """Returns values Q `[N, B, A]` of outputs `[N, B, A, 1]`."""
        return outputs[..., 0]

    def distribution(self, outputs: Tensor) -> Distribution:
        """Returns the distributions of outputs `[N, B, 1]`."""
        return Distribution(outputs, self._probabilities)

    def compute_loss(self, outputs: Tensor, target: Distribution) -> LossTerms:
        """Returns the loss of outputs `[N, B, 1]` against target distributions."""
        predictions = outputs[..., 0]
        td_errors = predictions - target.atoms[..., 0]
        priorities = td_errors.detach().abs()
        return LossTerms(self._loss.losses(td_errors), predictions, td_errors, priorities)


class CategoricalValue(PerRunState):
    """Logits of K equally spaced atoms (C51).

    A Distributional Perspective on Reinforcement Learning, https://arxiv.org/abs/1707.06887.
    """

    rows = ("_support", "_v_min", "_v_max")

    def __init__(self, num_atoms: int, v_min: Tensor, v_max: Tensor) -> None:
        """Creates the support.

        Args:
            num_atoms: K, at least 2.
            v_min: `[N]` smallest atoms.
            v_max: `[N]` largest atoms, greater than `v_min`.
        """
        self.num_outputs = num_atoms
        self._v_min, self._v_max = v_min[:, None, None], v_max[:, None, None]
        shares = torch.linspace(0, 1, num_atoms, dtype=torch.float64, device=v_min.device)
        widths = (v_max - v_min).double()[:, None]
        self._support = (v_min.double()[:, None] + widths * shares).float()[:, None]  # [N, 1, K]

    @property
    def v_min(self) -> Float32Array:
        """The smallest atoms `[N]`."""
        return self._v_min[:, 0, 0].numpy()

    @property
    def v_max(self) -> Float32Array:
        """The largest atoms `[N]`."""
        return self._v_max[:, 0, 0].numpy()

    def means(self, outputs: Tensor, runs: IntArray | None = None) -> Tensor:
        """Returns values Q `[N, B, A]` of outputs `[N, B, A, K]`, of all runs or of `runs`."""
        support = self._support
        if runs is not None:
            support = support[to_device(runs, support.device)]
        return (torch.softmax(outputs, -1) * support[:, :, None]).sum(-1)

    def distribution(self, outputs: Tensor) -> Distribution:
        """Returns the distributions of outputs `[N, B, K]`."""
        return Distribution(self._support, torch.softmax(outputs, -1))

    def compute_loss(self, outputs: Tensor, target: Distribution) -> LossTerms:
        """Returns the cross-entropy of outputs `[N, B, K]` against projected targets.

        The priority is the Kullback-Leibler divergence, as in Rainbow,
        https://arxiv.org/abs/1710.02298.
        """
        projected = self.project(target)
        log_probabilities = torch.log_softmax(outputs, -1)
        losses = -(projected * log_probabilities).sum(-1)
        with torch.no_grad():
            divergences = losses + torch.special.xlogy(projected, projected).sum(-1)
            predictions = (log_probabilities.exp() * self._support).sum(-1)
            td_errors = predictions - (projected * self._support).sum(-1)
        return LossTerms(losses, predictions, td_errors, divergences.clamp_min_(0))

    def project(self, distribution: Distribution) -> Tensor:
        """Returns the probabilities `[N, B, K]` of a distribution projected onto the support.

        The probability of an atom is split between its two neighbors on the support, by
        proximity. That of an atom beyond an end goes to this end.
        """
        last = self.num_outputs - 1
        scale = last / (self._v_max - self._v_min)
        positions = ((distribution.atoms - self._v_min) * scale).clamp_(0, last)
        # At the upper end, the lower neighbor is the last but one, and gets nothing.
        lower = positions.floor().clamp_max_(last - 1)
        to_upper = distribution.probabilities * (positions - lower)
        to_lower = distribution.probabilities - to_upper
        # NaN stays within its run; as an index it would fail all runs.
        indices = lower.nan_to_num(0.0).long()
        projected = torch.zeros_like(to_upper).scatter_add_(2, indices, to_lower)
        return projected.scatter_add_(2, indices + 1, to_upper)


class QuantileValue(PerRunState):
    """Quantiles of the return at the midpoints of K equal probabilities (QR-DQN).

    Distributional Reinforcement Learning with Quantile Regression,
    https://arxiv.org/abs/1710.10044.
    """

    rows = ("_delta",)

    def __init__(self, num_quantiles: int, delta: Tensor) -> None:
        """Creates the quantile levels.

        Args:
            num_quantiles: K, positive.
            delta: `[N]`, positive, where each run's Huber loss becomes linear.
        """
        self.num_outputs = num_quantiles
        self._delta = delta[:, None, None, None]
        self._levels = (torch.arange(num_quantiles, device=delta.device) + 0.5) / num_quantiles
        self._probability = torch.full((1, 1, 1), 1 / num_quantiles, device=delta.device)

    def means(self, outputs: Tensor, runs: IntArray | None = None) -> Tensor:
        """Returns values Q `[N, B, A]` of outputs `[N, B, A, K]`."""
        return outputs.mean(-1)

    def distribution(self, outputs: Tensor) -> Distribution:
        """Returns the distributions of outputs `[N, B, K]`."""
        return Distribution(outputs, self._probability)

    def compute_loss(self, outputs: Tensor, target: Distribution) -> LossTerms:
        """Returns the quantile Huber loss of outputs `[N, B, K]` against target atoms.

        Target atoms must have equal probabilities. Huber's loss is divided by delta, so that the
        quantile loss is its limit for small delta. Losses are summed over the quantiles and
        averaged over the target atoms.
        """
        losses: Tensor = QuantileHuber.apply(  # type: ignore[no-untyped-call]
            outputs, target.atoms, self._levels, self._delta
        )
        predictions = outputs.detach().mean(-1)
        td_errors = predictions - target.atoms.mean(-1)
        return LossTerms(losses, predictions, td_errors, td_errors.abs())
