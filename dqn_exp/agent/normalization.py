"""Normalization of observations by their running mean and variance."""

from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from dqn_exp.core.arrays import Float32Array, Float64Array, IntArray
from dqn_exp.core.devices import to_device
from dqn_exp.core.per_run import PerRunState

VARIANCE_EPSILON = 1e-8
"""Added to variances, so that a constant feature is not divided by zero."""

CLIP = 10.0
"""Magnitude that normalized observations are clipped to, since early estimates of a variance may
be far too small. The bound is that of VecNormalize in Stable-Baselines3,
https://stable-baselines3.readthedocs.io."""


class Normalization(Protocol):
    """Maps observations to the inputs of networks."""

    def observe(self, observations: Float32Array) -> None:
        """Updates the statistics with the training observations `[N, D]` of a step."""
        ...

    def normalize(self, observations: Tensor, runs: IntArray | None = None) -> Tensor:
        """Returns normalized observations `[N, B, D]`, of all runs or of `runs`."""
        ...

    def retire(self, run: int) -> None:
        """Removes a run, as `PerRunState.retire` does."""
        ...

    def state_dict(self, run: int) -> dict[str, Any]:
        """Returns a copy of the saved state of one run."""
        ...

    def load_state_dict(self, run: int, state: dict[str, Any]) -> None:
        """Overwrites one run with the return value of `state_dict`."""
        ...


class NoNormalization(PerRunState):
    """Leaves observations unchanged."""

    def observe(self, observations: Float32Array) -> None:
        """Does nothing."""

    def normalize(self, observations: Tensor, runs: IntArray | None = None) -> Tensor:
        """Returns the observations."""
        return observations


class RunningNormalization(PerRunState):
    """Subtracts the mean of all observations of a run and divides by their standard deviation.

    Note on a Method for Calculating Corrected Sums of Squares and Products,
    https://doi.org/10.1080/00401706.1962.10490022, per feature.
    """

    rows = ("counts", "means", "variances")
    saved = rows

    def __init__(self, count: int, num_features: int, device: torch.device) -> None:
        """Creates statistics of no observations.

        Args:
            count: N.
            num_features: D.
            device: of the networks.
        """
        self._device = device
        self.counts = np.zeros(count, dtype=np.int64)
        self.means, self.variances = np.zeros((2, count, num_features))

    def observe(self, observations: Float32Array) -> None:
        """Updates the statistics with the training observations `[N, D]` of a step."""
        self.counts += 1
        shares = 1.0 / self.counts[:, None]
        with np.errstate(all="ignore"):  # Infinities and NaN stay within their run, which diverges.
            differences = observations - self.means
            self.means += differences * shares
            self.variances += (differences * (observations - self.means) - self.variances) * shares

    def normalize(self, observations: Tensor, runs: IntArray | None = None) -> Tensor:
        """Returns normalized observations `[N, B, D]`, of all runs or of `runs`."""
        rows = slice(None) if runs is None else runs
        scales = 1.0 / np.sqrt(self.variances[rows] + VARIANCE_EPSILON)
        normalized = (observations - self._column(self.means[rows])) * self._column(scales)
        return normalized.clamp_(-CLIP, CLIP)

    def _column(self, values: Float64Array) -> Tensor:
        return to_device(values.astype(np.float32)[:, None], self._device)
