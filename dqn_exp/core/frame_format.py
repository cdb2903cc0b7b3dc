"""Format of the frames that image observations are made of."""

import math
from typing import Any, NamedTuple

import numpy as np

from dqn_exp.core.arrays import Float32Array, UInt8Array


class FrameFormat(NamedTuple):
    """Format of a frame `[H, W, c]`, and of the observations that are stacks of frames.

    An observation `[H, W, S * c]` has the newest of S frames in its last channels. Its numbers are
    `(value - low) * scale`, in single precision.

    Attributes:
        height: H.
        width: W.
        channels: c, of one frame.
        is_binary: whether all values are 0 or 1; eight of them are then stored in a byte.
        low: value that becomes 0.
        scale: factor that maps values to [0, 1].
        stack: S, frames of an observation.
        repeats_first: whether the first frame of an episode stands for those before it; else zeros.
    """

    height: int
    width: int
    channels: int
    is_binary: bool
    low: float
    scale: float
    stack: int = 1
    repeats_first: bool = True

    @property
    def lowest(self) -> int:
        """The smallest value that a frame may have."""
        return int(self.low)

    @property
    def highest(self) -> int:
        """The largest value that a frame may have."""
        return round(self.low + 1 / self.scale)

    @property
    def num_values(self) -> int:
        """Values of one frame."""
        return self.height * self.width * self.channels

    @property
    def num_bytes(self) -> int:
        """Bytes of one frame in memory."""
        return math.ceil(self.num_values / 8) if self.is_binary else self.num_values

    @property
    def num_features(self) -> int:
        """Numbers of an observation (D)."""
        return self.num_values * self.stack

    def join(self, frames: Any) -> Float32Array:
        """Returns the observation `[D]` of frames `[S, H * W * c]` of uint8, the oldest first."""
        pixels = np.reshape(np.asarray(frames), (self.stack, -1, self.channels)).swapaxes(0, 1)
        numbers = np.ascontiguousarray(pixels).ravel().astype(np.float32)
        joined: Float32Array = (numbers - np.float32(self.low)) * np.float32(self.scale)
        return joined

    def newest(self, observation: Float32Array) -> UInt8Array:
        """Returns the newest frame `[H, W, c]` of an observation `[D]`."""
        pixels = observation.reshape(self.height, self.width, -1)[..., -self.channels :]
        frame: UInt8Array = np.rint(pixels / np.float32(self.scale) + self.low).astype(np.uint8)
        return frame
