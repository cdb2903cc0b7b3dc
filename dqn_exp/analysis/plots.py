"""Plots of the settings of a group, one function per plot."""

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from scipy import stats

from dqn_exp.analysis.aggregates import Curve, Setting
from dqn_exp.analysis.comparable import Group
from dqn_exp.analysis.frames_plot import make_frames_plot
from dqn_exp.analysis.key_plots import RETURN, Marginals, heat_map, is_grid, scatter, sensitivity
from dqn_exp.analysis.plot_style import Plot, Theme, add_legend, label_steps, shorten_label
from dqn_exp.analysis.statistics import CONFIDENCE
from dqn_exp.analysis.swept_keys import SOURCE, are_numbers, shorten_keys, value_of
from dqn_exp.core.arrays import Float64Array
from dqn_exp.files.job_names import shorten_number

NUM_NAMED = 5
"""Best settings, which have a color and a legend; the others are gray."""

NUM_IN_FOREST = 8
"""Best settings in the interval plot."""

MOST_HEAT_MAPS = 10

DASHES = ("-", "--", "-.", ":", (0, (6, 1, 1, 1, 1, 1)))
"""Line styles of named settings, so that overlapping lines remain visible."""

INTERVALS = f"{100 * CONFIDENCE:.0f}% bootstrap intervals"


def make_plots(
    group: Group, curves: Sequence[Curve], marginals: Marginals, log_keys: frozenset[str]
) -> list[Plot]:
    """Returns the plots of a group.

    Args:
        group: at least one of its settings has scores.
        curves: of the settings with scores, in their order.
        marginals: estimates by key and value.
        log_keys: keys that were searched on a logarithmic scale.
    """
    keys = [key for key in group.keys if key != SOURCE]
    grids = [key for key in keys if is_grid(group, key)]
    plots = [_forest(group), _curves(group, curves)]
    plots += [
        sensitivity(group, key, marginals[key])
        if key in grids or not are_numbers(one.values[key] for one in group.scored)
        else scatter(group, key, log_keys)
        for key in keys
    ]
    pairs = itertools.islice(itertools.combinations(grids, 2), MOST_HEAT_MAPS)
    plots += [heat_map(group, pair) for pair in pairs]
    if sum(len(setting.scores) for setting in group.scored) > 1:
        plots.append(_profiles(group))
    if (frames := make_frames_plot(group.settings)) is not None:
        plots.append(frames)
    note = _note_of(group)
    return [plot._replace(note="; ".join(filter(None, (note, plot.note)))) for plot in plots]


def _note_of(group: Group) -> str:
    """Returns the environment and the number of seeds, as a picture names them."""
    counts = sorted({len(setting.scores) for setting in group.scored}) or [0]
    count = str(counts[0]) if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    return f"{value_of(group.runs[0], 'env.id')}, n = {count} seed{'s' * (count != '1')}"


def _names_of(group: Group) -> str:
    """Returns the names of the keys, as a heading of the values of settings."""
    return shorten_label(", ".join(shorten_keys(group.keys).values()), 60)


def _values_of(setting: Setting) -> str:
    values = [shorten_number(value) for value in setting.values.values()]
    return shorten_label(", ".join(values), 44) or setting.label


def _forest(group: Group) -> Plot:
    shown, ranking = group.scored[:NUM_IN_FOREST], group.ranking
    has_intervals = any(ranking.estimate(setting).has_interval for setting in shown)

    def draw(axes: Axes, theme: Theme) -> None:
        for place, setting in enumerate(shown):
            values = ranking.values(setting)
            spread = np.linspace(-0.2, 0.2, len(values)) if len(values) > 1 else np.zeros(1)
            axes.scatter(values, place + spread, s=12, color=theme.muted, alpha=0.8, lw=0)
            value, low, high = (float(one) for one in ranking.estimate(setting))
            errors = np.nan_to_num([[value - low], [high - value]]).clip(min=0)
            line: dict[str, Any] = {"color": theme.series[0], "marker": "o", "capsize": 3}
            axes.errorbar([value], [place], xerr=errors, markersize=5, **line)
        if ranking.is_of_final_returns:
            _mark_threshold(axes, theme, group.threshold, is_vertical=True)
        axes.set_yticks(range(len(shown)), [_values_of(setting) for setting in shown])
        name = f"final {RETURN}" if ranking.is_of_final_returns else ranking.phrase
        axes.set(xlabel=name, ylim=(len(shown) - 0.5, -0.5))
        axes.figure.suptitle(_names_of(group), x=0.02, ha="left", fontsize=8)

    bars = f"; bars: {INTERVALS}" if has_intervals else ""
    return Plot(
        "settings",
        "Best settings",
        f"The {ranking.phrase} of each setting ({ranking.statistic} its seeds)"
        f"{', with its interval' * has_intervals}. Each small dot is a seed.",
        draw,
        (5.2, 1.5 + 0.25 * len(shown)),
        f"large dots: {ranking.statistic} the seeds, small dots: seeds{bars}",
        kind="settings",
    )


