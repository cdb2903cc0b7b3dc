"""The DQN agent: its parameters, how it explores, and when it learns."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from dqn_exp.compiled import entry
from dqn_exp.per_run import PerRunState, is_due
from dqn_exp.random_streams import RandomStream, to_range, to_unit
from dqn_exp.schedule import Schedule

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

Policy = Callable[[npt.NDArray[np.float32]], Ints]
"""Maps observations `[M, E, D]` to actions `[M, E]`."""


class Diagnostics(NamedTuple):
    """Of the newest batch that each of some runs has learned from, `[M]`; nan before there was one.

    loss: what was differentiated: the mean of the losses by their importance weights.
    td_error_abs: mean magnitude of the TD errors.
    td_error_p10, td_error_p50, td_error_p90: what 10, 50 and 90 % of the TD errors are below; an
        error is the prediction less the target.
    q_mean: mean value of the actions taken.
    grad_norm: norm of the gradient, before its limit.
    """

    loss: npt.NDArray[np.float32]
    td_error_abs: npt.NDArray[np.float32]
    td_error_p10: npt.NDArray[np.float32]
    td_error_p50: npt.NDArray[np.float32]
    td_error_p90: npt.NDArray[np.float32]
    q_mean: npt.NDArray[np.float32]
    grad_norm: npt.NDArray[np.float32]


class Engine(Protocol):
    """What acts and learns, on the state that `Agent`, the optimizer and the buffer hold."""

    learning_rate: Schedule

    def act(self, observations: npt.NDArray[np.float32], steps: Ints) -> Ints:
        """Returns the actions `[N]` for observations `[N, D]` at the runs' own steps `[N]`."""
        ...

    def learn(self, learning: Bools, steps: Ints) -> Bools:
        """Lets the runs `[N]` marked in `learning` learn; returns which have diverged.

        The runs stand at their own `steps` `[N]`.
        """
        ...

    def policy(self, runs: Ints) -> AbstractContextManager[Policy]:
        """Gives the greedy policies of runs `[M]` as they are now."""
        ...

    def q_values(
        self, runs: Ints, observations: npt.NDArray[np.float32]
    ) -> npt.NDArray[np.float32]:
        """Returns the values Q `[M, E, A]` that runs `[M]` see in observations `[M, E, D]`."""
        ...

    def diagnostics(self, runs: Ints) -> Diagnostics:
        """Returns figures of the newest batch that each of runs `[M]` has learned from."""
        ...

    def retire(self, run: int) -> None:
        """Takes a run out: the last row moves into its place."""
        ...

    def state_dict(self, run: int) -> dict[str, Any]:
        """Returns a copy of what training has made of one run, by part."""
        ...

    def load_state_dict(self, run: int, state: dict[str, Any]) -> None:
        """Overwrites one run with what `state_dict` returned."""
        ...


