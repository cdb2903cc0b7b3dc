"""A note on observations whose features have very different scales."""

import numpy as np

from dqn_exp.core.arrays import Float32Array

LARGEST_RATIO = 1e4
LEAST_ROWS = 100
"""Observations from which scales are estimated, at least."""


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