def _curves(group: Group, curves: Sequence[Curve]) -> Plot:
    settings = group.scored
    named = settings[:NUM_NAMED]

    def draw(axes: Axes, theme: Theme) -> None:
        for curve in curves[NUM_NAMED:]:
            axes.plot(curve.steps, curve.returns.value, color=theme.muted, lw=0.5, alpha=0.6)
        for setting, curve, color, dashes in zip(named, curves, theme.series, DASHES, strict=False):
            marker = "o" if len(curve.steps) == 1 else None
            line: dict[str, Any] = {"color": color, "ls": dashes, "marker": marker, "lw": 1.2}
            axes.plot(curve.steps, curve.returns.value, label=_values_of(setting), **line)
            low, high = curve.returns.low, curve.returns.high
            axes.fill_between(curve.steps, low, high, color=color, alpha=0.18, lw=0)
        _mark_threshold(axes, theme, group.threshold)
        axes.set(ylabel=RETURN)
        label_steps(axes)
        add_legend(axes, _names_of(group))

    has_intervals = any(curve.returns.has_interval for curve in curves)
    intervals = ", with pointwise 95% intervals" if has_intervals else ""
    num_others = len(settings) - len(named)
    others = f", gray: {num_others} other settings" if num_others > 0 else ""
    return Plot(
        "curves",
        "Learning curves",
        f"IQM over the seeds of the mean returns of evaluations{intervals}.",
        draw,
        (3.5, 2.75 + 0.15 * min(len(settings), NUM_NAMED)),
        f"lines: IQM{f', bands: {INTERVALS}' * has_intervals}{others}",
        kind="curves",
    )


def _profiles(group: Group) -> Plot:
    named = group.scored[:NUM_NAMED]

    def draw(axes: Axes, theme: Theme) -> None:
        for setting, color, dashes in zip(named, theme.series, DASHES, strict=False):
            points, heights = profile(setting.scores)
            line: dict[str, Any] = {"color": color, "ls": dashes, "lw": 1.2}
            axes.step(points, heights, where="post", label=_values_of(setting), **line)
        axes.set(xlabel=f"final {RETURN}", ylabel="share of runs above", ylim=(-0.02, 1.02))
        add_legend(axes, _names_of(group))

    return Plot(
        "profiles",
        "Performance profiles",
        "Share of the runs whose final return exceeds a value, for the best settings. A setting "
        "whose curve is above another everywhere is better in every respect.",
        draw,
        (3.5, 2.75 + 0.15 * len(named)),
    )


def profile(scores: Float64Array) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Returns the points where the share of scores `[n]` above changes, and these shares."""
    shares = stats.ecdf(scores).sf
    points = np.concatenate([[scores.min()], shares.quantiles])
    return points, np.concatenate([[1.0], shares.probabilities])


def _mark_threshold(
    axes: Axes, theme: Theme, threshold: float | None, *, is_vertical: bool = False
) -> None:
    """Draws a labeled line at the threshold, if it is in sight."""
    low, high = sorted(axes.get_xlim() if is_vertical else axes.get_ylim())
    if threshold is None or not low <= threshold <= high:
        return
    line: dict[str, Any] = {"color": theme.muted, "lw": 1, "ls": ":"}
    if is_vertical:
        axes.axvline(threshold, **line)
        place = {"xy": (threshold, 1), "xycoords": ("data", "axes fraction"), "va": "bottom"}
    else:
        axes.axhline(threshold, **line)
        place = {"xy": (0.01, threshold), "xycoords": ("axes fraction", "data"), "va": "bottom"}
    axes.annotate(f"threshold {threshold:g}", color=theme.text, fontsize=8, **place)  # type: ignore[arg-type]
