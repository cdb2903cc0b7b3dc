"""Plots of settings, one function per plot."""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from scipy import stats

from dqn_exp.analysis import statistics
from dqn_exp.analysis.aggregates import Setting, make_curve
from dqn_exp.analysis.plot_style import Plot, Theme
from dqn_exp.analysis.swept_keys import shorten_keys, sort_values
from dqn_exp.core.arrays import Float64Array

NUM_NAMED = 5
"""Best settings, which have a colour and a legend; the others are grey."""

DASHES = ("-", "--", "-.", ":", (0, (6, 1, 1, 1, 1, 1)))
"""Line styles of named settings, so that overlapping lines remain visible."""

MAX_GRID_VALUES = 20
"""Values of a key up to which it is drawn as a grid; with more, it is drawn as a search."""

RETURN = "return of the greedy policy"


def make_plots(
    settings: Sequence[Setting], keys: Sequence[str], threshold: float | None
) -> list[Plot]:
    """Returns the plots of settings.

    Args:
        settings: the largest IQM first; at least one has scores.
        keys: in which they differ.
        threshold: return to mark; None for none.
    """
    names = shorten_keys(keys)
    values = {key: sort_values(setting.values[key] for setting in settings) for key in keys}
    settings = [setting for setting in settings if len(setting.scores)]
    plots = [_curves(settings, threshold)]
    many = {key for key in keys if len(values[key]) > MAX_GRID_VALUES}
    plots += [
        _scatter(settings, key, names[key])
        if key in many and _are_numbers(values[key])
        else _sensitivity(settings, key, names[key], values[key])
        for key in keys
    ]
    pairs = itertools.combinations((key for key in keys if key not in many), 2)
    plots += [_heat_map(settings, pair, names) for pair in pairs]
    if sum(len(setting.scores) for setting in settings) > 1:
        plots.append(_profiles(settings))
    return plots


def _curves(settings: Sequence[Setting], threshold: float | None) -> Plot:
    named, curves = settings[:NUM_NAMED], [make_curve(setting) for setting in settings]

    def draw(axes: Axes, theme: Theme) -> None:
        for curve in curves[NUM_NAMED:]:
            axes.plot(curve.steps, curve.returns.value, color=theme.muted, lw=0.7, alpha=0.6)
        for setting, curve, color, dashes in zip(named, curves, theme.series, DASHES, strict=False):
            marker = "o" if len(curve.steps) == 1 else None
            label = _shorten(setting.label, 56)
            line = {"color": color, "ls": dashes, "marker": marker}
            axes.plot(curve.steps, curve.returns.value, label=label, **line)  # type: ignore[arg-type]
            low, high = curve.returns.low, curve.returns.high
            axes.fill_between(curve.steps, low, high, color=color, alpha=0.18, lw=0)
        bottom, top = axes.get_ylim()
        if threshold is not None and bottom <= threshold <= top:
            axes.axhline(threshold, color=theme.muted, lw=1, ls=":")
        axes.set(xlabel="environment steps", ylabel=RETURN)
        _add_legend(axes)

    has_intervals = any(curve.returns.has_interval for curve in curves)
    intervals = ", with pointwise 95 % intervals" if has_intervals else ""
    num_others = len(settings) - len(named)
    others = f" The {num_others} other settings are grey." if num_others > 0 else ""
    return Plot(
        "curves",
        "Learning curves",
        f"IQM over the seeds of the mean returns of evaluations{intervals}.{others}",
        draw,
    )


def _sensitivity(settings: Sequence[Setting], key: str, name: str, values: list[str]) -> Plot:
    groups = {value: _with_value(settings, key, value) for value in values}
    estimates = {value: marginal(group) for value, group in groups.items() if group}
    has_others = len(settings[0].values) > 1

    def draw(axes: Axes, theme: Theme) -> None:
        places = [place for place, value in enumerate(values) if value in estimates]
        for place in places if has_others else ():
            single = [float(setting.iqm.value) for setting in groups[values[place]]]
            spread = np.linspace(-0.12, 0.12, len(single)) if len(single) > 1 else [0.0]
            axes.scatter(place + np.asarray(spread), single, s=12, color=theme.muted, alpha=0.7)
        middle, low, high = np.array([estimates[values[place]] for place in places], dtype=float).T
        errors = np.nan_to_num([middle - low, high - middle]).clip(min=0)
        line = {"color": theme.series[0], "marker": "o", "capsize": 4}
        axes.errorbar(places, middle, errors, ls="-" if _are_numbers(values) else "", **line)  # type: ignore[arg-type]
        labels = [_shorten(value) if value in estimates else f"{value}\nnone" for value in values]
        axes.set_xticks(range(len(values)), labels)
        _rotate_long_labels(axes, values)
        axes.set(xlabel=key, ylabel=f"final {RETURN}", xlim=(-0.5, len(values) - 0.5))

    has_intervals = any(estimate.has_interval for estimate in estimates.values())
    intervals = ", with 95 % intervals by stratified bootstrap" if has_intervals else ""
    dots = " Each dot is the IQM of one setting." if has_others else ""
    return Plot(
        f"sensitivity_{_file_name(name)}",
        f"Sensitivity to {name}",
        "IQM of the final returns of all runs with this value, over the other keys"
        f"{intervals}.{dots}",
        draw,
        (5.6, 3.8),
    )


