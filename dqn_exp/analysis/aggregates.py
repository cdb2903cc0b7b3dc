"""Aggregates of settings, which are runs that differ only in their seeds."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from dqn_exp.analysis import statistics
from dqn_exp.analysis.run_reader import RunFiles
from dqn_exp.analysis.statistics import Estimate
from dqn_exp.analysis.swept_keys import SOURCE, shorten_keys, value_of
from dqn_exp.core.arrays import Float64Array, IntArray
from dqn_exp.files.job_names import shorten_number

FAILED = ("failed", "diverged")
PRUNED = "pruned"

MIN_SEEDS_FOR_RANKING = 5
"""Seeds below which resamples vary too little to estimate how certain a ranking is."""

NUM_CURVE_POINTS = 200
NUM_CURVE_RESAMPLES = 1_999


class Setting(NamedTuple):
    """Runs that differ only in their seeds.

    Attributes:
        values: of the keys in which settings differ.
        label: names the setting by these values.
        runs: of the setting, one per seed.
        num_repeated: further runs with the same seeds, which are ignored.
        scores: `[n]` final mean returns of the completed runs; none if the setting was pruned.
        iqm: of the scores, with its interval; NaN without scores.
        heights: `[n]` mean heights of the evaluation curves of these runs.
        reached: `[n]` steps at which these runs reach the threshold; infinite if they do not, NaN
            without a threshold.
        probability_best: probability that its IQM is the largest; NaN with too few seeds.
    """

    values: dict[str, str]
    label: str
    runs: list[RunFiles]
    num_repeated: int
    scores: Float64Array
    iqm: Estimate
    heights: Float64Array
    reached: Float64Array
    probability_best: float

    @property
    def mean(self) -> float:
        """Mean of the scores."""
        return float(self.scores.mean()) if len(self.scores) else np.nan

    @property
    def median(self) -> float:
        """Median of the scores."""
        return float(np.median(self.scores)) if len(self.scores) else np.nan

    @property
    def minimum(self) -> float:
        """Minimum of the scores."""
        return float(self.scores.min()) if len(self.scores) else np.nan

    @property
    def area(self) -> float:
        """IQM over the runs of the mean height of their evaluation curves."""
        return float(statistics.iqm(self.heights)) if len(self.heights) else np.nan

    @property
    def steps_to_threshold(self) -> float:
        """Median over the runs; infinite if half of them or more do not reach the threshold."""
        return float(np.median(self.reached)) if len(self.reached) else np.nan

    @property
    def num_reached(self) -> float:
        """Runs that reach the threshold; NaN without a threshold."""
        is_known = len(self.reached) > 0 and not np.isnan(self.reached).any()
        return int(np.isfinite(self.reached).sum()) if is_known else np.nan

    @property
    def steps(self) -> float:
        """Median of the steps of the completed runs."""
        steps = [run.result.steps for run in self.runs if run.score is not None and run.result]
        return float(np.median(steps)) if steps else np.nan

    @property
    def last_return(self) -> float:
        """The IQM of the scores, or of the last evaluations of a pruned setting."""
        lasts = [run.evaluations[-1, 1] for run in self.runs if len(run.evaluations)]
        if len(self.scores) or not (self.num_pruned and lasts):
            return float(self.iqm.value)
        return float(statistics.iqm(lasts))

    @property
    def num_failed(self) -> int:
        """Runs that failed or diverged."""
        return sum(run.status in FAILED for run in self.runs)

    @property
    def num_pruned(self) -> int:
        """Runs of a pruned trial that have not failed; some may have completed before."""
        is_pruned = any(run.status == PRUNED for run in self.runs)
        return len(self.runs) - self.num_failed if is_pruned else 0

    @property
    def num_missing(self) -> int:
        """Runs that have not ended."""
        return len(self.runs) - len(self.scores) - self.num_failed - self.num_pruned


class Curve(NamedTuple):
    """Learning curve of a setting.

    Attributes:
        steps: `[G]`.
        returns: `[G]` IQM over the runs that have reached the step.
        num_runs: `[G]` number of these runs.
    """

    steps: Float64Array
    returns: Estimate
    num_runs: IntArray


def make_settings(
    runs: Sequence[RunFiles], keys: Sequence[str], threshold: float | None
) -> list[Setting]:
    """Groups runs by keys and aggregates each group.

    Args:
        runs: at least one.
        keys: in which settings may differ.
        threshold: mean return of an evaluation to reach; None for none.
    """
    groups: dict[tuple[str, ...], list[RunFiles]] = {}
    for run in runs:
        groups.setdefault(tuple(value_of(run, key) for key in keys), []).append(run)
    names = shorten_keys(keys)
    return _with_probabilities(
        [
            _make_setting(dict(zip(keys, values, strict=True)), names, group, threshold)
            for values, group in groups.items()
        ]
    )


def make_curve(setting: Setting) -> Curve:
    """Returns the learning curve of a setting, without failed and diverged runs."""
    counted = (run for run in setting.runs if run.status not in FAILED)
    known = [run.evaluations for run in counted if len(run.evaluations)]
    if not known:
        return Curve(np.empty(0), Estimate(*np.empty((3, 0))), np.empty(0, dtype=np.int64))
    steps = _common_steps(known)
    # [G, n], NaN where a run has not reached the step; runs may have different lengths.
    returns = np.array([_interpolate(steps, one) for one in known]).T.reshape(len(steps), -1)
    is_known = ~np.isnan(returns)
    estimates = np.full((3, len(steps)), np.nan)
    for present in np.unique(is_known, axis=0):
        rows = np.flatnonzero((is_known == present).all(1))
        if present.any():
            part = statistics.estimate_iqm([returns[rows][:, present]], NUM_CURVE_RESAMPLES)
            estimates[:, rows] = part
    return Curve(steps, Estimate(*estimates), is_known.sum(1))


def _make_setting(
    values: dict[str, str], names: dict[str, str], runs: list[RunFiles], threshold: float | None
) -> Setting:
    num_all, runs = len(runs), _one_per_seed(runs)
    is_pruned = any(run.status == PRUNED for run in runs)
    completed = [run for run in runs if run.score is not None and not is_pruned]
    scores = np.array([run.score for run in completed], dtype=np.float64)
    return Setting(
        values=values,
        label=", ".join(
            value if key == SOURCE else f"{names[key]}={shorten_number(value)}"
            for key, value in values.items()
        )
        or "all runs",
        runs=runs,
        num_repeated=num_all - len(runs),
        scores=scores,
        iqm=statistics.estimate_iqm([scores]) if len(scores) else Estimate(*np.full(3, np.nan)),
        heights=np.array([_height(run) for run in completed]),
        reached=np.array([_steps_to(run, threshold) for run in completed]),
        probability_best=np.nan,
    )


def _one_per_seed(runs: Sequence[RunFiles]) -> list[RunFiles]:
    """Returns one run per seed, a completed one if there is one."""
    found: dict[object, RunFiles] = {}
    for run in sorted(runs, key=lambda one: one.score is None):
        found.setdefault(run.directory if run.seed is None else run.seed, run)
    return list(found.values())


def _with_probabilities(settings: list[Setting]) -> list[Setting]:
    """Returns the settings with their probabilities of being best, where scores are enough."""
    known = [i for i, setting in enumerate(settings) if len(setting.scores)]
    if len(known) > 1 and max(len(one.scores) for one in settings) >= MIN_SEEDS_FOR_RANKING:
        probabilities = statistics.probabilities_of_being_best([settings[i].scores for i in known])
        for index, probability in zip(known, probabilities.tolist(), strict=True):
            if len(settings[index].scores) >= MIN_SEEDS_FOR_RANKING:
                settings[index] = settings[index]._replace(probability_best=probability)
    return settings


def _height(run: RunFiles) -> float:
    """Returns the mean height of a run's evaluation curve."""
    steps, returns = run.evaluations.T
    if len(steps) < 2:
        return float(returns[-1]) if len(steps) else np.nan
    return float(np.trapezoid(returns, steps) / (steps[-1] - steps[0]))


def _steps_to(run: RunFiles, threshold: float | None) -> float:
    if threshold is None:
        return np.nan
    steps, returns = run.evaluations.T
    reached = steps[returns >= threshold]
    return float(reached[0]) if len(reached) else np.inf


def _common_steps(evaluations: Sequence[Float64Array]) -> Float64Array:
    steps = np.unique(np.concatenate([one[:, 0] for one in evaluations] or [np.empty(0)]))
    if len(steps) > NUM_CURVE_POINTS:
        return np.linspace(steps[0], steps[-1], NUM_CURVE_POINTS)
    return steps


def _interpolate(steps: Float64Array, evaluations: Float64Array) -> Float64Array:
    known, returns = evaluations.T
    interpolated: Float64Array = np.interp(steps, known, returns, left=np.nan, right=np.nan)
    return interpolated
