"""The reference engine: acts and learns with torch and autograd, on any device."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from dqn_exp.agent.engine import Policy
from dqn_exp.agent.engine_state import EngineParts, EngineState, UpdateSettings
from dqn_exp.agent.td_target import RewardRule, TargetRule, of_actions
from dqn_exp.core.arrays import BoolArray, Float32Array, Float64Array, IntArray
from dqn_exp.core.devices import to_device
from dqn_exp.core.machine import keep_freed_memory
from dqn_exp.core.per_run import PerRunState
from dqn_exp.core.random_streams import RandomStream
from dqn_exp.core.transition import Transition
from dqn_exp.network.noisy import Weights


@dataclass
class Roles(PerRunState):
    """Weights of the networks; where they are noisy, each role has noise of its own.

    Attributes:
        acting: of the online network, drawn at the runs' own steps.
        learning: of the online network, drawn at the runs' own updates, as the following.
        target: of the target network.
        choosing: of the online network, where it chooses the action to bootstrap from.
    """

    parts = ("acting", "learning", "target", "choosing")

    acting: Weights
    learning: Weights
    target: Weights
    choosing: Weights


class TorchEngine(EngineState):
    """Acts and learns for all runs of a population at once.

    Torch uses at most one thread per run: a product of a single run must not be split over threads
    differently than among many, or its last bits would depend on the number of runs.
    """

    rows = ("_gradients", "_max_grad_norm", *EngineState.rows)
    parts = (
        *EngineState.parts,
        *("value", "_reward_rule", "_target_rule", "_sampling", "_roles"),
    )

    def __init__(
        self,
        parts: EngineParts,
        updates: UpdateSettings,
        *,
        roles: Roles,
        reward_rule: RewardRule,
        target_rule: TargetRule,
        sampling: RandomStream,
        num_threads: int,
    ) -> None:
        """Binds the parts.

        Args:
            parts: hold the state that the engine works on.
            updates: how updates are made.
            roles: weights of the networks.
            reward_rule: combines the rewards of n steps.
            target_rule: computes the targets.
            sampling: random stream with B numbers per update.
            num_threads: limit of torch's threads.
        """
        super().__init__(parts, updates.batch_size)
        online = self.agent.online
        self._roles = roles
        self._reward_rule = reward_rule
        self._target_rule = target_rule
        self._sampling = sampling
        self._gradient_steps = updates.gradient_steps
        self._max_grad_norm = to_device(updates.max_grad_norm, online.device)
        self._is_clipping = bool(np.isfinite(updates.max_grad_norm).any())
        self._num_threads = num_threads
        self._gradients = torch.zeros_like(online)
        keep_freed_memory()
        self._bind()

    def act(self, observations: Float32Array, steps: IntArray) -> IntArray:
        """Returns the actions `[N]` for observations `[N, D]` at the runs' own steps `[N]`."""
        observations = self.buffer.inputs(observations)
        self.normalization.observe(observations)
        self._roles.acting.draw(steps)
        greedy = self._greedy(self._acting, observations[:, None])[:, 0]
        return self.agent.explore(greedy, self._runs, steps)

    @contextmanager
    def policy(self, runs: IntArray) -> Iterator[Policy]:
        """Provides the current greedy policies of runs `[M]`, without noise."""
        views = self.network.layout.views(
            self.agent.online[to_device(runs, self.agent.online.device)]
        )
        self._use_threads(len(runs))
        try:
            yield lambda observations: self._greedy(views, observations, runs)
        finally:
            self._use_threads(len(self._runs))

    def learn(self, learning: BoolArray, steps: IntArray) -> BoolArray:
        """Makes the updates of the learning runs that are due.

        A run diverges when its loss is not finite. Its parameters are then useless.

        Args:
            learning: `[N]` runs that learn.
            steps: `[N]` the runs' own steps.

        Returns:
            `[N]` the learning runs that diverged.
        """
        diverged, rates = np.zeros_like(learning), self.learning_rate.value(steps)
        for _ in range(self._gradient_steps):
            numbers = self._sampling.read(self._runs, self.agent.updates)
            rows, weights = self.buffer.sample(numbers, steps)
            batch = self.buffer.read(rows)
            finite, priorities = self.learn_from(batch, weights, rates, learning)
            self.buffer.prioritize(rows, priorities, learning)
            diverged |= ~finite
        return diverged & learning

    def learn_from(
        self, batch: Transition, weights: Tensor, rates: Float64Array, learning: BoolArray
    ) -> tuple[BoolArray, Tensor]:
        """Makes one update with a given batch.

        Args:
            batch: of leading shape `[N, B]`, as it is stored.
            weights: factors of the losses, of a shape that broadcasts to `[N, B]`.
            rates: `[N]` learning rates.
            learning: `[N]` runs that learn.

        Returns:
            The runs `[N]` with a finite loss, and the priorities `[N, B]` of the transitions.
        """
        self._draw_noise()
        with torch.no_grad():
            batch = self._normalize(batch)
            reward = self._reward_rule.reward(batch.rewards)
            target = self._target_rule.target(batch, reward, self._target, self._choosing_online)
        outputs = self.network.forward(self._online, batch.observation)
        terms = self.value.compute_loss(of_actions(outputs, batch.action), target)
        losses = (terms.losses * weights).mean(1)  # [N]
        # A sum over runs keeps them apart: no gradient of one depends on another.
        gradients = torch.autograd.grad(losses.sum(), self._online)
        with torch.no_grad():
            norms = self._take_gradients(gradients, learning)
            newest = (losses, norms, terms.td_errors, terms.predictions)
            self._keep(learning, *(values.detach() for values in newest))
            self.optimizer.step(self.agent.online, self._gradients, rates, learning)
            self.agent.count_update(learning)
        finite: BoolArray = np.isfinite(losses.detach().cpu().numpy())
        return finite, terms.priorities

    def retire(self, run: int) -> None:
        """Removes a run; the last row replaces it."""
        super().retire(run)
        self._bind()

    def _bind(self) -> None:
        # Leaves that share the memory of the flat parameters: an update in place of the latter
        # updates the former, and autograd returns each layer's gradient without padding it to P.
        views = self._roles.learning.bind(self.agent.online)
        self._online = [view.detach().requires_grad_() for view in views]
        self._acting = self._roles.acting.bind(self.agent.online)
        self._target_views = self._roles.target.bind(self.agent.target)
        self._choosing = self._roles.choosing.bind(self.agent.online)
        self._runs = np.arange(len(self.agent.online))
        self._use_threads(len(self._runs))

    def _target(self, observations: Tensor) -> Tensor:
        return self.network.forward(self._target_views, observations)

    def _choosing_online(self, observations: Tensor) -> Tensor:
        return self.network.forward(self._choosing, observations)

    def _use_threads(self, num_runs: int) -> None:
        torch.set_num_threads(max(1, min(self._num_threads, num_runs)))

    def _greedy(
        self, weights: Sequence[Tensor], observations: Float32Array, runs: IntArray | None = None
    ) -> IntArray:
        inputs = to_device(observations, self.agent.online.device)
        with torch.no_grad():
            outputs = self.network.forward(weights, self.normalization.normalize(inputs, runs))
            values = self.value.means(outputs, runs)
        # The first of equal values is taken, which torch's own argmax does not guarantee.
        best: IntArray = values.cpu().numpy().argmax(2)
        return best

    def _normalize(self, batch: Transition) -> Transition:
        observation, following = (
            self.normalization.normalize(observations)
            for observations in (batch.observation, batch.next_observation)
        )
        return batch._replace(observation=observation, next_observation=following)

    def _draw_noise(self) -> None:
        for weights in (self._roles.learning, self._roles.target, self._roles.choosing):
            weights.draw(self.agent.updates)

    def _take_gradients(self, gradients: Sequence[Tensor], learning: BoolArray) -> Tensor:
        """Collects the gradients of all parameters, clipped; returns their norms `[N]` before."""
        of_weights = self._gradients[:, : self.network.layout.size]
        torch.cat([gradient.flatten(1) for gradient in gradients], 1, out=of_weights)
        self._roles.learning.chain(self._gradients)
        if not learning.all():
            # The batch of a run that does not learn now may hold numbers beyond all bounds.
            idle = to_device(~learning, self._gradients.device)
            self._gradients.masked_fill_(idle[:, None], 0.0)
        norms: Tensor = torch.linalg.vector_norm(self._gradients, dim=1)
        if self._is_clipping:
            # The constant, against division by zero, is that of torch.nn.utils.clip_grad_norm_.
            limits = self._max_grad_norm
            factors = torch.where(norms > limits, limits / (norms + 1e-6), 1.0)
            self._gradients.mul_(factors[:, None])
        return norms

    def _keep(self, learning: BoolArray, *newest: Tensor) -> None:
        """Keeps losses, norms, errors and predictions of the runs that learned."""
        if not learning.all():
            learns = to_device(learning, self.agent.online.device)
            kept = (self.losses, self.grad_norms, self.td_errors, self.predictions)
            newest = tuple(
                torch.where(learns if new.dim() == 1 else learns[:, None], new, old)
                for new, old in zip(newest, kept, strict=True)
            )
        self.losses, self.grad_norms, self.td_errors, self.predictions = newest
