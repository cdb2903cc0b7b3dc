"""Scalars of the event files of a run."""

from pathlib import Path

import numpy as np
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from dqn_exp.core.arrays import Float64Array
from dqn_exp.files.event_file import PREFIX


def read_scalars(directory: Path) -> dict[str, Float64Array]:
    """Returns the steps and values `[R, 2]` of each scalar of a run, by tag.

    Args:
        directory: of the run; without event files, there are no scalars.
    """
    if not any(directory.glob(f"{PREFIX}.*")):
        return {}
    events = EventAccumulator(str(directory), size_guidance={"scalars": 0})
    events.Reload()
    return {
        tag: np.array([(one.step, one.value) for one in events.Scalars(tag)], dtype=np.float64)
        for tag in events.Tags()["scalars"]
    }
