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

    def best(self, run: int, step: int, newest: float | None) -> tuple[int, float] | None:
        """Returns the step and mean return of the best evaluation of a run; None without one.

        Args:
            run: row of the run.
            step: of the run now.
            newest: mean return of an evaluation at this step; None if there is none. At the end of
                a budget, it may be one that a run with a larger budget does not make, so it is no
                part of the saved state.
        """
        if newest is not None and newest > self.returns[run]:
            return step, newest
        return None if self.steps[run] < 0 else (int(self.steps[run]), float(self.returns[run]))

    def policy(self, run: int, step: int, newest: float | None) -> dict[str, Any] | None:
        """Returns the policy of the best evaluation as the state of a checkpoint.

        Args:
            run: as for `best`.
            step: as for `best`.
            newest: as for `best`.
        """
        found = self.best(run, step, newest)
        if found is None:
            return None
        is_current = found[0] != self.steps[run]
        parameters = self._agent.online[run] if is_current else self.parameters[run]
        source = self._current if is_current else self._normalization
        engine: dict[str, Any] = {"agent": {"online": parameters.clone()}}
        if normalization := source.state_dict(run):
            engine["normalization"] = normalization
        return {"steps": found[0], "engine": engine}
