"""A note on observations whose features have very different scales."""

import logging

import numpy as np

from dqn_exp.buffer.base import Buffer
from dqn_exp.core.arrays import Float32Array

log = logging.getLogger(__name__)

LARGEST_RATIO = 1e4
LEAST_ROWS = 100
"""Observations from which scales are estimated, at least."""

MOST_ROWS = 1_000


class ScaleCheck:
    """Looks at the observations of one run, once it has stored enough of them."""

    def __init__(self, buffer: Buffer, is_due: bool) -> None:
        """Takes the buffer, and whether there is anything to look at."""
        self._buffer, self._is_due = buffer, is_due

    def check(self, row: int) -> None:
        """Logs a note on the observations of the run in a row, if there is one."""
        if not self._is_due:
            return
        observations = self._buffer.peek(row, MOST_ROWS).observation.cpu().numpy()
        if len(observations) >= LEAST_ROWS:
            self._is_due = False
            if note := note_on_scales(observations):
                log.warning(note)


def note_on_scales(observations: Float32Array) -> str | None:
    """Returns a note if the standard deviations of features differ by more than 1e4.

    Args:
        observations: `[M, D]`; features that never change are ignored.
    """
    deviations = observations.astype(np.float64).std(axis=0)
    varying = np.flatnonzero(deviations)
    if len(varying) < 2:
        return None
    low = varying[deviations[varying].argmin()]
    high = varying[deviations[varying].argmax()]
    if deviations[high] <= LARGEST_RATIO * deviations[low]:
        return None
    return (
        f"Features of the observations have very different scales: the standard deviation of "
        f"feature {high} is {deviations[high]:.3g}, that of feature {low} is "
        f"{deviations[low]:.3g}. Networks learn little from the smaller ones; set "
        "agent.normalize_observations=true."
    )
