"""Optimizers on flat parameters, with each run's own settings and count of updates."""

from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from dqn_exp.per_run import PerRunState

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

DECAY_1, DECAY_2 = 0.9, 0.999

FLUSH_BELOW = 1e-30
"""Moments below this are set to 0. They cannot move a parameter any more, but the moments of a
unit that is never active would decay into denormal numbers, on which processors are slow."""


class AdamState(NamedTuple):
    """What Adam knows of all runs.

    first, second: moments `[N, P]`.
    power_1, power_2: `[N]` the powers of the decay rates.
    epsilon: `[N]` added to the root.
    weight_decay: `[N]` share of the parameters that an update takes away, over the rate.
    """

    first: npt.NDArray[np.float32]
    second: npt.NDArray[np.float32]
    power_1: Floats
    power_2: Floats
    epsilon: npt.NDArray[np.float32]
    weight_decay: Floats


class Optimizer(Protocol):
    """Moves parameters by their gradients."""

    def step(self, parameters: Tensor, gradients: Tensor, rates: Floats, learning: Bools) -> None:
        """Makes one update of the runs that learn; the others stay bit for bit as they are.

        Args:
            parameters: `[N, P]`, updated in place.
            gradients: `[N, P]`, finite in the rows that do not learn.
            rates: `[N]` learning rates.
            learning: `[N]` which runs learn.
        """
        ...

    def retire(self, run: int) -> None:
        """Takes a run out, as `PerRunState.retire` does."""
        ...

    def state_dict(self, run: int) -> dict[str, Any]:
        """Returns a copy of what training has made of one run."""
        ...

    def load_state_dict(self, run: int, state: dict[str, Any]) -> None:
        """Overwrites one run with what `state_dict` returned."""
        ...


class Adam(PerRunState):
    """Steps of the mean gradient over the root of the mean square, both corrected for their start.

    Adam: A Method for Stochastic Optimization, https://arxiv.org/abs/1412.6980, with weights that
    decay apart from the gradients: Decoupled Weight Decay Regularization,
    https://arxiv.org/abs/1711.05101.
    """

    rows = (
        *("_epsilon", "_weight_decay", "_power_1", "_power_2"),
        *("first_moment", "second_moment", "_scratch"),
    )
    saved = ("_power_1", "_power_2", "first_moment", "second_moment")

    def __init__(
        self, epsilon: Floats, weight_decay: Floats, num_parameters: int, device: torch.device
    ) -> None:
        """Args.

        epsilon: `[N]`, positive, added to the root.
        weight_decay: `[N]`, at least 0, the share of the parameters that an update takes away,
            over the learning rate.
        num_parameters: P.
        device: where the moments are stored.
        """
        count = len(epsilon)
        self.first_moment = torch.zeros(count, num_parameters, device=device)
        self.second_moment = torch.zeros_like(self.first_moment)
        self._scratch = torch.zeros_like(self.first_moment)
        self._epsilon = _to_column(epsilon, device)
        self._weight_decay = weight_decay.copy()
        self._is_decaying = bool(weight_decay.any())
        # Running products of the decay rates. A power function would round differently in the
        # vectorised part of an array than in its tail, and so depend on the neighbours.
        self._power_1 = np.ones(count)
        self._power_2 = np.ones(count)

    @property
    def state(self) -> AdamState:
        """What is known of all runs, for compiled code; in the memory of this object."""
        return AdamState(
            self.first_moment.numpy(),
            self.second_moment.numpy(),
            self._power_1,
            self._power_2,
            self._epsilon[:, 0].numpy(),
            self._weight_decay,
        )

    def step(self, parameters: Tensor, gradients: Tensor, rates: Floats, learning: Bools) -> None:
        """Makes one update of the runs that learn, as `Optimizer.step` says."""
        device, scratch = gradients.device, self._scratch
        self._power_1 *= np.where(learning, DECAY_1, 1.0)
        self._power_2 *= np.where(learning, DECAY_2, 1.0)
        # A run that has not learned yet would divide by zero, but takes no step.
        correction_1 = np.where(self._power_1 < 1.0, 1.0 - self._power_1, 1.0)
        correction_2 = np.where(self._power_2 < 1.0, 1.0 - self._power_2, 1.0)
        torch.mul(gradients, gradients, out=scratch)
        _move(self.first_moment, gradients, np.where(learning, 1 - DECAY_1, 0.0))
        _move(self.second_moment, scratch, np.where(learning, 1 - DECAY_2, 0.0))
        torch.sqrt(self.second_moment, out=scratch)
        scratch.mul_(_to_column(1.0 / np.sqrt(correction_2), device)).add_(self._epsilon)
        torch.div(self.first_moment, scratch, out=scratch)
        if self._is_decaying:
            kept = 1.0 - learning * rates * self._weight_decay
            parameters.mul_(_to_column(kept, device))
        parameters.sub_(scratch.mul_(_to_column(learning * rates / correction_1, device)))


class RMSProp(PerRunState):
    """Steps of the gradient over the root of its variance.

    Human-level control through deep reinforcement learning, https://doi.org/10.1038/nature14236:
    the mean of the gradient is taken off its mean square, and epsilon stands under the root.
    """

    rows = ("_share", "_epsilon", "first_moment", "second_moment", "_scratch")
    saved = ("first_moment", "second_moment")

    def __init__(
        self, decay: Floats, epsilon: Floats, num_parameters: int, device: torch.device
    ) -> None:
        """Args.

        decay: `[N]`, in [0, 1), what the means keep of themselves at an update.
        epsilon: `[N]`, positive, added to the variance.
        num_parameters: P.
        device: where the moments are stored.
        """
        self._share = 1.0 - decay
        self._epsilon = _to_column(epsilon, device)
        self.first_moment = torch.zeros(len(decay), num_parameters, device=device)
        self.second_moment = torch.zeros_like(self.first_moment)
        self._scratch = torch.zeros_like(self.first_moment)

    def step(self, parameters: Tensor, gradients: Tensor, rates: Floats, learning: Bools) -> None:
        """Makes one update of the runs that learn, as `Optimizer.step` says."""
        scratch, shares = self._scratch, np.where(learning, self._share, 0.0)
        torch.mul(gradients, gradients, out=scratch)
        _move(self.first_moment, gradients, shares)
        _move(self.second_moment, scratch, shares)
        torch.addcmul(
            self.second_moment, self.first_moment, self.first_moment, value=-1, out=scratch
        )
        # Where the gradient is constant, rounding may leave less than nothing.
        scratch.clamp_min_(0).add_(self._epsilon).sqrt_()
        torch.div(gradients, scratch, out=scratch)
        parameters.sub_(scratch.mul_(_to_column(learning * rates, gradients.device)))


def _move(moment: Tensor, to: Tensor, shares: Floats) -> None:
    moment.lerp_(to, _to_column(shares, moment.device))
    torch.hardshrink(moment, FLUSH_BELOW, out=moment)


def _to_column(values: Floats, device: torch.device) -> Tensor:
    return torch.from_numpy(values.astype(np.float32)[:, None]).to(device)
