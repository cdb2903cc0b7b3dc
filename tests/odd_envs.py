"""Environments that each break one rule of Gymnasium's interface, or stretch one."""

import sys
from typing import Any, ClassVar

import gymnasium
import numpy as np
from gymnasium import spaces


class Corridor(gymnasium.Env[Any, Any]):
    """Three cells; the second action goes to the right, and the last cell pays 1 and ends."""

    observation_space: Any = spaces.Box(0.0, 1.0, (3,), np.float32)
    action_space: Any = spaces.Discrete(2)
    num_cells = 3

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self.seed, self.cell, self.count = seed or 0, 0, 0
        return self.observe(), {}

    def step(self, action: Any) -> Any:
        self.count += 1
        self.cell = max(self.cell + (1 if action == self.action_space.start + 1 else -1), 0)
        is_over = self.cell == self.num_cells - 1
        return self.observe(), self.reward(float(is_over)), is_over, False, {}

    def observe(self) -> Any:
        return np.eye(self.num_cells, dtype=np.float32)[self.cell]

    def reward(self, value: float) -> Any:
        return value


class Elsewhere(Corridor):
    """Begins its steps before it is asked for their results."""

    log: ClassVar[list[str]] = []

    def __init__(self, is_broken: bool = False) -> None:
        self.is_broken = is_broken

    def begin_step(self, action: Any) -> None:
        self.log.append(f"begin {action}")
        if self.is_broken:
            raise RuntimeError("broken")

    def step(self, action: Any) -> Any:
        self.log.append(f"step {action}")
        return super().step(action)


class SmallSeeds(Corridor):
    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        assert seed is None or type(seed) is int
        self.legacy = np.random.RandomState(seed)
        return super().reset(seed=seed)


class ResetAlone(Corridor):
    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        return super().reset(seed=seed)[0]


class ResetWithoutSeed(Corridor):
    def reset(self) -> Any:
        return super().reset()


class FourValues(Corridor):
    def step(self, action: Any) -> Any:
        return super().step(action)[:4]


class TooShort(Corridor):
    def observe(self) -> Any:
        return super().observe()[:1]


class AsColumn(Corridor):
    def observe(self) -> Any:
        return super().observe()[:, None]


class Words(Corridor):
    def observe(self) -> Any:
        return ["left", "middle", "right"]


class NotFinite(Corridor):
    def observe(self) -> Any:
        return np.array([0.0, np.inf, 0.0])


class RewardInArray(Corridor):
    def reward(self, value: float) -> Any:
        return np.array([value])


class RewardInteger(Corridor):
    def reward(self, value: float) -> Any:
        return np.int32(value)


class NoReward(Corridor):
    def reward(self, value: float) -> Any:
        return None


class TwoRewards(Corridor):
    def reward(self, value: float) -> Any:
        return np.array([value, value])


class NanReward(Corridor):
    """In episodes whose seed is 0 or 1 modulo 8."""

    def reward(self, value: float) -> Any:
        return float("nan") if self.seed % 8 < 2 and self.count == 2 else value


class EndIsText(Corridor):
    def step(self, action: Any) -> Any:
        observation, reward, _, truncated, info = super().step(action)
        return observation, reward, "no", truncated, info


class NumpyFlags(Corridor):
    def step(self, action: Any) -> Any:
        observation, reward, terminated, _, info = super().step(action)
        return observation, reward, np.array([terminated]), 0, info


class InPlace(Corridor):
    memory = np.zeros(3, dtype=np.float32)

    def observe(self) -> Any:
        self.memory[:] = super().observe()
        return self.memory


class FromFive(Corridor):
    """Actions 5 and 6, as integers of numpy."""

    action_space: Any = spaces.Discrete(2, start=5)

    def step(self, action: Any) -> Any:
        assert isinstance(action, np.integer) and self.action_space.contains(action), action
        return super().step(action)


class Cells(Corridor):
    observation_space = spaces.Discrete(3, start=2)

    def observe(self) -> Any:
        return self.cell + 2


class OutOfRange(Cells):
    def observe(self) -> Any:
        return 1


class Bits(Corridor):
    observation_space = spaces.MultiBinary(3)

    def observe(self) -> Any:
        return super().observe().astype(np.int8)


class Several(Corridor):
    observation_space = spaces.MultiDiscrete([3, 2])

    def observe(self) -> Any:
        return np.array([self.cell, self.cell % 2])


class Nested(Corridor):
    observation_space = spaces.Dict(
        cell=spaces.Discrete(3),
        mission=spaces.Text(20),
        both=spaces.Tuple((spaces.MultiBinary(2), spaces.Box(0, 1, (1, 2)))),
    )

    def observe(self) -> Any:
        both = np.array([1, 0], dtype=np.int8), np.ones((1, 2), dtype=np.float32)
        return {"cell": self.cell, "mission": "go", "both": both}


class LacksKey(Nested):
    def observe(self) -> Any:
        return {"cell": self.cell}


class Picture(Corridor):
    observation_space = spaces.Box(0, 200, (4, 3, 1), np.uint8)

    def observe(self) -> Any:
        picture = np.zeros((4, 3, 1), dtype=np.uint8)
        picture[:, self.cell] = 200
        return picture


class Sentences(Corridor):
    observation_space = spaces.Text(5)

    def observe(self) -> Any:
        return "hello"


class Lists(Corridor):
    observation_space = spaces.Sequence(spaces.Discrete(2))


class Nothing(Corridor):
    observation_space = spaces.Box(0.0, 1.0, (0,))


class Continuous(Corridor):
    action_space = spaces.Box(-1.0, 1.0, (1,))


class NoSpaces(gymnasium.Env[Any, Any]):
    pass


class ContinuousLists(Lists):
    action_space = spaces.Box(-1.0, 1.0, (1,))


