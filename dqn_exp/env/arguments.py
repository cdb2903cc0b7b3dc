"""What environments are made of, and their shape."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from dqn_exp.core.frame_format import FrameFormat


class EnvShape(NamedTuple):
    """Shape of an environment.

    Attributes:
        num_features: D.
        num_actions: A.
        frames: format of the frames that observations are stacks of; None for vectors.
    """

    num_features: int
    num_actions: int
    frames: FrameFormat | None = None

    @property
    def num_stored(self) -> int:
        """Numbers that are stored for an observation: all, or the place of its newest frame."""
        return self.num_features if self.frames is None else 1

    def describe(self) -> str:
        """Returns what training and evaluations must have in common, in words."""
        found = f"{self.num_features} features"
        if (form := self.frames) is not None:
            size, high = f"{form.height}x{form.width}x{form.channels}", form.low + 1 / form.scale
            found = f"images of {size} with values from {form.low:g} to {high:g}"
        return f"{found} and {self.num_actions} actions"


class EnvArguments(NamedTuple):
    """Arguments of an environment.

    Attributes:
        id: registered id, perhaps with a module in front.
        max_episode_steps: time limit; None for the registered one.
        kwargs: keyword arguments.
        frame_stack: S, frames of an observation, if it is an image.
        repeats_first: whether the first frame of an episode stands for those before it; else zeros.
    """

    id: str
    max_episode_steps: int | None = None
    kwargs: Mapping[str, Any] = MappingProxyType({})
    frame_stack: int = 1
    repeats_first: bool = True
