"""Pictures of planes: one color for the places of each kind of object."""

from typing import Any

import numpy as np

from dqn_exp.core.arrays import UInt8Array

COLORS = np.array(
    [
        *([0, 114, 178], [230, 159, 0], [86, 180, 233], [0, 158, 115], [240, 228, 66]),
        *([213, 94, 0], [204, 121, 167], [255, 255, 255], [150, 150, 150], [120, 94, 240]),
    ],
    dtype=np.uint8,
)
"""Colors that color-blind people can tell apart: Color Universal Design, https://jfly.uni-koeln.de/color."""


def draw_planes(planes: Any) -> UInt8Array:
    """Returns a picture `[H, W, 3]` of planes `[H, W, C]`, one color each, the last on top."""
    image = np.zeros((*planes.shape[:2], 3), dtype=np.uint8)
    for index in range(planes.shape[2]):
        image[planes[:, :, index].astype(bool)] = COLORS[index % len(COLORS)]
    return image
