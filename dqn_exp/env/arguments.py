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
