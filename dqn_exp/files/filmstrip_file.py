"""Frames of a run's newest evaluation, in `frames.npz`."""

import io
from pathlib import Path
from typing import NamedTuple
from zipfile import BadZipFile

import numpy as np

from dqn_exp.core.arrays import IntArray, UInt8Array
from dqn_exp.files.atomic_file import write_atomically

NAME = "frames.npz"


class FilmstripFile(NamedTuple):
    """Frames of an evaluation episode.

    Attributes:
        step: of the run at the evaluation.
        frames: `[T, H, W, c]` with c gray levels, colors or planes.
        steps: `[T]` of the episode at which the frames were seen.
        low: smallest value that a frame may have.
        high: largest one.
    """

    step: int
    frames: UInt8Array
    steps: IntArray
    low: int
    high: int


def write_filmstrip(directory: Path, content: FilmstripFile) -> None:
    """Replaces the frames of a run.

    Raises:
        OSError: If the file cannot be written.
    """
    file = io.BytesIO()
    np.savez_compressed(file, **content._asdict())
    write_atomically(directory / NAME, file.getvalue())


def read_filmstrip(directory: Path) -> FilmstripFile | None:
    """Returns the frames of a run; None if there are none that can be read."""
    try:
        # With a path, numpy leaves a damaged file open.
        with (directory / NAME).open("rb") as file, np.load(file) as arrays:
            step, frames, steps = (arrays[name] for name in ("step", "frames", "steps"))
            # Files of version 0.1 have no bounds.
            low, high = arrays.get("low", 0), arrays.get("high", 255 if frames.max() > 1 else 1)
            return FilmstripFile(int(step), frames, steps, int(low), int(high))
    except (OSError, ValueError, KeyError, EOFError, BadZipFile):
        return None
