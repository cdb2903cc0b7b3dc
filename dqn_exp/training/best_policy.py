"""The policy of the best evaluation of each run."""

import copy
from typing import Any

import numpy as np
import torch

from dqn_exp.agent.dqn import Agent
from dqn_exp.agent.normalization import Normalization
from dqn_exp.core.arrays import Float64Array, IntArray
from dqn_exp.core.per_run import PerRunState


class BestPolicies(PerRunState):
    """Keeps a copy of each run's policy when an evaluation is better than all before it.

    Attributes:
        steps: `[N]` of the best evaluations; -1 before the first.
        returns: `[N]` mean returns of these evaluations.
        parameters: `[N, P]` of the online network at that time.
    """

    rows = ("steps", "returns", "parameters")
    saved = rows
    parts = ("_normalization",)

    def __init__(self, agent: Agent, normalization: Normalization) -> None:
        """Takes what holds the current policies, which have not been evaluated."""
        self._agent, self._current = agent, normalization
        self.steps = np.full(len(agent.online), -1)
        self.returns = np.full(len(agent.online), -np.inf)
        self.parameters = torch.zeros_like(agent.online)
        self._normalization = copy.deepcopy(normalization)

    def add_evaluation(self, runs: IntArray, steps: IntArray, returns: Float64Array) -> None:
        """Copies the policies of the runs whose evaluation is the best one so far.

        Args:
            runs: `[M]`, with an evaluation each.
            steps: `[M]` of the evaluations.
            returns: `[M]` their mean returns; NaN is never the best.
        """
        for run, step, mean in zip(runs.tolist(), steps.tolist(), returns.tolist(), strict=True):
            if mean > self.returns[run]:
                self.steps[run], self.returns[run] = step, mean
                self.parameters[run] = self._agent.online[run]
                self._normalization.load_state_dict(run, self._current.state_dict(run))

    def policy(self, run: int) -> dict[str, Any] | None:
        """Returns the policy of a run as the state of a checkpoint; None before an evaluation."""
        if self.steps[run] < 0:
            return None
        normalization = self._normalization.state_dict(run)
        engine: dict[str, Any] = {"agent": {"online": self.parameters[run].clone()}}
        if normalization:
            engine["normalization"] = normalization
        return {"steps": self.steps[run], "engine": engine}
