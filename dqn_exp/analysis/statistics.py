"""Estimates over seeds, with intervals: seeds, not episodes, are what is repeated.

IQM and stratified bootstrap: Deep Reinforcement Learning at the Edge of the Statistical Precipice,
https://arxiv.org/abs/2108.13264.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import stats

from dqn_exp.core.arrays import Float64Array

CONFIDENCE = 0.95
NUM_RESAMPLES = 9_999
MOST_AT_ONCE = 20_000_000
"""Numbers of resamples that are held at a time."""

TRIMMED = 0.25
"""Share of the values that the IQM leaves out on each side."""


class Estimate(NamedTuple):
    """A value with its 95 % interval.

    value, low, high: numbers, or arrays of the same shape; the last two are nan where there are
        too few seeds for an interval.
    """

    value: Float64Array
    low: Float64Array
    high: Float64Array

    @property
    def has_interval(self) -> bool:
        """Whether any interval can be given."""
        return bool(np.isfinite(self.low).any())


def iqm(values: npt.ArrayLike, axis: int = -1) -> Float64Array:
    """Returns the interquartile mean: the mean without a quarter of the values on each side.

    Of n values, as many whole ones are left out as there are in n / 4.
    """
    found: Float64Array = stats.trim_mean(values, TRIMMED, axis=axis)
    return found


def estimate_iqm(strata: Sequence[Float64Array], num_resamples: int = NUM_RESAMPLES) -> Estimate:
    """Returns the IQM of the values of all strata together.

    Args:
        strata: arrays `[..., n]`, at least one, of the seeds of one setting each; they are
            resampled apart from each other. Leading axes are shared, and resampled alike.
        num_resamples: of the bootstrap.
    """

    def statistic(*samples: Float64Array, axis: int = -1) -> Float64Array:
        return iqm(np.concatenate(samples, axis), axis)

    return _estimate(strata, statistic, num_resamples)


def probability_of_improvement(values: Float64Array, others: Float64Array) -> Estimate:
    """Returns how probably a run of one setting is better than one of another; ties count half.

    Args:
        values: `[n]`, of the seeds of one setting.
        others: `[m]`, of the other.
    """

    def statistic(values: Float64Array, others: Float64Array, axis: int = -1) -> Float64Array:
        differences = (
            np.moveaxis(values, axis, -1)[..., None] - (np.moveaxis(others, axis, -1)[..., None, :])
        )
        wins: Float64Array = np.heaviside(differences, 0.5).mean((-2, -1))
        return wins

    return _estimate([values, others], statistic, NUM_RESAMPLES)


def difference_by_chance(values: Float64Array, others: Float64Array) -> float:
    """Returns how probably equal settings would differ in their ranks at least as much as these.

    The two-sided test of Mann and Whitney, exact where nothing is tied; with three seeds each it
    never falls below 0.1. On a Test of Whether one of Two Random Variables is Stochastically
    Larger than the Other, https://doi.org/10.1214/aoms/1177730491.

    Args:
        values: `[n]`, of the seeds of one setting.
        others: `[m]`, of the other.
    """
    return float(stats.mannwhitneyu(values, others).pvalue)


def probabilities_of_being_best(settings: Sequence[Float64Array]) -> Float64Array:
    """Returns how often each setting has the greatest IQM when the seeds of all are resampled.

    Args:
        settings: arrays `[n]` of values, at least two each.
    """
    rng = np.random.default_rng(0)
    resampled = np.stack([_resample(values, rng) for values in settings])
    # Settings that have the same IQM share the first place.
    is_first = resampled == resampled.max(0)
    shares: Float64Array = (is_first / is_first.sum(0)).mean(-1)
    return shares


def _resample(values: Float64Array, rng: np.random.Generator) -> Float64Array:
    """Returns the IQM of each of many resamples of values `[n]`."""
    found = stats.bootstrap([values], iqm, n_resamples=NUM_RESAMPLES, method="percentile", rng=rng)
    distribution: Float64Array = found.bootstrap_distribution
    return distribution


def _estimate(samples: Sequence[Float64Array], statistic: object, num_resamples: int) -> Estimate:
    value = np.asarray(statistic(*samples))  # type: ignore[operator]
    if min(sample.shape[-1] for sample in samples) < 2:
        return Estimate(value, *np.full((2, *value.shape), np.nan))
    found = stats.bootstrap(
        samples,
        statistic,
        n_resamples=num_resamples,
        confidence_level=_expanded([sample.shape[-1] for sample in samples]),
        method="percentile",
        axis=-1,
        batch=max(1, MOST_AT_ONCE // sum(np.asarray(sample).size for sample in samples)),
        rng=np.random.default_rng(0),  # The same report each time.
    ).confidence_interval
    return Estimate(value, np.asarray(found.low), np.asarray(found.high))


def _expanded(sizes: Sequence[int]) -> float:
    """Returns the level at which percentiles of a bootstrap are taken for a confidence of 95 %.

    Resamples of n values vary less than samples do, by the factor (n - 1) / n in their variance,
    and take no notice of how uncertain that variance is. For a mean of normal values, this level
    makes up for both: What Teachers Should Know About the Bootstrap,
    https://doi.org/10.1080/00031305.2015.1089789, section on expanded percentile intervals.
    """
    degrees = sum(size - 1 for size in sizes)
    factor = np.sqrt(sum(sizes) / degrees)
    return float(1 - 2 * stats.norm.sf(factor * stats.t.isf((1 - CONFIDENCE) / 2, degrees)))
