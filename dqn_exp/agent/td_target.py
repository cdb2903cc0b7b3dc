"""The DQN equation: TD targets and the rules that bootstrap them.

The native engine has the same rules in `agent/native/targets.py`.
"""

from collections.abc import Callable
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from dqn_exp.agent.value import Distribution, Value
from dqn_exp.core.arrays import Float32Array, Float64Array
from dqn_exp.core.devices import to_device
from dqn_exp.core.per_run import PerRunState
from dqn_exp.core.transition import Transition

Outputs = Callable[[Tensor], Tensor]
"""Maps observations `[N, B, D]` to the outputs of a network, `[N, B, A, K]`."""


def td_target(reward: Tensor, discount: Tensor, bootstrap: Distribution) -> Distribution:
    """Returns the target of Q: `reward + discount * bootstrap`.

    Human-level control through deep reinforcement learning, https://doi.org/10.1038/nature14236.

    Args:
        reward: `[N, B]` over all steps of the transition.
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


def reward_factors(gamma: Float64Array, n_step: int) -> Float32Array:
    """Returns the factors `[N, n]` of the rewards of n steps: the powers of gamma `[N]`."""
    # Powers by products: a power function may round differently from row to row.
    steps = np.broadcast_to(gamma[:, None], (len(gamma), n_step)).copy()
    steps[:, 0] = 1.0
    return np.multiply.accumulate(steps, axis=1).astype(np.float32)


class RewardRule(PerRunState):
    """Combines the rewards of the n steps of a transition: each clipped, then discounted."""

    rows = ("_factors", "_limits")

    def __init__(
        self, gamma: Float64Array, limits: Tensor, n_step: int, device: torch.device
    ) -> None:
        """Computes the factors of the rewards.

        Args:
            gamma: `[N]`, in [0, 1].
            limits: `[N]` magnitudes that rewards are clipped to, infinite for none.
            n_step: n.
            device: of the rewards.
        """
        self._factors = to_device(reward_factors(gamma, n_step)[:, None], device)
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
    """Computes the targets of a batch.

    Attributes:
        uses_online: whether the rule evaluates the online network. Noise of that network is then
            drawn for it.
    """

    uses_online: bool

    def target(
        self, batch: Transition, reward: Tensor, target: Outputs, online: Outputs
    ) -> Distribution:
        """Returns the targets of the actions taken, of shape `[N, B, K]`.

        Args:
            batch: of leading shape `[N, B]`, with observations as the networks take them.
            reward: `[N, B]` over all steps of the transition.
            target: the target network.
            online: the online network, with noise of its own where it is noisy.
        """
        ...

    def retire(self, run: int) -> None:
        """Removes a run, as `PerRunState.retire` does."""
        ...


class GreedyTarget(PerRunState):
    """Bootstraps from the target network's greedy action."""

    uses_online = False

    def __init__(self, value: Value) -> None:
        """Takes the interpretation of the outputs."""
        self._value = value

    def target(
        self, batch: Transition, reward: Tensor, target: Outputs, online: Outputs
    ) -> Distribution:
        """Returns the targets of the actions taken, of shape `[N, B, K]`."""
        outputs = target(batch.next_observation)
        if outputs.shape[3] == 1:  # The best of scalar values is their maximum.
            bootstrap = outputs.amax(2)
        else:
            bootstrap = of_actions(outputs, self._value.means(outputs).max(2).indices)
        return td_target(reward, batch.discount, self._value.distribution(bootstrap))


class DoubleTarget(PerRunState):
    """Bootstraps from the online network's greedy action, as the target network values it.

    Deep Reinforcement Learning with Double Q-learning, https://arxiv.org/abs/1509.06461.
    """

    uses_online = True

    def __init__(self, value: Value) -> None:
        """Takes the interpretation of the outputs."""
        self._value = value

    def target(
        self, batch: Transition, reward: Tensor, target: Outputs, online: Outputs
    ) -> Distribution:
        """Returns the targets of the actions taken, of shape `[N, B, K]`."""
        outputs = target(batch.next_observation)
        best = self._value.means(online(batch.next_observation)).max(2).indices
        bootstrap = self._value.distribution(of_actions(outputs, best))
        return td_target(reward, batch.discount, bootstrap)


class MunchausenTarget(PerRunState):
    """Bootstraps from a softmax policy and adds the log-probability of the action to the reward.

    Munchausen Reinforcement Learning, https://arxiv.org/abs/2007.14430, equation 3, with the
    policy of the target network. It takes scalar values and one-step transitions.
    """

    rows = ("_scale", "_temperature", "_clip")
    uses_online = False

    def __init__(self, scale: Tensor, temperature: Tensor, clip: Tensor) -> None:
        """Sets the hyperparameters, each `[N]`.

        Args:
            scale: Munchausen scaling factor (alpha).
            temperature: entropy temperature (tau), positive.
            clip: lower bound of tau times a log-probability, at most 0.
        """
        self._scale = scale[:, None]
        self._temperature = temperature[:, None, None]
        self._clip = clip[:, None]

    def target(
        self, batch: Transition, reward: Tensor, target: Outputs, online: Outputs
    ) -> Distribution:
        """Returns the targets of the actions taken, of shape `[N, B, 1]`."""
        log_policy = self._temperature * torch.log_softmax(
            target(batch.observation)[..., 0] / self._temperature, 2
        )
        own = log_policy.gather(2, batch.action.long()[..., None])[..., 0]
        bonus = self._scale * torch.maximum(own, self._clip)
        # The mean of q - tau * log pi under pi is tau * logsumexp(q / tau).
        values = target(batch.next_observation)[..., 0] / self._temperature
        soft = self._temperature * torch.logsumexp(values, 2, keepdim=True)
        bootstrap = Distribution(soft, torch.ones_like(soft))
        return td_target(reward + bonus, batch.discount, bootstrap)
