"""The state of an engine: what training has made of the runs, whatever computes with it."""

from typing import Any, ClassVar

import torch

from dqn_exp.agent import Agent, Diagnostics
from dqn_exp.buffer import Buffer
from dqn_exp.normalization import Normalization
from dqn_exp.optimizer import Optimizer
from dqn_exp.per_run import PerRunState
from dqn_exp.schedule import Schedule


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
        optimizer: Optimizer,
        buffer: Buffer,
        normalization: Normalization,
        learning_rate: Schedule,
    ) -> None:
        """Args: the parts."""
        self.agent = agent
        self.normalization = normalization
        self.learning_rate = learning_rate
        self._optimizer = optimizer
        self._buffer = buffer

    def diagnostics(self) -> Diagnostics:
        """Returns figures of the newest batch that each run has learned from."""
        losses, errors, predictions, norms = (
            torch.as_tensor(getattr(self, name)) for name in EngineState.rows
        )
        figures = (losses, errors.abs().mean(1), predictions.mean(1), norms)
        return Diagnostics(*(figure.cpu().numpy() for figure in figures))

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
