"""Frames at even distances of an episode whose length is not known before it ends."""

import numpy as np

from dqn_exp.core.arrays import Float32Array, IntArray, UInt8Array
from dqn_exp.core.frame_format import FrameFormat

NUM_FRAMES = 8


class Filmstrip:
    """Keeps at most `NUM_FRAMES` evenly spaced frames of an episode, and few more on the way."""

    def __init__(self, form: FrameFormat) -> None:
        """Takes the format of the frames."""
        self._form = form
        self._frames: list[UInt8Array] = []
        self._stride, self._num_seen = 1, 0

    def add(self, observation: Float32Array) -> None:
        """Adds the next observation `[D]`, of which the newest frame counts."""
        if self._num_seen % self._stride == 0:
            self._frames.append(self._form.newest(observation))
        self._num_seen += 1
        if len(self._frames) == 2 * NUM_FRAMES:
            del self._frames[1::2]
            self._stride *= 2

    @property
    def content(self) -> tuple[UInt8Array, IntArray]:
        """Frames `[T, H, W, c]`, and the steps `[T]` of the episode at which they were seen."""
        stride = -(-len(self._frames) // NUM_FRAMES)
        kept = self._frames[::stride]
        return np.stack(kept), np.arange(len(kept)) * self._stride * stride
