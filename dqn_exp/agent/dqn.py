"""The DQN agent: parameters, exploration, and when it learns."""

import math
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from dqn_exp.core.arrays import BoolArray, Float32Array, Float64Array, IntArray
from dqn_exp.core.devices import to_device
from dqn_exp.core.jit import cached_jit
from dqn_exp.core.per_run import PerRunState, is_due
from dqn_exp.core.random_streams import RandomStream, to_range, to_unit
from dqn_exp.core.schedule import Schedule


class AgentHyperparameters(NamedTuple):
    """Hyperparameters of an agent, one value per run.

    Attributes:
        epsilon: probability of a random action.
        gamma: `[N]` discount factors, in [0, 1].
        bootstrap_truncated: `[N]` whether targets bootstrap from the last observation of a
            truncated episode.
        learning_starts: `[N]`; a run learns once its buffer holds more transitions than this.
        train_every: `[N]` steps between two calls of the learner.
        target_update_period: `[N]` updates between two updates of the target network.
        target_update_tau: `[N]`, in (0, 1], step size of an update of the target network.
    """

    epsilon: Schedule
    gamma: Float64Array
    bootstrap_truncated: BoolArray
    learning_starts: IntArray
    train_every: IntArray
    target_update_period: IntArray
    target_update_tau: Float64Array


class Agent(PerRunState):
    """Parameters `[N, P]` of the online and the target network, and the rules of DQN.

    One rule covers hard and soft target updates: every `target_update_period` updates, the target
    moves by `target_update_tau` times its distance to the online parameters.
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
    parts = ("exploration", "epsilon")

    def __init__(
        self,
        parameters: Tensor,
        num_actions: int,
        exploration: RandomStream,
        hyperparameters: AgentHyperparameters,
    ) -> None:
        """Creates agents that have made no update.

        Args:
            parameters: `[N, P]` initial parameters of both networks.
            num_actions: A.
            exploration: random stream with two numbers per step.
            hyperparameters: one value per run.
        """
        self.online = parameters
        self.target = parameters.clone()
        self.updates = np.zeros(len(parameters), dtype=np.int64)
        self.exploration = exploration
        self.num_actions = num_actions
        self.epsilon = hyperparameters.epsilon
        self._gamma = hyperparameters.gamma
        self._bootstrap_truncated = hyperparameters.bootstrap_truncated
        self._learning_starts = hyperparameters.learning_starts
        self._train_every = hyperparameters.train_every
        self.target_update_period = hyperparameters.target_update_period
        self.target_update_tau = hyperparameters.target_update_tau

    def explore(self, greedy: IntArray, runs: IntArray, steps: IntArray) -> IntArray:
        """Returns the actions `[N]`: random with probability epsilon, greedy otherwise.

        Args:
            greedy: `[N]` greedy actions.
            runs: `[N]` the runs, 0 to N.
            steps: `[N]` their own steps.
        """
        numbers = self.exploration.read(runs, steps)
        is_random = to_unit(numbers[:, 0]) < self.epsilon.value(steps)
        return np.where(is_random, to_range(numbers[:, 1], self.num_actions), greedy)

    def discounts(self, terminated: BoolArray, truncated: BoolArray) -> Float64Array:
        """Returns the discounts `[N]` of transitions: gamma, or 0 where there is no future."""
        discounts = np.empty(len(terminated))
        _discounts(self._gamma, self._bootstrap_truncated, terminated, truncated, discounts)
        return discounts

    def is_learning(
        self, previous_steps: IntArray, steps: IntArray, buffer_sizes: IntArray
    ) -> BoolArray:
        """Returns which runs `[N]` learn after the step from the previous count to this one."""
        learning = np.empty(len(steps), dtype=np.bool_)
        starts, every = self._learning_starts, self._train_every
        _is_learning(previous_steps, steps, every, buffer_sizes, starts, learning)
        return learning

    def count_update(self, learning: BoolArray) -> None:
        """Counts an update of the learning runs `[N]` and updates their targets when due."""
        previous = self.updates.copy()
        self.updates += learning
        due = is_due(previous, self.updates, self.target_update_period)
        if due.any():
            step_sizes = np.where(due, self.target_update_tau, 0.0).astype(np.float32)
            weights = to_device(step_sizes[:, None], self.online.device)
            self.target.lerp_(self.online, weights)

    def target_distance(self, runs: IntArray) -> Float32Array:
        """Returns the distance `[M]` of the target parameters of runs `[M]` to the online ones.

        It is the norm of the difference, relative to the norm of the online parameters.
        """
        rows = to_device(runs, self.online.device)
        online = self.online[rows]
        norms = torch.linalg.vector_norm(online, dim=1)
        distances = torch.linalg.vector_norm(online - self.target[rows], dim=1) / norms
        found: Float32Array = distances.cpu().numpy()
        return found

    def is_finite(self, run: int) -> bool:
        """Returns whether all parameters of a run are finite."""
        # A sum of numbers that are not finite is not finite either.
        return math.isfinite(float(self.online[run].double().sum()))


@cached_jit
def _discounts(
    gamma: Float64Array,
    bootstrap_truncated: BoolArray,
    terminated: BoolArray,
    truncated: BoolArray,
    discounts: Float64Array,
) -> None:
    """Writes `discounts [N]`; all other arrays are `[N]` too."""
    for run in range(len(discounts)):
        ends = terminated[run] or (truncated[run] and not bootstrap_truncated[run])
        discounts[run] = 0.0 if ends else gamma[run]


@cached_jit
def _is_learning(
    previous_steps: IntArray,
    steps: IntArray,
    train_every: IntArray,
    sizes: IntArray,
    learning_starts: IntArray,
    learning: BoolArray,
) -> None:
    """Writes `learning [N]`, as `Agent.is_learning` returns it; all other arrays are `[N]` too."""
    for run in range(len(learning)):
        is_due = steps[run] // train_every[run] > previous_steps[run] // train_every[run]
        learning[run] = is_due and sizes[run] > learning_starts[run]
