"""Tiny environments, registered with Gymnasium, in which the truth is known.

The probes follow Andy Jones, Debugging RL, Without the Agonizing Pain,
https://andyljones.com/posts/rl-debugging.html: each isolates one thing that can fail.
"""

import os
import signal
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


class ManyActions(Probe):
    """Nine actions and four features."""

    num_actions = 9
    num_features = 4


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


class Fragile(Counting):
    """Breaks in some of its episodes, which their seeds choose.

    `how` is step, reset or kill: it raises in one of the two, or ends its process at once.
    """

    def __init__(self, how: str = "step", one_in: int = 41) -> None:
        super().__init__()
        self._how, self._one_in = how, one_in

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict]:
        answer = super().reset(seed=seed)
        if self._how == "reset":
            self._break()
        return answer

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict]:
        if self._how != "reset":
            self._break()
        return super().step(action)

    def _break(self) -> None:
        if self.name % self._one_in == 0:
            if self._how == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            raise RuntimeError(f"the environment is broken in its {self._how}")


class Walk(gymnasium.Env[Any, Any]):
    """A random walk whose noise is from its own generator; actions push it."""

    def __init__(self) -> None:
        self.action_space = spaces.Discrete(2)
        self.observation_space = spaces.Box(-np.inf, np.inf, (2,), np.float32)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict]:
        super().reset(seed=seed)
        self.place, self.count = 0.0, 0
        return self.observe(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict]:
        self.place += float(action) - 0.5 + self.noise()
        self.count += 1
        return self.observe(), -abs(self.place), abs(self.place) > 3, False, {}

    def noise(self) -> float:
        return float(self.np_random.normal())

    def observe(self) -> Any:
        return np.array([self.place, self.count], dtype=np.float32)


class Fickle(Walk):
    """The same with noise that no seed can bring back."""

    num_made = 0

    def noise(self) -> float:
        Fickle.num_made += 1
        return float(np.random.default_rng(Fickle.num_made).normal())


class Telling(Fickle):
    """It cannot be brought back by its actions, but tells its state."""

    num_restored = 0

    def noise(self) -> float:
        self.calls = getattr(self, "calls", 0) + 1
        return float(np.random.default_rng(self.calls).normal())

    def state_dict(self) -> dict[str, Any]:
        return {"place": self.place, "counts": np.array([self.count, self.calls]), "none": None}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        assert isinstance(state["counts"], np.ndarray) and state["none"] is None
        self.place, (self.count, self.calls) = state["place"], state["counts"].tolist()
        Telling.num_restored += 1


def register() -> None:
    for entry in (
        Fragile,
        Walk,
        Fickle,
        Telling,
        ConstantReward,
        ManyActions,
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
