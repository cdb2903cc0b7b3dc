"""One environment of Gymnasium, whose results are checked and become vectors or frames."""

import math
from typing import Any

import gymnasium
import numpy as np

from dqn_exp.env.arguments import EnvArguments, EnvShape
from dqn_exp.env.gymnasium_env import (
    action_space_of,
    close_env,
    core_of,
    encoding_of,
    make_env,
)
from dqn_exp.env.images import Images, StackedFrames
from dqn_exp.env.results import (
    LARGEST,
    InterfaceError,
    split_reset,
    split_step,
    to_flag,
    to_reward,
)
from dqn_exp.env.spaces import shorten

BOOLEANS = (bool, np.bool_)


class SingleEnv:
    """One environment, with actions from 0 and observations as vectors or frames.

    Attributes:
        env: of Gymnasium, with its wrappers.
        observations: their kind.
        shape: of the environment.
        can_begin: whether it has a method `begin_step`, see `begin`.
    """

    def __init__(
        self,
        arguments: EnvArguments,
        env: gymnasium.Env[Any, Any] | None = None,
        *,
        returns_frames: bool = False,
    ) -> None:
        """Makes the environment.

        Args:
            arguments: what it is made of.
            env: already made of them; None to make it.
            returns_frames: whether observations that are images are returned as single frames of
                bytes; else they are vectors like all others.

        Raises:
            ValueError: If it cannot be made or DQN cannot act in it, with the key.
        """
        self.env = make_env(arguments) if env is None else env
        self._core = core_of(self.env, "begin_step")
        self.can_begin = self._core is not None
        actions = action_space_of(self.env, arguments.id)
        self.observations = encoding_of(self.env, arguments.id)
        self._returns_frames, frames = returns_frames, None
        num_features = self.observations.num_features
        if isinstance(self.observations, Images):
            frames = self.observations.form._replace(
                stack=arguments.frame_stack, repeats_first=arguments.repeats_first
            )
            num_features = frames.num_features
            self._images, self._frames = self.observations, StackedFrames(frames)
        self.shape = EnvShape(num_features, int(actions.n), frames)
        self._weights = np.full(self.shape.num_features, 1e-20, dtype=np.float32)
        # As `sample` returns them: integers of numpy.
        self._actions = int(actions.start) + np.arange(actions.n, dtype=actions.dtype)

    def reset(self, seed: int) -> Any:
        """Starts an episode; returns its observation, perhaps a view of the environment's.

        It is a vector `[D]` of single precision, or a frame `[H * W * c]` of bytes.

        Raises:
            InterfaceError: If the result is wrong, or not finite.
            Exception: Whatever the environment raises.
        """
        return self._encode(split_reset(self.env.reset(seed=seed)), is_first=True)

    def begin(self, action: int) -> None:
        """Begins a step, if the environment plays outside Python.

        Such an environment has a method `begin_step(action)` that returns at once. The next call,
        `step` with the same action, waits for the result.

        Raises:
            Exception: Whatever the environment raises.
        """
        if self._core is not None:
            self._core.begin_step(self._actions[action])

    def step(self, action: int) -> tuple[Any, float, bool, bool]:
        """Takes an action, numbered from 0.

        Returns:
            The observation, as in `reset`, the reward, and whether the episode was
            terminated or truncated.

        Raises:
            Exception: As in `reset`.
        """
        observation, reward, terminated, truncated = split_step(
            self.env.step(self._actions[action])
        )
        if type(reward) is not float or not abs(reward) <= LARGEST:
            reward = to_reward(reward)
        if type(terminated) not in BOOLEANS or type(truncated) not in BOOLEANS:
            terminated, truncated = to_flag(terminated), to_flag(truncated)
        return self._encode(observation), reward, bool(terminated), bool(truncated)

    def _encode(self, observation: Any, *, is_first: bool = False) -> Any:
        try:
            if self.shape.frames is not None:
                return self._encode_image(observation, is_first=is_first)
            row = self.observations.encode(observation)
        except (ValueError, TypeError) as error:
            raise InterfaceError(str(error)) from error
        # One product, in which no finite numbers overflow, is cheaper than a look at each.
        if not math.isfinite(row.dot(self._weights)):
            raise InterfaceError(f"the observation is not finite: {shorten(observation)}")
        return row

    def _encode_image(self, observation: Any, *, is_first: bool) -> Any:
        frame = self._images.to_frame(observation)
        return frame if self._returns_frames else self._frames.push(frame, is_first=is_first)

    def native_action(self, action: int) -> int:
        """Returns the environment's own number of an action."""
        return int(self._actions[action])

    def close(self) -> str | None:
        """Closes the environment; returns what it raised, if anything."""
        return close_env(self.env)