class OwnLimit(Corridor):
    """Ends by truncation alone, at its tenth step, and registers no limit."""

    def step(self, action: Any) -> Any:
        observation, reward, *_ = super().step(action)
        self.cell = min(self.cell, 1)
        return observation, reward, False, self.count == 10, {}


class Endless(Corridor):
    def step(self, action: Any) -> Any:
        observation, reward, *_ = super().step(action)
        self.cell = min(self.cell, 1)
        return observation, reward, False, False, {}


class FarAway(Corridor):
    observation_space = spaces.Box(0.0, 1e9, (3,), np.float64)

    def observe(self) -> Any:
        return 1e8 + super().observe().astype(np.float64)


class BadInit(Corridor):
    def __init__(self) -> None:
        raise ConnectionError("no simulator on port 1234")


class BadClose(Corridor):
    def close(self) -> None:
        raise RuntimeError("cannot close")


class BadCloseContinuous(BadClose):
    action_space = spaces.Box(-1.0, 1.0, (1,))


class ShortPart(Nested):
    def observe(self) -> Any:
        both = np.array([1, 0], dtype=np.int8), np.ones(1, dtype=np.float32)
        return {**super().observe(), "both": both}


class BadStep(Corridor):
    def step(self, action: Any) -> Any:
        raise KeyError("wheel")


class NoDoor(Corridor):
    def step(self, action: Any) -> Any:
        raise ValueError("no such door")


class Exits(Corridor):
    """Leaves the process in episodes whose seed is 0 or 1 modulo 8."""

    def step(self, action: Any) -> Any:
        if self.seed % 8 < 2 and self.count == 1:
            sys.exit("bye")
        return super().step(action)


class HugeReward(Corridor):
    def reward(self, value: float) -> Any:
        return 1e39


class SpaceRaises(Corridor):
    @property
    def observation_space(self) -> Any:  # type: ignore[override]
        raise RuntimeError("no space")


class Part(Corridor):
    """Returns values of another type than its space."""

    observation_space: Any = spaces.Dict(a=spaces.Box(0, 9, (1,), np.uint8))
    value: Any = 0.5

    def observe(self) -> Any:
        return {"a": np.array([self.value])}


class PartNan(Part):
    value = float("nan")


class PartBits(Part):
    observation_space: Any = spaces.Dict(a=spaces.MultiBinary(1))
    value = 0.7


class Letters(Corridor):
    def observe(self) -> Any:
        return np.array(["1", "2", "3"])


class ManyBounds(Corridor):
    action_space: Any = spaces.Box(-np.arange(1.0, 61.0), np.arange(1.0, 61.0), dtype=np.float64)


class RenderRaises(Corridor):
    """Cannot be filmed."""

    metadata: ClassVar[Any] = {"render_modes": ["rgb_array"]}

    def __init__(self, render_mode: Any = None) -> None:
        self.render_mode = render_mode

    def render(self) -> Any:
        raise RuntimeError("no paint")


class RenderNothing(RenderRaises):
    def render(self) -> Any:
        return None


class RenderExits(RenderRaises):
    def render(self) -> Any:
        sys.exit(0)


class StateExits(Corridor):
    """Leaves the process when its state is saved."""

    def state_dict(self) -> Any:
        sys.exit(0)

    def load_state_dict(self, state: Any) -> None:
        pass


class Plain(Corridor):
    """Refuses arguments that are not plain containers."""

    def __init__(self, layout: Any = (), options: Any = None) -> None:
        assert type(layout) in (list, tuple) and type(options) in (dict, type(None))


class Changing(Corridor):
    """Changes its argument."""

    def __init__(self, layout: Any = ()) -> None:
        self.layout = layout

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        self.layout[0].append(seed)
        return super().reset(seed=seed)


class Strict(Corridor):
    """Refuses to be reset before its episode has ended."""

    is_over = True

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        assert self.is_over, "the episode has not ended"
        self.is_over = False
        return super().reset(seed=seed)

    def step(self, action: Any) -> Any:
        found = super().step(action)
        self.is_over = found[2]
        return found


def with_statistics() -> Any:
    """Returns an environment that goes on normalizing in the next episode."""
    return gymnasium.wrappers.NormalizeObservation(gymnasium.make("CartPole-v1"))


def perhaps_with_statistics(normalizes: bool = False) -> Any:
    """Returns CartPole, perhaps in the wrapper of `with_statistics`."""
    return with_statistics() if normalizes else gymnasium.make("CartPole-v1")


def with_statistics_of_rewards() -> Any:
    """Returns one whose observations are those of CartPole."""
    return gymnasium.wrappers.NormalizeReward(gymnasium.make("CartPole-v1"))


class HighImages(gymnasium.Env[Any, Any]):
    """Images without zeros."""

    observation_space = spaces.Box(1, 9, (8, 8), np.uint8)
    action_space = spaces.Discrete(2)

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        return np.full((8, 8), 3, dtype=np.uint8), {}

    def step(self, action: Any) -> Any:
        return np.full((8, 8), 4, dtype=np.uint8), 1.0, False, False, {}


LIMITS = {"Endless": None, "OwnLimit": None}


def _descendants(kind: type) -> list[type]:
    return [kind, *(one for child in kind.__subclasses__() for one in _descendants(child))]


for _env in (*_descendants(Corridor), NoSpaces):
    gymnasium.register(
        f"Odd{_env.__name__}-v0",
        entry_point=_env,
        max_episode_steps=LIMITS.get(_env.__name__, 20),
    )
gymnasium.register("OddLimit-v0", entry_point=Endless, max_episode_steps=-1)
gymnasium.register("OddTextLimit-v0", entry_point=Endless, max_episode_steps="50")  # type: ignore[arg-type]