def _scatter(settings: Sequence[Setting], key: str, name: str) -> Plot:
    places = np.array([float(setting.values[key]) for setting in settings])
    levels = [float(setting.iqm.value) for setting in settings]

    def draw(axes: Axes, theme: Theme) -> None:
        axes.scatter(places, levels, s=18, color=theme.series[0], alpha=0.8)
        if places.min() > 0 and places.max() > 100 * places.min():
            axes.set_xscale("log")
        axes.set(xlabel=key, ylabel=f"final {RETURN}")

    return Plot(
        f"sensitivity_{_file_name(name)}",
        f"Sensitivity to {name}",
        "Each dot is the IQM of the final returns of one setting.",
        draw,
        (5.6, 3.8),
    )


def _heat_map(settings: Sequence[Setting], pair: tuple[str, str], names: Mapping[str, str]) -> Plot:
    groups = _grouped(settings, pair)
    rows, columns = (sort_values(group[axis] for group in groups) for axis in (0, 1))

    def draw(axes: Axes, theme: Theme) -> None:
        table = np.full((len(rows), len(columns)), np.nan)
        for (row, column), group in groups.items():
            scores = np.concatenate([setting.scores for setting in group])
            table[rows.index(row), columns.index(column)] = statistics.iqm(scores)
        image = axes.imshow(table, cmap=theme.map_name, aspect="auto")
        axes.grid(visible=False)
        axes.set_xticks(range(len(columns)), [_shorten(value) for value in columns])
        axes.set_yticks(range(len(rows)), [_shorten(value) for value in rows])
        _rotate_long_labels(axes, columns)
        axes.set(xlabel=pair[1], ylabel=pair[0])
        for (row, column), value in np.ndenumerate(table):
            if table.size <= 150 and np.isfinite(value):
                is_dark = float(image.norm(value)) > 0.55  # type: ignore[arg-type]
                color = "#ffffff" if is_dark else "#1f2933"
                axes.text(column, row, f"{value:.4g}", ha="center", va="center", color=color)
        axes.figure.colorbar(image, label=f"final {RETURN}")

    first, second = (names[key] for key in pair)
    return Plot(
        f"heat_map_{_file_name(first)}_{_file_name(second)}",
        f"{first} and {second}",
        "IQM of the final returns of all runs with these values, over the other keys.",
        draw,
        (5.6, max(3.0, min(0.45 * len(rows) + 1.6, 9.0))),
    )


def _profiles(settings: Sequence[Setting]) -> Plot:
    named = [setting for setting in settings[:NUM_NAMED] if len(setting.scores)]

    def draw(axes: Axes, theme: Theme) -> None:
        for setting, color, dashes in zip(named, theme.series, DASHES, strict=False):
            points, heights = profile(setting.scores)
            label = _shorten(setting.label, 44)
            axes.step(points, heights, where="post", color=color, ls=dashes, label=label)
        axes.set(xlabel=f"final {RETURN}", ylabel="share of runs above", ylim=(-0.02, 1.02))
        _add_legend(axes)

    return Plot(
        "profiles",
        "Performance profiles",
        "Share of the runs whose final return exceeds a value, for the best settings. A setting "
        "whose curve is above another everywhere is better in every respect.",
        draw,
        (5.6, 3.8),
    )


def profile(scores: Float64Array) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Returns the points where the share of scores `[n]` above changes, and these shares."""
    shares = stats.ecdf(scores).sf
    points = np.concatenate([[scores.min()], shares.quantiles])
    return points, np.concatenate([[1.0], shares.probabilities])


def _with_value(settings: Sequence[Setting], key: str, value: str) -> list[Setting]:
    return [setting for setting in settings if setting.values[key] == value]


def _are_numbers(values: Sequence[str]) -> bool:
    try:
        return all(np.isfinite(float(value)) for value in values)
    except ValueError:
        return False


def _grouped(
    settings: Sequence[Setting], keys: Sequence[str]
) -> dict[tuple[str, ...], list[Setting]]:
    """Groups the settings with scores by the values of keys."""
    groups: dict[tuple[str, ...], list[Setting]] = {}
    for setting in settings:
        if len(setting.scores):
            groups.setdefault(tuple(setting.values[key] for key in keys), []).append(setting)
    return groups


def marginal(settings: Sequence[Setting]) -> statistics.Estimate:
    """Returns the IQM of all runs of settings, with seeds resampled within each."""
    return statistics.estimate_iqm([setting.scores for setting in settings])


def _add_legend(axes: Axes) -> None:
    if len(axes.get_legend_handles_labels()[0]) > 0:
        axes.legend(loc="best", fontsize=8)


def _rotate_long_labels(axes: Axes, labels: Sequence[str]) -> None:
    if sum(len(_shorten(label)) for label in labels) > 48:
        axes.tick_params(axis="x", labelrotation=30)


def _shorten(text: str, most: int = 20) -> str:
    """Shortens a text to its end, which distinguishes long labels."""
    shown = text if len(text) <= most else f"...{text[3 - most :]}"
    return (
        f" {shown}" if shown.startswith("_") else shown
    )  # Legends omit labels with an underscore in front.


def _file_name(name: str) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in name)