class Agent(PerRunState):
    """The parameters `[N, P]` of the online and the target network and the rules of DQN.

    One rule serves hard and soft target updates: every `target_update_period` updates the target
    moves by the share `target_update_tau` of its distance to the online parameters.
    """

    rows = (
        "online",
        "target",
        "updates",
        "_gamma",
        "_bootstrap_truncated",
        "_learning_starts",
        "_train_every",
        "target_update_period",
        "target_update_tau",
    )
    saved = ("online", "target", "updates")

    def __init__(
        self,
        *,
        parameters: Tensor,
        num_actions: int,
        exploration: RandomStream,
        epsilon: Schedule,
        gamma: npt.NDArray[np.float64],
        bootstrap_truncated: Bools,
        learning_starts: Ints,
        train_every: Ints,
        target_update_period: Ints,
        target_update_tau: npt.NDArray[np.float64],
    ) -> None:
        """Args, each with one value a run.

        parameters: `[N, P]` initial ones, of both networks.
        num_actions: A.
        exploration: stream of two numbers a step.
        epsilon: probability of a random action.
        gamma: in [0, 1].
        bootstrap_truncated: whether an episode that a limit has cut has a future.
        learning_starts: learning begins once the buffer holds more transitions than this.
        train_every: steps between two times of learning.
        target_update_period: updates between two moves of the target.
        target_update_tau: in (0, 1], the share of the distance that it moves.
        """
        self.online = parameters
        self.target = parameters.clone()
        self.updates = np.zeros(len(parameters), dtype=np.int64)
        self.exploration = exploration
        self.epsilon = epsilon
        self._num_actions = num_actions
        self._gamma = gamma
        self._bootstrap_truncated = bootstrap_truncated
        self._learning_starts = learning_starts
        self._train_every = train_every
        self.target_update_period = target_update_period
        self.target_update_tau = target_update_tau

    def explore(self, greedy: Ints, runs: Ints, steps: Ints) -> Ints:
        """Returns the actions `[N]`: random with probability epsilon, else the greedy ones.

        Args:
            greedy: `[N]` the greedy actions.
            runs: `[N]` the runs, 0 to N.
            steps: `[N]` their own steps.
        """
        numbers = self.exploration.read(runs, steps)
        is_random = to_unit(numbers[:, 0]) < self.epsilon.value(steps)
        return np.where(is_random, to_range(numbers[:, 1], self._num_actions), greedy)

    def discounts(self, terminated: Bools, truncated: Bools) -> npt.NDArray[np.float64]:
        """Returns the discounts `[N]` of transitions: gamma, or 0 where there is no future."""
        discounts = np.empty(len(terminated))
        _discounts(self._gamma, self._bootstrap_truncated, terminated, truncated, discounts)
        return discounts

    def is_learning(self, previous_steps: Ints, steps: Ints, buffer_sizes: Ints) -> Bools:
        """Returns which runs `[N]` learn after the step that led from one count to the other."""
        learning = np.empty(len(steps), dtype=np.bool_)
        starts, every = self._learning_starts, self._train_every
        _is_learning(previous_steps, steps, every, buffer_sizes, starts, learning)
        return learning

    def count_update(self, learning: Bools) -> None:
        """Counts an update of the runs `[N]` that learn and moves their targets when it is due."""
        previous = self.updates.copy()
        self.updates += learning
        due = is_due(previous, self.updates, self.target_update_period)
        if due.any():
            shares = np.where(due, self.target_update_tau, 0.0).astype(np.float32)
            weights = torch.from_numpy(shares[:, None]).to(self.online.device)
            self.target.lerp_(self.online, weights)

    def target_distance(self, runs: Ints) -> npt.NDArray[np.float32]:
        """Returns how far the target networks of runs `[M]` are from the online ones.

        It is the norm of the difference over that of the online parameters.
        """
        rows = torch.from_numpy(runs).to(self.online.device)
        online = self.online[rows]
        norms = torch.linalg.vector_norm(online, dim=1)
        distances = torch.linalg.vector_norm(online - self.target[rows], dim=1) / norms
        found: npt.NDArray[np.float32] = distances.cpu().numpy()
        return found

    def is_finite(self, run: int) -> bool:
        """Returns whether all parameters of a run are finite."""
        return bool(torch.isfinite(self.online[run]).all())

    def retire(self, run: int) -> None:
        """Takes a run out: the last row moves into its place."""
        super().retire(run)
        self.exploration.retire(run)
        self.epsilon.retire(run)


@entry
def _discounts(
    gamma: npt.NDArray[np.float64],
    bootstrap_truncated: Bools,
    terminated: Bools,
    truncated: Bools,
    discounts: npt.NDArray[np.float64],
) -> None:
    """Writes `discounts [N]`; all other arrays are `[N]` too."""
    for run in range(len(discounts)):
        ends = terminated[run] or (truncated[run] and not bootstrap_truncated[run])
        discounts[run] = 0.0 if ends else gamma[run]


@entry
def _is_learning(
    previous_steps: Ints,
    steps: Ints,
    train_every: Ints,
    sizes: Ints,
    learning_starts: Ints,
    learning: Bools,
) -> None:
    """Writes to `learning [N]` what `Agent.is_learning` returns; all other arrays are `[N]` too."""
    for run in range(len(learning)):
        is_due = steps[run] // train_every[run] > previous_steps[run] // train_every[run]
        learning[run] = is_due and sizes[run] > learning_starts[run]
