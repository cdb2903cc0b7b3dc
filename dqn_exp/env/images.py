"""Images as observations, and stacks of frames."""

import math
from collections import deque
from typing import Any

import numpy as np
import numpy.typing as npt
from gymnasium import spaces

from dqn_exp.core.arrays import Float32Array, UInt8Array
from dqn_exp.core.frame_format import FrameFormat
from dqn_exp.env.spaces import shorten, wrong_shape


class Images:
    """A Box of rank 2 or 3 with integers from 0 to 255 or booleans, scaled to [0, 1].

    An image of rank 3 has its channels last, unless its first axis is shorter than both others.

    Attributes:
        form: format of an image.
    """

    notes: tuple[str, ...] = ()

    def __init__(self, space: spaces.Box) -> None:
        """Takes a space with the same bounds for all values."""
        self._space, self._has_channels_first = space, False
        shape = space.shape if len(space.shape) == 3 else (*space.shape, 1)
        if shape[0] < min(shape[1:]):
            self._has_channels_first, shape = True, (*shape[1:], shape[0])
        low, high = int(space.low.flat[0]), int(space.high.flat[0])
        self.form = FrameFormat(
            height=shape[0],
            width=shape[1],
            channels=shape[2],
            is_binary=low == 0 and high == 1,
            low=float(low),
            scale=float(np.float32(1) / np.float32(max(high - low, 1))),
        )
        self.num_features = self.form.num_values
        # Then a value of the type is one of the space.
        is_byte = space.dtype == np.uint8 and (low, high) == (0, 255)
        self._has_all_values = is_byte or space.dtype == np.bool_

    def to_frame(self, observation: Any) -> UInt8Array:
        """Returns the values `[H * W * c]` of an image, perhaps a view of it.

        Raises:
            ValueError: If it does not belong to the space.
        """
        image = np.asarray(observation)
        is_sure = self._has_all_values and image.dtype == self._space.dtype
        if not is_sure or image.shape != self._space.shape:
            image = self._convert(image)
        if self._has_channels_first:
            image = image.transpose(1, 2, 0)
        if image.dtype == np.bool_:
            image = image.view(np.uint8)
        frame: UInt8Array = image.astype(np.uint8, copy=False).ravel()
        return frame

    def encode(self, observation: Any) -> Float32Array:
        """Returns the features, as `Observations.encode` describes."""
        return self.form.join(self.to_frame(observation))

    def _convert(self, image: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Returns an image of another type, flattened or with other axes of length 1."""
        lengths, expected = ([n for n in one.shape if n != 1] for one in (image, self._space))
        has_values = lengths in (expected, [math.prod(expected)])
        if image.dtype.kind not in "uibf" or not has_values:
            raise ValueError(wrong_shape(self._space, image))
        least, most = self._space.low.flat[0], self._space.high.flat[0]
        is_integer = image.dtype.kind != "f" or bool((image == np.rint(image)).all())
        if not is_integer or image.min() < least or image.max() > most:
            raise ValueError(
                f"expected an observation of integers from {int(least)} to {int(most)}, as in the "
                f"observation space, got {shorten(image)}"
            )
        return image.astype(self._space.dtype).reshape(self._space.shape)


class StackedFrames:
    """The newest frames of an episode."""

    def __init__(self, form: FrameFormat) -> None:
        """Takes the format of the frames."""
        self._form = form
        self._frames: deque[UInt8Array] = deque(maxlen=form.stack)

    def push(self, frame: UInt8Array, *, is_first: bool) -> Float32Array:
        """Adds a frame `[H * W * c]`; returns the observation `[D]`."""
        if is_first:
            before = frame.copy() if self._form.repeats_first else np.zeros_like(frame)
            self._frames.extend([before] * self._form.stack)
        self._frames.append(frame.copy())
        return self._form.join(self._frames)
