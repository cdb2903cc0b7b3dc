"""Environments whose observations are images, and the same ones with vectors."""

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces


class Pictures(gymnasium.Env[Any, Any]):
    """Random pictures; the action pays by the newest picture, and any step may end the episode."""

    def __init__(
        self,
        shape: tuple[int, ...] = (6, 5, 2),
        *,
        is_binary: bool = False,
        is_vector: bool = False,
    ) -> None:
        dtype: Any = np.bool_ if is_binary else np.uint8
        self._image = spaces.Box(0, 1 if is_binary else 255, tuple(shape), dtype)
        self._is_vector = is_vector
        self.observation_space = self._image
        if is_vector:
            self.observation_space = spaces.Box(0.0, 1.0, (int(np.prod(shape)),), np.float32)
        self.action_space = spaces.Discrete(3)

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        return self._draw(), {}

    def step(self, action: Any) -> Any:
        reward = float(self._newest.sum(dtype=np.int64) % 3 == action)
        terminated, truncated = (bool(self.np_random.random() < share) for share in (0.05, 0.05))
        return self._draw(), reward, terminated, truncated and not terminated, {}

    def _draw(self) -> Any:
        high = int(self._image.high.flat[0])
        drawn = self.np_random.integers(0, high + 1, self._image.shape)
        self._newest = drawn.astype(self._image.dtype)
        if not self._is_vector:
            return self._newest
        scale = np.float32(1) / np.float32(high)
        return self._newest.ravel().astype(np.float32) * scale


gymnasium.register("Pictures-v0", entry_point=Pictures)
