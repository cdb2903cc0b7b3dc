"""Frames at even distances of an episode whose length is not known before it ends."""

import numpy as np

from dqn_exp.core.arrays import Float32Array, UInt8Array
from dqn_exp.core.frame_format import FrameFormat
from dqn_exp.files.filmstrip_file import FilmstripFile

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

    def to_file(self, step: int) -> FilmstripFile:
        """Returns the content of a file for an evaluation at a step of a run."""
        stride = -(-len(self._frames) // NUM_FRAMES)
        kept = self._frames[::stride]
        steps = np.arange(len(kept)) * self._stride * stride
        return FilmstripFile(step, np.stack(kept), steps, self._form.lowest, self._form.highest)
