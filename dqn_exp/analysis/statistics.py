"""Estimates over seeds with confidence intervals; seeds, not episodes, are the samples.

IQM and stratified bootstrap: Deep Reinforcement Learning at the Edge of the Statistical Precipice,
https://arxiv.org/abs/2108.13264.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import optimize, stats

from dqn_exp.core.arrays import Float64Array

CONFIDENCE = 0.95
NUM_RESAMPLES = 9_999
MAX_RESAMPLED = 20_000_000
"""Numbers of resamples in memory at once."""

MOST_PERMUTATIONS = 20_000
"""Permutations of a Mann-Whitney test that are enumerated, with up to eight seeds per setting."""

TRIMMED = 0.25
"""Share of the values that the IQM drops on each side."""

NEAR_ZERO = 1e-12


class Estimate(NamedTuple):
    """A value with its 95% confidence interval.

    Attributes:
        value: a number, or an array.
        low: lower end, of the same shape; NaN where there are too few seeds for an interval.
        high: upper end, of the same shape; NaN where there are too few seeds.
    """

    value: Float64Array
    low: Float64Array
    high: Float64Array

    @property
    def has_interval(self) -> bool:
        """Whether there is an interval."""
        return bool(np.isfinite(self.low).any())


def iqm(values: npt.ArrayLike, axis: int = -1) -> Float64Array:
    """Returns the interquartile mean: the mean without the lowest and the highest quarter.

    Of n values, n / 4 are dropped on each side, rounded down.
    """
    found: Float64Array = stats.trim_mean(values, TRIMMED, axis=axis)
    return found


def estimate_iqm(strata: Sequence[Float64Array], num_resamples: int = NUM_RESAMPLES) -> Estimate:
    """Returns the IQM of the values of all strata together.

    Args:
        strata: arrays `[..., n]`, at least one, each with the seeds of one setting; strata are
            resampled separately. Leading axes are shared, and resampled alike.
        num_resamples: of the bootstrap.
    """

    def statistic(*samples: Float64Array, axis: int = -1) -> Float64Array:
        return iqm(np.concatenate(samples, axis), axis)

    value = statistic(*strata)
    if min(sample.shape[-1] for sample in strata) < 2:
        return Estimate(value, *np.full((2, *value.shape), np.nan))
    found = stats.bootstrap(
        strata,
        statistic,
        n_resamples=num_resamples,
        confidence_level=_expanded_level([sample.shape[-1] for sample in strata]),
        method="percentile",
        axis=-1,
        batch=max(1, MAX_RESAMPLED // sum(np.asarray(sample).size for sample in strata)),
        rng=np.random.default_rng(0),  # Makes reports reproducible.
    ).confidence_interval
    return Estimate(value, np.asarray(found.low), np.asarray(found.high))


def probability_of_improvement(values: Float64Array, others: Float64Array) -> Estimate:
    """Returns the probability that a run of one setting beats one of another; ties count half.

    The interval is Newcombe's score interval for the area under the curve, which has a width even
    if all runs of one setting win: Confidence intervals for an effect size measure based on the
    Mann-Whitney statistic, part 2, https://doi.org/10.1002/sim.2324, method 5.

    Args:
        values: `[n]`, of the seeds of one setting.
        others: `[m]`, of the other.
    """
    # Compared, not subtracted, since values may be infinite.
    wins = (values[:, None] > others) + 0.5 * (values[:, None] == others)
    value = float(wins.mean())
    if min(len(values), len(others)) < 2:
        return Estimate(*np.array([value, np.nan, np.nan]))
    low, high = _newcombe_interval(value, len(values), len(others))
    return Estimate(*np.array([value, low, high]))


def mann_whitney_p(values: Float64Array, others: Float64Array) -> float:
    """Returns the two-sided p-value of the Mann-Whitney test, as if there were no other settings.

    On a Test of Whether one of Two Random Variables is Stochastically Larger than the Other,
    https://doi.org/10.1214/aoms/1177730491. Ties are taken into account. It is exact for up to
    eight seeds per setting, by permutations; with three seeds each, p is at least 0.1. With more,
    U is taken for normal.

    Args:
        values: `[n]`, of the seeds of one setting.
        others: `[m]`, of the other.
    """
    method: Any = "asymptotic"
    if math.comb(len(values) + len(others), len(values)) <= MOST_PERMUTATIONS:
        method = stats.PermutationMethod(n_resamples=MOST_PERMUTATIONS)
    return float(stats.mannwhitneyu(values, others, method=method).pvalue)


def statistic_of(values: Float64Array, name: str) -> float:
    """Returns a statistic, one of iqm, mean, median and min, of the values `[n]` of runs."""
    functions: dict[str, Callable[[Float64Array], Any]] = {
        "iqm": iqm,
        "mean": np.mean,
        "median": np.median,
        "min": np.min,
    }
    return float(functions[name](values))


def adjust_for_pairs(p_value: float, num_settings: int) -> float:
    """Returns the p-value of two settings that were chosen among several, by the studentized range.

    If all settings are equal, the smallest of all pairs is below a level about as often as the
    level says. With two settings, it is the given one. On Distribution-Free Multiple Comparisons
    in the One-Way Analysis of Variance, https://doi.org/10.1080/03610929108830487.

    Args:
        p_value: two-sided, of the two settings alone.
        num_settings: that the two were chosen among, at least 2.
    """
    distance = np.sqrt(2) * stats.norm.isf(p_value / 2)
    return float(stats.studentized_range.sf(distance, num_settings, np.inf))


def probabilities_of_being_best(settings: Sequence[Float64Array]) -> Float64Array:
    """Returns how often each setting has the largest IQM when the seeds of all are resampled.

    Args:
        settings: arrays `[n]` of values, at least one each; a single value is always drawn.
    """
    rng = np.random.default_rng(0)
    resampled = np.stack([_resampled_iqms(values, rng) for values in settings])
    # Settings with equal IQMs share the first place.
    is_first = resampled == resampled.max(0)
    shares: Float64Array = (is_first / is_first.sum(0)).mean(-1)
    return shares


def _newcombe_interval(value: float, num_values: int, num_others: int) -> tuple[float, float]:
    """Returns the roots of `(value - p)**2 = z**2 * variance(p)` on both sides of `value`."""
    z = stats.norm.isf((1 - CONFIDENCE) / 2)
    mean_count = (num_values + num_others) / 2 - 1

    def excess(p: float) -> float:
        spread = 1 + mean_count * ((1 - p) / (2 - p) + p / (1 + p))
        variance = p * (1 - p) * spread / (num_values * num_others)
        return float((value - p) ** 2 - z**2 * variance)

    # 0 and 1 are roots themselves if all runs of one setting win, but not the ends of the interval.
    low = 0.0 if value == 0 else _root(excess, 0.0, min(value, 1 - NEAR_ZERO))
    high = 1.0 if value == 1 else _root(excess, max(value, NEAR_ZERO), 1.0)
    return low, high


def _root(function: Callable[[float], float], low: float, high: float) -> float:
    return float(optimize.brentq(function, low, high))


def _resampled_iqms(values: Float64Array, rng: np.random.Generator) -> Float64Array:
    """Returns the IQMs of many resamples of values `[n]`."""
    if len(values) == 1:
        return np.full(NUM_RESAMPLES, values[0])
    found = stats.bootstrap([values], iqm, n_resamples=NUM_RESAMPLES, method="percentile", rng=rng)
    distribution: Float64Array = found.bootstrap_distribution
    return distribution


def _expanded_level(sizes: Sequence[int]) -> float:
    """Returns the level of bootstrap percentiles for a confidence of 95%.

    The variance of resamples of n values is too small by the factor (n - 1) / n, and ignores the
    uncertainty of that variance. This level corrects both for a mean of normal values: What
    Teachers Should Know About the Bootstrap, https://doi.org/10.1080/00031305.2015.1089789,
    section on expanded percentile intervals.
    """
    degrees = sum(size - 1 for size in sizes)
    factor = np.sqrt(sum(sizes) / degrees)
    return float(1 - 2 * stats.norm.sf(factor * stats.t.isf((1 - CONFIDENCE) / 2, degrees)))
