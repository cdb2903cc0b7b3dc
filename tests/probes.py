"""Tiny environments, registered with Gymnasium, in which the truth is known.

The probes follow Andy Jones, Debugging RL, Without the Agonizing Pain,
https://andyljones.com/posts/rl-debugging.html: each isolates one thing that can fail.
"""

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces


class Probe(gymnasium.Env[Any, Any]):
    """Episodes of `length` steps that end in termination."""

    length = 1
    num_actions = 1
    num_features = 1

    def __init__(self) -> None:
        self.action_space = spaces.Discrete(self.num_actions)
        self.observation_space = spaces.Box(-1.0, 1.0, (self.num_features,), np.float32)
        self.sign = 0.0
        self.step_count = 0

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict]:
        super().reset(seed=seed)
        self.sign = float(self.np_random.choice([-1.0, 1.0]))
        self.step_count = 0
        return self.observe(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict]:
        reward = self.reward(int(action))
        self.step_count += 1
        return self.observe(), reward, self.step_count == self.length, False, {}

    def observe(self) -> Any:
        return np.zeros(self.num_features, dtype=np.float32)

    def reward(self, action: int) -> float:
        return 1.0


class ConstantReward(Probe):
    """One action, one observation, one step: the value of a constant reward."""


class ObservationReward(Probe):
    """The reward is what is observed: the value depends on the observation."""

    def observe(self) -> Any:
        return np.array([self.sign], dtype=np.float32)

    def reward(self, action: int) -> float:
        return self.sign


class DelayedReward(Probe):
    """Two steps, and a reward after the second: discounting."""

    length = 2

    def observe(self) -> Any:
        return np.array([float(self.step_count)], dtype=np.float32)

    def reward(self, action: int) -> float:
        return float(self.step_count == 1)


class ActionReward(Probe):
    """Two actions of which one is right: the advantage of an action."""

    num_actions = 2

    def reward(self, action: int) -> float:
        return 1.0 if action == 1 else -1.0


class ObservationActionReward(ObservationReward):
    """Which action is right depends on the observation: the policy."""

    num_actions = 2

    def reward(self, action: int) -> float:
        return 1.0 if (action == 1) == (self.sign > 0) else -1.0


class Counting(gymnasium.Env[Any, Any]):
    """Observes the seed's episode and the step in it, so every transition can be checked.

    The reward is the step that is reached. An episode terminates at step `ends` of its own, which
    its seed chooses, unless the time limit of Gymnasium cuts it first.
    """

    def __init__(self, longest: int = 12, is_broken_at: int | None = None) -> None:
        self.action_space = spaces.Discrete(3, start=5)
        self.observation_space = spaces.Box(-np.inf, np.inf, (2, 2), np.float64)
        self._longest = longest
        self._is_broken_at = is_broken_at

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict]:
        super().reset(seed=seed)
        self.name = float(self.np_random.integers(1, 10_000))
        self.ends = int(self.np_random.integers(1, self._longest + 1))
        self.count = 0
        return self.observe(5), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict]:
        assert self.action_space.contains(action)
        assert self.count < self.ends, "stepped after its end"
        self.count += 1
        if self.count == self._is_broken_at:
            raise RuntimeError("the environment is broken")
        return self.observe(action), float(self.count), self.count == self.ends, False, {}

    def observe(self, action: int) -> Any:
        return np.array([[self.name, self.count], [self.ends, action - 5]], dtype=np.float64)


def register() -> None:
    for entry in (
        ConstantReward,
        ObservationReward,
        DelayedReward,
        ActionReward,
        ObservationActionReward,
        Counting,
    ):
        name = f"Probe{entry.__name__}-v0"
        if name not in gymnasium.registry:
            gymnasium.register(name, entry_point=entry, max_episode_steps=8)


register()
