"""The reference engine: acts and learns with torch and autograd, on any device."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

# Without this, the matrix library chooses among its kernels by the alignment of the memory, and a
# run's last bits depend on where among its neighbours it lies. The library reads the variable at
# its first product, so it is set before torch is imported.
os.environ.setdefault("MKL_CBWR", "AUTO")

import torch
from torch import Tensor

from dqn_exp.agent import Agent, Policy
from dqn_exp.allocator import keep_freed_memory
from dqn_exp.buffer import Buffer
from dqn_exp.engine_state import EngineState
from dqn_exp.layers import to_views
from dqn_exp.network import QNetwork
from dqn_exp.normalization import Normalization
from dqn_exp.optimizer import Optimizer
from dqn_exp.random_streams import RandomStream
from dqn_exp.schedule import Schedule
from dqn_exp.td_target import RewardRule, TargetRule, of_actions
from dqn_exp.transition import Transition
from dqn_exp.value import Value
from dqn_exp.weights import Weights

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float32]


class Roles(NamedTuple):
    """The weights of the networks: each role has noise of its own where they are noisy.

    acting: of the online network, at the runs' own steps.
    learning: of the online network, at the runs' own updates, as the following.
    target: of the target network.
    choosing: of the online network, where it chooses the action to bootstrap from.
    """

    acting: Weights
    learning: Weights
    target: Weights
    choosing: Weights


class TorchEngine(EngineState):
    """Acts and learns for all runs of a population.

    Torch uses at most one thread a run: a product of a single run must not be split over threads
    differently than among many, or its last bits would tell how many runs there are.
    """

    rows = ("_gradients", "_max_grad_norm", *EngineState.rows)

    def __init__(
        self,
        *,
        agent: Agent,
        network: QNetwork,
        roles: Roles,
        normalization: Normalization,
        value: Value,
        reward_rule: RewardRule,
        target_rule: TargetRule,
        optimizer: Optimizer,
        learning_rate: Schedule,
        buffer: Buffer,
        sampling: RandomStream,
        batch_size: int,
        gradient_steps: int,
        max_grad_norm: Tensor,
        num_threads: int,
    ) -> None:
        """Args: the parts, on whose state it works, and four numbers.

        sampling: stream of B numbers an update.
        batch_size: B.
        gradient_steps: updates each time a run learns.
        max_grad_norm: `[N]` limits of the gradient's norm, infinite for none.
        num_threads: the most threads that torch may use.
        """
        super().__init__(agent, network, value, optimizer, buffer, normalization, learning_rate)
        self._roles = roles
        self._reward_rule = reward_rule
        self._target_rule = target_rule
        self._sampling = sampling
        self._gradient_steps = gradient_steps
        self._max_grad_norm = max_grad_norm
        self._is_limited = bool(torch.isfinite(max_grad_norm).any())
        self._num_threads = num_threads
        self._gradients = torch.zeros_like(agent.online)
        # Figures of the newest batch that each run has learned from.
        self._losses, self._norms = agent.online.new_full((2, len(agent.online)), torch.nan)
        self._errors, self._predictions = agent.online.new_full(
            (2, len(agent.online), batch_size), torch.nan
        )
        keep_freed_memory()
        self._bind()

    def act(self, observations: Floats, steps: Ints) -> Ints:
        """Returns the actions `[N]` for observations `[N, D]` at the runs' own steps `[N]`."""
        self.normalization.observe(observations)
        self._roles.acting.draw(steps)
        greedy = self._greedy(self._acting, observations[:, None])[:, 0]
        return self.agent.explore(greedy, self._runs, steps)

    @contextmanager
    def policy(self, runs: Ints) -> Iterator[Policy]:
        """Gives the greedy policies of runs `[M]` as they are now, without noise."""
        views = to_views(self.agent.online[torch.from_numpy(runs)], self._network.layers)
        self._use_threads(len(runs))
        try:
            yield lambda observations: self._greedy(views, observations, runs)
        finally:
            self._use_threads(len(self._runs))

    def learn(self, learning: Bools, steps: Ints) -> Bools:
        """Lets the runs `[N]` marked in `learning` learn; returns which have diverged.

        The runs stand at their own `steps` `[N]`. A run diverges when its loss is not finite. Its
        parameters are then of no use.
        """
        diverged, rates = np.zeros_like(learning), self.learning_rate.value(steps)
        for _ in range(self._gradient_steps):
            numbers = self._sampling.read(self._runs, self.agent.updates)
            rows, weights = self._buffer.sample(numbers, steps)
            batch = self._buffer.read(rows)
            finite, priorities = self.learn_from(batch, weights, rates, learning)
            self._buffer.prioritize(rows, priorities, learning)
            diverged |= ~finite
        return diverged & learning

    def learn_from(
        self, batch: Transition, weights: Tensor, rates: npt.NDArray[np.float64], learning: Bools
    ) -> tuple[Bools, Tensor]:
        """Makes one update with a given batch.

        Args:
            batch: of leading shape `[N, B]`, as it is stored.
            weights: `[N, B]`, or of a shape that is broadcast to it: the factors of the losses.
            rates: `[N]` learning rates.
            learning: `[N]` which runs learn.

        Returns:
            Whose loss `[N]` is finite, and how much there was to learn `[N, B]`.
        """
        self._draw_noise()
        with torch.no_grad():
            batch = self._read(batch)
            reward = self._reward_rule.reward(batch.rewards)
            target = self._target_rule.target(batch, reward, self._target, self._chooser)
        outputs = self._network.forward(self._online, batch.observation)
        taken = of_actions(outputs, batch.action)
        judgement = self._value.judge(taken, target)
        losses = (judgement.losses * weights).mean(1)  # [N]
        # A sum over runs keeps them apart: no gradient of one holds anything of another.
        gradients = torch.autograd.grad(losses.sum(), self._online)
        with torch.no_grad():
            norms = self._take_gradients(gradients, learning)
            newest = (losses, norms, judgement.td_errors, judgement.predictions)
            self._keep(learning, *(figures.detach() for figures in newest))
            self._optimizer.step(self.agent.online, self._gradients, rates, learning)
            self.agent.count_update(learning)
        finite: Bools = np.isfinite(losses.detach().cpu().numpy())
        return finite, judgement.priorities

    def retire(self, run: int) -> None:
        """Takes a run out: the last row moves into its place."""
        super().retire(run)
        rules = (self._value, self._reward_rule, self._target_rule)
        for part in (*rules, self._sampling, *self._roles):
            part.retire(run)
        self._bind()

    def _bind(self) -> None:
        # Leaves that share the memory of the flat parameters: an update in place of the latter is
        # one of the former, and autograd gives each layer's gradient without padding it to P.
        views = self._roles.learning.bind(self.agent.online)
        self._online = [view.detach().requires_grad_() for view in views]
        self._acting = self._roles.acting.bind(self.agent.online)
        self._target_views = self._roles.target.bind(self.agent.target)
        self._choosing = self._roles.choosing.bind(self.agent.online)
        self._runs = np.arange(len(self.agent.online))
        self._use_threads(len(self._runs))

    def _target(self, observations: Tensor) -> Tensor:
        return self._network.forward(self._target_views, observations)

    def _chooser(self, observations: Tensor) -> Tensor:
        return self._network.forward(self._choosing, observations)

    def _use_threads(self, num_runs: int) -> None:
        torch.set_num_threads(max(1, min(self._num_threads, num_runs)))

    def _greedy(
        self, weights: Sequence[Tensor], observations: Floats, runs: Ints | None = None
    ) -> Ints:
        inputs = torch.from_numpy(observations).to(self.agent.online.device)
        with torch.no_grad():
            outputs = self._network.forward(weights, self.normalization.normalize(inputs, runs))
            values = self._value.means(outputs, runs)
        # The first of equal values is taken, which torch's own argmax does not promise.
        best: Ints = values.cpu().numpy().argmax(2)
        return best

    def _read(self, batch: Transition) -> Transition:
        observation, following = (
            self.normalization.normalize(observations)
            for observations in (batch.observation, batch.next_observation)
        )
        return batch._replace(observation=observation, next_observation=following)

    def _draw_noise(self) -> None:
        for weights in (self._roles.learning, self._roles.target, self._roles.choosing):
            weights.draw(self.agent.updates)

    def _take_gradients(self, gradients: Sequence[Tensor], learning: Bools) -> Tensor:
        of_weights = self._gradients[:, : self._network.num_parameters]
        torch.cat([gradient.flatten(1) for gradient in gradients], 1, out=of_weights)
        self._roles.learning.chain(self._gradients)
        if not learning.all():
            # The batch of a run that does not learn now may hold numbers beyond all bounds.
            rests = torch.from_numpy(~learning).to(self._gradients.device)
            self._gradients.masked_fill_(rests[:, None], 0.0)
        norms: Tensor = torch.linalg.vector_norm(self._gradients, dim=1)
        if self._is_limited:
            # The constant, against division by zero, is that of torch.nn.utils.clip_grad_norm_.
            limits = self._max_grad_norm
            shares = torch.where(norms > limits, limits / (norms + 1e-6), 1.0)
            self._gradients.mul_(shares[:, None])
        return norms

    def _keep(self, learning: Bools, *newest: Tensor) -> None:
        if not learning.all():
            learns = torch.from_numpy(learning).to(self.agent.online.device)
            old = (self._losses, self._norms, self._errors, self._predictions)
            newest = tuple(
                torch.where(learns if new.dim() == 1 else learns[:, None], new, kept)
                for new, kept in zip(newest, old, strict=True)
            )
        self._losses, self._norms, self._errors, self._predictions = newest
