"""Observations at a scale that suits a network, whatever the environment's own."""

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from dqn_exp.per_run import PerRunState

SMALLEST_VARIANCE = 1e-8
"""Added to variances, so that a feature that never changes is not divided by zero."""


LARGEST = 10.0
"""Magnitude that normalized observations are clipped to: early on a variance may be far too small.
The bound is that of Stable-Baselines3, https://stable-baselines3.readthedocs.io, VecNormalize."""


class Normalization(Protocol):
    """Stands between what is observed and what a network sees."""

    def observe(self, observations: npt.NDArray[np.float32]) -> None:
        """Takes notice of what the runs observe in training, `[N, D]`."""
        ...

    def normalize(self, observations: Tensor, runs: npt.NDArray[np.int64] | None = None) -> Tensor:
        """Returns what the networks of runs `[N]`, or of some `[M]`, see of `[N, B, D]`."""
        ...

    def retire(self, run: int) -> None:
        """Takes a run out, as `PerRunState.retire` does."""
        ...

    def state_dict(self, run: int) -> dict[str, Any]:
        """Returns what training has made of one run."""
        ...

    def load_state_dict(self, run: int, state: dict[str, Any]) -> None:
        """Overwrites one run with what `state_dict` returned."""
        ...


class NoNormalization(PerRunState):
    """Observations as they are."""

    def observe(self, observations: npt.NDArray[np.float32]) -> None:
        """Takes no notice."""

    def normalize(self, observations: Tensor, runs: npt.NDArray[np.int64] | None = None) -> Tensor:
        """Returns the observations."""
        return observations


class RunningNormalization(PerRunState):
    """Observations less their mean, over their standard deviation, of all that a run has observed.

    Note on a Method for Calculating Corrected Sums of Squares and Products,
    https://doi.org/10.1080/00401706.1962.10490022, feature by feature.
    """

    rows = ("counts", "means", "variances")
    saved = rows

    def __init__(self, count: int, num_features: int, device: torch.device) -> None:
        """Args: N, D, and where the networks are."""
        self._device = device
        self.counts = np.zeros(count, dtype=np.int64)
        self.means, self.variances = np.zeros((2, count, num_features))

    def observe(self, observations: npt.NDArray[np.float32]) -> None:
        """Takes notice of what the runs observe in training, `[N, D]`."""
        self.counts += 1
        shares = 1.0 / self.counts[:, None]
        with np.errstate(all="ignore"):  # What is not finite stays with its run, which diverges.
            differences = observations - self.means
            self.means += differences * shares
            self.variances += (differences * (observations - self.means) - self.variances) * shares

    def normalize(self, observations: Tensor, runs: npt.NDArray[np.int64] | None = None) -> Tensor:
        """Returns what the networks of runs `[N]`, or of some `[M]`, see of `[N, B, D]`."""
        rows = slice(None) if runs is None else runs
        scales = 1.0 / np.sqrt(self.variances[rows] + SMALLEST_VARIANCE)
        normalized = (observations - self._column(self.means[rows])) * self._column(scales)
        return normalized.clamp_(-LARGEST, LARGEST)

    def _column(self, values: npt.NDArray[np.float64]) -> Tensor:
        return torch.from_numpy(values.astype(np.float32)[:, None]).to(self._device)
