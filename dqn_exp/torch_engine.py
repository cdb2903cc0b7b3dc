"""The reference engine: acts and learns with torch and autograd, on any device."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt

# Without this, the matrix library chooses among its kernels by the alignment of the memory, and a
# run's last bits depend on where among its neighbours it lies. The library reads the variable at
# its first product, so it is set before torch is imported.
os.environ.setdefault("MKL_CBWR", "AUTO")

import torch
from torch import Tensor

from dqn_exp.agent import Agent, Diagnostics, Policy, td_errors, td_targets
from dqn_exp.allocator import keep_freed_memory
from dqn_exp.buffer import UniformBuffer
from dqn_exp.layers import to_views
from dqn_exp.network import QNetwork
from dqn_exp.optimizer import Adam
from dqn_exp.per_run import PerRunState
from dqn_exp.random_streams import RandomStream
from dqn_exp.transition import Transition
from dqn_exp.value import Loss

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float32]


class TorchEngine(PerRunState):
    """Acts and learns for all runs of a population.

    Torch uses at most one thread a run: a product of a single run must not be split over threads
    differently than among many, or its last bits would tell how many runs there are.
    """

    rows = ("_gradients", "_max_grad_norm", "_losses", "_errors", "_targets", "_norms")
    saved = ("_losses", "_errors", "_targets", "_norms")

    def __init__(
        self,
        *,
        agent: Agent,
        network: QNetwork,
        loss: Loss,
        optimizer: Adam,
        buffer: UniformBuffer,
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
        self.agent = agent
        self._network = network
        self._loss = loss
        self._optimizer = optimizer
        self._buffer = buffer
        self._sampling = sampling
        self._gradient_steps = gradient_steps
        self._max_grad_norm = max_grad_norm
        self._is_limited = bool(torch.isfinite(max_grad_norm).any())
        self._num_threads = num_threads
        self._gradients = torch.zeros_like(agent.online)
        # Figures of the newest batch that each run has learned from.
        self._losses, self._norms = agent.online.new_full((2, len(agent.online)), torch.nan)
        self._errors, self._targets = agent.online.new_full(
            (2, len(agent.online), batch_size), torch.nan
        )
        keep_freed_memory()
        self._bind()

    def act(self, observations: Floats, steps: Ints) -> Ints:
        """Returns the actions `[N]` for observations `[N, D]` at the runs' own steps `[N]`."""
        greedy = self._greedy(self._online, observations[:, None])[:, 0]
        return self.agent.explore(greedy, self._runs, steps)

    @contextmanager
    def policy(self, runs: Ints) -> Iterator[Policy]:
        """Gives the greedy policies of runs `[M]` as they are now."""
        parameters = self.agent.online[torch.from_numpy(runs)]
        views = to_views(parameters, self._network.layers)
        self._use_threads(len(runs))
        try:
            yield lambda observations: self._greedy(views, observations)
        finally:
            self._use_threads(len(self._runs))

    def learn(self, learning: Bools) -> Bools:
        """Lets the runs `[N]` marked in `learning` learn; returns which have diverged.

        A run diverges when its loss is not finite. Its parameters are then of no use.
        """
        diverged = np.zeros_like(learning)
        for _ in range(self._gradient_steps):
            numbers = self._sampling.read(self._runs, self.agent.updates)
            batch = self._buffer.read(self._buffer.sample(numbers))
            diverged |= ~self.learn_from(batch, learning)
        return diverged & learning

    def learn_from(self, batch: Transition, learning: Bools) -> Bools:
        """Makes one update with a given batch `[N, B]`; returns whose loss `[N]` is finite."""
        with torch.no_grad():
            next_values = self._network.forward(self._target, batch.next_observation)
            targets = td_targets(batch.reward, batch.discount, next_values)
        values = self._network.forward(self._online, batch.observation)
        errors = td_errors(values, batch.action, targets)
        losses = self._loss.losses(errors).mean(1)  # [N]
        # A sum over runs keeps them apart: no gradient of one holds anything of another.
        gradients = torch.autograd.grad(losses.sum(), self._online)
        with torch.no_grad():
            torch.cat([gradient.flatten(1) for gradient in gradients], 1, out=self._gradients)
            if not learning.all():
                # The batch of a run that does not learn now may hold numbers beyond all bounds.
                rests = torch.from_numpy(~learning).to(self._gradients.device)
                self._gradients.masked_fill_(rests[:, None], 0.0)
            norms = self._limit_gradients()
            self._keep(learning, losses.detach(), norms, errors.detach(), targets)
            self._optimizer.step(self.agent.online, self._gradients, learning)
            self.agent.count_update(learning)
        finite: Bools = np.isfinite(losses.detach().cpu().numpy())
        return finite

    def diagnostics(self) -> Diagnostics:
        """Returns figures of the newest batch that each run has learned from."""
        values = self._errors + self._targets
        figures = (self._losses, self._errors.abs().mean(1), values.mean(1), self._norms)
        return Diagnostics(*(figure.cpu().numpy() for figure in figures))

    def retire(self, run: int) -> None:
        """Takes a run out: the last row moves into its place."""
        super().retire(run)
        for part in (self.agent, self._loss, self._optimizer, self._buffer, self._sampling):
            part.retire(run)
        self._bind()

    def state_dict(self, run: int) -> dict[str, Any]:
        """Returns a copy of what training has made of one run, by part."""
        parts = {name: part.state_dict(run) for name, part in self._stateful().items()}
        return {"engine": super().state_dict(run), **parts}

    def load_state_dict(self, run: int, state: dict[str, Any]) -> None:
        """Overwrites one run with what `state_dict` returned."""
        super().load_state_dict(run, state["engine"])
        for name, part in self._stateful().items():
            part.load_state_dict(run, state[name])

    def _stateful(self) -> dict[str, PerRunState]:
        return {"agent": self.agent, "optimizer": self._optimizer, "buffer": self._buffer}

    def _bind(self) -> None:
        # Leaves that share the memory of the flat parameters: an update in place of the latter is
        # one of the former, and autograd gives each layer's gradient without padding it to P.
        views = to_views(self.agent.online, self._network.layers)
        self._online = [view.detach().requires_grad_() for view in views]
        self._target = to_views(self.agent.target, self._network.layers)
        self._runs = np.arange(len(self.agent.online))
        self._use_threads(len(self._runs))

    def _use_threads(self, num_runs: int) -> None:
        torch.set_num_threads(max(1, min(self._num_threads, num_runs)))

    def _greedy(self, parameters: Sequence[Tensor], observations: Floats) -> Ints:
        # The first of equal values is taken, which torch's own argmax does not promise.
        inputs = torch.from_numpy(observations).to(self.agent.online.device)
        with torch.no_grad():
            values = self._network.forward(parameters, inputs)
        best: Ints = values.cpu().numpy().argmax(2)
        return best

    def _keep(self, learning: Bools, *newest: Tensor) -> None:
        if not learning.all():
            learns = torch.from_numpy(learning).to(self.agent.online.device)
            old = (self._losses, self._norms, self._errors, self._targets)
            newest = tuple(
                torch.where(learns if new.dim() == 1 else learns[:, None], new, kept)
                for new, kept in zip(newest, old, strict=True)
            )
        self._losses, self._norms, self._errors, self._targets = newest

    def _limit_gradients(self) -> Tensor:
        norms: Tensor = torch.linalg.vector_norm(self._gradients, dim=1)
        if self._is_limited:
            # The constant, against division by zero, is that of torch.nn.utils.clip_grad_norm_.
            limits = self._max_grad_norm
            shares = torch.where(norms > limits, limits / (norms + 1e-6), 1.0)
            self._gradients.mul_(shares[:, None])
        return norms
