"""Films as a player sees them."""

from pathlib import Path

import av
import numpy as np
from PIL import Image


def frames_of(path: Path) -> list[np.ndarray]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def seconds_of(gif: Image.Image) -> float:
    """How long a film takes; frames that are alike are one that is seen longer."""
    milliseconds = 0
    for number in range(gif.n_frames):
        gif.seek(number)
        milliseconds += gif.info["duration"]
    return milliseconds / 1_000
