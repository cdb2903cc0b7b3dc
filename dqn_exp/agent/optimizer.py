"""Optimizers of flat parameters, with hyperparameters and update counts per run."""

from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from dqn_exp.core.arrays import BoolArray, Float32Array, Float64Array
from dqn_exp.core.devices import to_device
from dqn_exp.core.per_run import PerRunState

BETA1, BETA2 = 0.9, 0.999
"""Decay rates of Adam's moments."""

FLUSH_BELOW = 1e-30
"""Moments below this are set to 0. They are too small to move a parameter, but the moments of a
unit that is never active would decay into denormal numbers, which processors handle slowly."""


class Optimizer(Protocol):
    """Updates parameters by their gradients."""

    def step(
        self, parameters: Tensor, gradients: Tensor, rates: Float64Array, learning: BoolArray
    ) -> None:
        """Makes one update of the learning runs; the others stay bit-identical.

        Args:
            parameters: `[N, P]`, updated in place.
            gradients: `[N, P]`, finite in the rows that do not learn.
            rates: `[N]` learning rates.
            learning: `[N]` runs that learn.
        """
        ...

    def retire(self, run: int) -> None:
        """Removes a run, as `PerRunState.retire` does."""
        ...

    def state_dict(self, run: int) -> dict[str, Any]:
        """Returns a copy of the saved state of one run."""
        ...

    def load_state_dict(self, run: int, state: dict[str, Any]) -> None:
        """Overwrites one run with the return value of `state_dict`."""
        ...


class Adam(PerRunState):
    """Adam with bias correction and decoupled weight decay.

    Adam: A Method for Stochastic Optimization, https://arxiv.org/abs/1412.6980, and Decoupled
    Weight Decay Regularization, https://arxiv.org/abs/1711.05101.
    """

    rows = (
        *("_epsilon", "weight_decay", "beta1_power", "beta2_power"),
        *("exp_avg", "exp_avg_sq", "_scratch"),
    )
    saved = ("beta1_power", "beta2_power", "exp_avg", "exp_avg_sq")

    def __init__(
        self,
        epsilon: Float64Array,
        weight_decay: Float64Array,
        num_parameters: int,
        device: torch.device,
    ) -> None:
        """Creates the state before the first update.

        Args:
            epsilon: `[N]`, positive, added to the denominator.
            weight_decay: `[N]`, at least 0; an update multiplies the parameters by
                1 - learning rate * weight decay.
            num_parameters: P.
            device: of the moments.
        """
        count = len(epsilon)
        self.exp_avg = torch.zeros(count, num_parameters, device=device)
        self.exp_avg_sq = torch.zeros_like(self.exp_avg)
        self._scratch = torch.zeros_like(self.exp_avg)
        self._epsilon = _to_column(epsilon, device)
        self.weight_decay = weight_decay.copy()
        self._is_decaying = bool(weight_decay.any())
        # Running products of the decay rates. A power function would round differently in the
        # vectorized part of an array than in its tail, and so depend on the neighbors.
        self.beta1_power = np.ones(count)
        self.beta2_power = np.ones(count)

    @property
    def epsilon(self) -> Float32Array:
        """The constants `[N]` that are added to the denominators."""
        return self._epsilon[:, 0].numpy()

    def step(
        self, parameters: Tensor, gradients: Tensor, rates: Float64Array, learning: BoolArray
    ) -> None:
        """Makes one update of the learning runs, as `Optimizer.step` describes."""
        device, scratch = gradients.device, self._scratch
        self.beta1_power *= np.where(learning, BETA1, 1.0)
        self.beta2_power *= np.where(learning, BETA2, 1.0)
        # A run that has not learned yet would divide by zero, but makes no update.
        correction1 = np.where(self.beta1_power < 1.0, 1.0 - self.beta1_power, 1.0)
        correction2 = np.where(self.beta2_power < 1.0, 1.0 - self.beta2_power, 1.0)
        torch.mul(gradients, gradients, out=scratch)
        _average(self.exp_avg, gradients, np.where(learning, 1 - BETA1, 0.0))
        _average(self.exp_avg_sq, scratch, np.where(learning, 1 - BETA2, 0.0))
        # The library's square root of zeros is seven times slower than that of other numbers.
        torch.clamp_min(self.exp_avg_sq, FLUSH_BELOW, out=scratch).sqrt_()
        scratch.mul_(_to_column(1.0 / np.sqrt(correction2), device)).add_(self._epsilon)
        torch.div(self.exp_avg, scratch, out=scratch)
        if self._is_decaying:
            kept = 1.0 - learning * rates * self.weight_decay
            parameters.mul_(_to_column(kept, device))
        parameters.sub_(scratch.mul_(_to_column(learning * rates / correction1, device)))


class RMSProp(PerRunState):
    """Centered RMSProp, with epsilon under the root.

    Human-level control through deep reinforcement learning, https://doi.org/10.1038/nature14236,
    with the gradient of the mean loss. The paper's code adds 0.01 to the variance of the gradient
    of the summed loss; for the mean over B transitions, that constant is 0.01 / B**2.
    """

    rows = ("step_size", "_epsilon", "exp_avg", "exp_avg_sq", "_scratch")
    saved = ("exp_avg", "exp_avg_sq")

    def __init__(
        self,
        decay: Float64Array,
        epsilon: Float64Array,
        num_parameters: int,
        device: torch.device,
    ) -> None:
        """Creates the state before the first update.

        Args:
            decay: `[N]`, in [0, 1), decay rate of the moving averages.
            epsilon: `[N]`, positive, added to the variance of the gradient.
            num_parameters: P.
            device: of the moving averages.
        """
        self.step_size = 1.0 - decay
        self._epsilon = _to_column(epsilon, device)
        self.exp_avg = torch.zeros(len(decay), num_parameters, device=device)
        self.exp_avg_sq = torch.zeros_like(self.exp_avg)
        self._scratch = torch.zeros_like(self.exp_avg)

    @property
    def epsilon(self) -> Float32Array:
        """The constants `[N]` that are added to the variances."""
        return self._epsilon[:, 0].numpy()

    def step(
        self, parameters: Tensor, gradients: Tensor, rates: Float64Array, learning: BoolArray
    ) -> None:
        """Makes one update of the learning runs, as `Optimizer.step` describes."""
        scratch, step_sizes = self._scratch, np.where(learning, self.step_size, 0.0)
        torch.mul(gradients, gradients, out=scratch)
        _average(self.exp_avg, gradients, step_sizes)
        _average(self.exp_avg_sq, scratch, step_sizes)
        torch.addcmul(self.exp_avg_sq, self.exp_avg, self.exp_avg, value=-1, out=scratch)
        # Where the gradient is constant, rounding may leave a negative variance.
        scratch.clamp_min_(0).add_(self._epsilon).sqrt_()
        torch.div(gradients, scratch, out=scratch)
        parameters.sub_(scratch.mul_(_to_column(learning * rates, gradients.device)))


def _average(average: Tensor, values: Tensor, step_sizes: Float64Array) -> None:
    """Moves an average `[N, P]` towards values `[N, P]` by step sizes `[N]`."""
    average.lerp_(values, _to_column(step_sizes, average.device))
    torch.hardshrink(average, FLUSH_BELOW, out=average)


def _to_column(values: Float64Array, device: torch.device) -> Tensor:
    return to_device(values.astype(np.float32)[:, None], device)
