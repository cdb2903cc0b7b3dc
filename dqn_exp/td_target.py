"""The DQN equation: what the value of an action should be."""

from collections.abc import Callable
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from dqn_exp.per_run import PerRunState
from dqn_exp.transition import Transition
from dqn_exp.value import Distribution, Value

Outputs = Callable[[Tensor], Tensor]
"""Maps observations `[N, B, D]` to the outputs of a network, `[N, B, A, K]`."""


def td_target(reward: Tensor, discount: Tensor, bootstrap: Distribution) -> Distribution:
    """Returns what Q should be: `reward + discount * bootstrap`.

    Human-level control through deep reinforcement learning, https://doi.org/10.1038/nature14236.

    Args:
        reward: `[N, B]` of all steps of the transition.
        discount: `[N, B]`, 0 where there is no future.
        bootstrap: of the next observation, of shape `[N, B, K]`.
    """
    atoms = reward[..., None] + discount[..., None] * bootstrap.atoms
    return Distribution(atoms, bootstrap.probabilities)


def of_actions(outputs: Tensor, action: Tensor) -> Tensor:
    """Returns the outputs `[N, B, K]` of actions `[N, B]` among outputs `[N, B, A, K]`."""
    indices = action.long()[..., None, None]
    if outputs.shape[3] > 1:
        indices = indices.expand(-1, -1, 1, outputs.shape[3])
    return outputs.gather(2, indices)[:, :, 0]


def reward_factors(gamma: npt.NDArray[np.float64], n_step: int) -> npt.NDArray[np.float32]:
    """Returns the factors `[N, n]` of the rewards of n steps: the powers of gamma `[N]`."""
    # Powers by products: a power function may round differently from row to row.
    steps = np.broadcast_to(gamma[:, None], (len(gamma), n_step)).copy()
    steps[:, 0] = 1.0
    return np.multiply.accumulate(steps, axis=1).astype(np.float32)


class RewardRule(PerRunState):
    """Makes one reward of those of the n steps of a transition: each clipped, then discounted."""

    rows = ("_factors", "_limits")

    def __init__(
        self, gamma: npt.NDArray[np.float64], limits: Tensor, n_step: int, device: torch.device
    ) -> None:
        """Args.

        gamma: `[N]`, in [0, 1].
        limits: `[N]` the magnitudes that rewards are clipped to, infinite for none.
        n_step: n.
        device: where the rewards are.
        """
        self._factors = torch.from_numpy(reward_factors(gamma, n_step)[:, None]).to(device)
        self._limits = limits[:, None, None]
        self._is_clipping = bool(torch.isfinite(limits).any())

    def reward(self, rewards: Tensor) -> Tensor:
        """Returns the rewards `[N, B]` of transitions whose steps gave `[N, B, n]`."""
        if self._is_clipping:
            rewards = torch.minimum(torch.maximum(rewards, -self._limits), self._limits)
        if rewards.shape[2] == 1:  # The first factor is 1.
            return rewards[..., 0]
        return (rewards * self._factors).sum(2)


class TargetRule(Protocol):
    """Makes the targets of a batch."""

    def target(
        self, batch: Transition, reward: Tensor, target: Outputs, chooser: Outputs
    ) -> Distribution:
        """Returns what the values of the actions taken should be, of shape `[N, B, K]`.

        Args:
            batch: of leading shape `[N, B]`, its observations as the networks see them.
            reward: `[N, B]` of all steps of the transition.
            target: the target network.
            chooser: the online network, with noise of its own where it is noisy.
        """
        ...

    def retire(self, run: int) -> None:
        """Takes a run out, as `PerRunState.retire` does."""
        ...


class GreedyTarget(PerRunState):
    """Bootstraps from the best action, in the eyes of the target or of the online network.

    The latter is Deep Reinforcement Learning with Double Q-learning,
    https://arxiv.org/abs/1509.06461.
    """

    def __init__(self, value: Value, double: bool) -> None:
        """Args: the meaning of outputs, and whether the online network chooses the action."""
        self._value = value
        self._double = double

    def target(
        self, batch: Transition, reward: Tensor, target: Outputs, chooser: Outputs
    ) -> Distribution:
        """Returns what the values of the actions taken should be, as `TargetRule` says."""
        outputs = target(batch.next_observation)
        if outputs.shape[3] == 1 and not self._double:  # The best of plain values is their maximum.
            best_outputs = outputs.amax(2)
        else:
            choosing = chooser(batch.next_observation) if self._double else outputs
            best = self._value.means(choosing).max(2).indices
            best_outputs = of_actions(outputs, best)
        return td_target(reward, batch.discount, self._value.distribution(best_outputs))


class MunchausenTarget(PerRunState):
    """Bootstraps from a softmax policy and rewards an action for its own log-probability.

    Munchausen Reinforcement Learning, https://arxiv.org/abs/2007.14430, equation 3; the policy is
    that of the target network.
    """

    rows = ("_scale", "_temperature", "_least")

    def __init__(self, scale: Tensor, temperature: Tensor, least: Tensor) -> None:
        """Args, all `[N]`.

        scale: of the bonus; the paper's alpha.
        temperature: of the policy, positive; the paper's tau.
        least: what the temperature times a log-probability is at least taken for, negative.
        """
        self._scale = scale[:, None]
        self._temperature = temperature[:, None, None]
        self._least = least[:, None]

    def target(
        self, batch: Transition, reward: Tensor, target: Outputs, chooser: Outputs
    ) -> Distribution:
        """Returns what the values of the actions taken should be, as `TargetRule` says."""
        log_policy = self._temperature * torch.log_softmax(
            target(batch.observation)[..., 0] / self._temperature, 2
        )
        own = log_policy.gather(2, batch.action.long()[..., None])[..., 0]
        bonus = self._scale * torch.maximum(own, self._least)
        # The mean of q - tau * log pi under pi is the logarithm of the sum of exponentials.
        values = target(batch.next_observation)[..., 0] / self._temperature
        soft = self._temperature * torch.logsumexp(values, 2, keepdim=True)
        bootstrap = Distribution(soft, torch.ones_like(soft))
        return td_target(reward + bonus, batch.discount, bootstrap)
