"""The state that all engines work on and save alike."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch

from dqn_exp.agent.dqn import Agent
from dqn_exp.agent.engine import Diagnostics
from dqn_exp.agent.normalization import Normalization
from dqn_exp.agent.optimizer import Optimizer
from dqn_exp.agent.value import Value
from dqn_exp.buffer.base import Buffer
from dqn_exp.core.arrays import Float32Array, IntArray
from dqn_exp.core.devices import to_device
from dqn_exp.core.per_run import PerRunState
from dqn_exp.core.schedule import Schedule
from dqn_exp.network.base import Network


@dataclass(frozen=True)
class EngineParts:
    """The parts that hold the state of an engine."""

    agent: Agent
    network: Network
    value: Value
    optimizer: Optimizer
    buffer: Buffer
    normalization: Normalization
    learning_rate: Schedule


@dataclass(frozen=True)
class UpdateSettings:
    """Constants of the updates of a population.

    Attributes:
        batch_size: B.
        gradient_steps: updates each time a run learns.
        max_grad_norm: `[N]` limits of the norm of the gradient, infinite for none.
    """

    batch_size: int
    gradient_steps: int
    max_grad_norm: Float32Array


class EngineState(PerRunState):
    """The parts of an engine, and the diagnostics of the newest batch of each run.

    All engines save and load the same state, so a run can change its engine when it resumes.
    """

    saved: ClassVar[tuple[str, ...]] = ("losses", "grad_norms", "td_errors", "predictions")
    rows: ClassVar[tuple[str, ...]] = (*saved, "target_distances")
    parts: ClassVar[tuple[str, ...]] = (
        "agent",
        "optimizer",
        "buffer",
        "normalization",
        "learning_rate",
    )

    losses: Any
    grad_norms: Any
    td_errors: Any
    predictions: Any

    def __init__(self, parts: EngineParts, batch_size: int) -> None:
        """Creates the state of runs that have not learned yet, with batches of `batch_size` (B)."""
        self.agent = parts.agent
        self.network = parts.network
        self.value = parts.value
        self.optimizer = parts.optimizer
        self.buffer = parts.buffer
        self.normalization = parts.normalization
        self.learning_rate = parts.learning_rate
        online = parts.agent.online
        self.losses, self.grad_norms = online.new_full((2, len(online)), torch.nan)
        # Before the newest learning, if it was measured.
        self.target_distances = np.full(len(online), np.nan, dtype=np.float32)
        self.td_errors, self.predictions = online.new_full((2, len(online), batch_size), torch.nan)

    def q_values(self, runs: IntArray, observations: Float32Array) -> Float32Array:
        """Returns values `[M, E, A]` of runs `[M]` for observations `[M, E, D]`, without noise."""
        device = self.agent.online.device
        parameters = self.agent.online[to_device(runs, device)]
        with torch.no_grad():
            inputs = self.normalization.normalize(to_device(observations, device), runs)
            outputs = self.network.forward(self.network.layout.views(parameters), inputs)
            values: Float32Array = self.value.means(outputs, runs).cpu().numpy()
        return values

    def diagnostics(self, runs: IntArray) -> Diagnostics:
        """Returns diagnostics of the newest batches of runs `[M]`."""
        losses, norms, errors, predictions = (
            torch.as_tensor(getattr(self, name)).cpu().numpy()[runs] for name in EngineState.saved
        )
        p10, p50, p90 = (_quantile(np.sort(errors, 1), share) for share in (0.1, 0.5, 0.9))
        magnitudes = np.abs(errors).mean(1)
        return Diagnostics(losses, magnitudes, p10, p50, p90, predictions.mean(1), norms)


def _quantile(ordered: Float32Array, share: float) -> Float32Array:
    """Returns a quantile `[M]` of ordered numbers `[M, B]`, as `numpy.quantile`, which is slow.

    It is NaN where any number is, which stands last.
    """
    place = share * (ordered.shape[1] - 1)
    below = int(place)
    above = min(below + 1, ordered.shape[1] - 1)
    lower, upper = ordered[:, below], ordered[:, above]
    found = lower + (upper - lower) * np.float32(place - below)
    return np.where(np.isnan(ordered[:, -1]), np.float32(np.nan), found)
