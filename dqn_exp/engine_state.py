"""The state of an engine: what training has made of the runs, whatever computes with it."""

from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch

from dqn_exp.agent import Agent, Diagnostics
from dqn_exp.buffer import Buffer
from dqn_exp.layers import to_views
from dqn_exp.network import QNetwork
from dqn_exp.normalization import Normalization
from dqn_exp.optimizer import Optimizer
from dqn_exp.per_run import PerRunState
from dqn_exp.schedule import Schedule
from dqn_exp.value import Value

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]


class EngineState(PerRunState):
    """The parts on whose state an engine works, and figures of the newest batch of each run.

    Engines save and restore the same, so a run that one has trained goes on with another.
    """

    rows: ClassVar[tuple[str, ...]] = ("_losses", "_errors", "_predictions", "_norms")
    saved: ClassVar[tuple[str, ...]] = rows

    _losses: Any
    _errors: Any
    _predictions: Any
    _norms: Any

    def __init__(
        self,
        agent: Agent,
        network: QNetwork,
        value: Value,
        optimizer: Optimizer,
        buffer: Buffer,
        normalization: Normalization,
        learning_rate: Schedule,
    ) -> None:
        """Args: the parts."""
        self.agent = agent
        self.normalization = normalization
        self._network = network
        self._value = value
        self.learning_rate = learning_rate
        self._optimizer = optimizer
        self._buffer = buffer

    def q_values(self, runs: Ints, observations: Floats) -> Floats:
        """Returns the values Q `[M, E, A]` that runs `[M]` see in observations `[M, E, D]`.

        They are those of the greedy policies, without noise.
        """
        device = self.agent.online.device
        parameters = self.agent.online[torch.from_numpy(runs).to(device)]
        with torch.no_grad():
            seen = self.normalization.normalize(torch.from_numpy(observations).to(device), runs)
            outputs = self._network.forward(to_views(parameters, self._network.layers), seen)
            values: Floats = self._value.means(outputs, runs).cpu().numpy()
        return values

    def diagnostics(self, runs: Ints) -> Diagnostics:
        """Returns figures of the newest batch that each of runs `[M]` has learned from."""
        losses, errors, predictions, norms = (
            torch.as_tensor(getattr(self, name)).cpu().numpy()[runs] for name in EngineState.rows
        )
        p10, p50, p90 = np.quantile(errors, [0.1, 0.5, 0.9], axis=1)
        magnitudes = np.abs(errors).mean(1)
        return Diagnostics(losses, magnitudes, p10, p50, p90, predictions.mean(1), norms)

    def retire(self, run: int) -> None:
        """Takes a run out: the last row moves into its place."""
        super().retire(run)
        for part in (*self._stateful().values(), self.learning_rate):
            part.retire(run)

    def state_dict(self, run: int) -> dict[str, Any]:
        """Returns a copy of what training has made of one run, by part."""
        parts = {name: part.state_dict(run) for name, part in self._stateful().items()}
        return {"engine": super().state_dict(run), **parts}

    def load_state_dict(self, run: int, state: dict[str, Any]) -> None:
        """Overwrites one run with what `state_dict` returned."""
        super().load_state_dict(run, state["engine"])
        for name, part in self._stateful().items():
            part.load_state_dict(run, state[name])

    def _stateful(self) -> dict[str, Any]:
        return {
            "agent": self.agent,
            "optimizer": self._optimizer,
            "buffer": self._buffer,
            "normalization": self.normalization,
        }
