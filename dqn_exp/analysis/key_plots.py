"""Plots of the return over the values of one key, or of two."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from dqn_exp.analysis import statistics
from dqn_exp.analysis.aggregates import Setting
from dqn_exp.analysis.comparable import Group
from dqn_exp.analysis.plot_style import Plot, Theme, shorten_label
from dqn_exp.analysis.statistics import Estimate
from dqn_exp.analysis.swept_keys import are_numbers, is_logarithmic, shorten_keys, sort_values

MAX_GRID_VALUES = 20
"""Values of a key up to which it is drawn as a grid; with more, it is drawn as a search."""

MAX_GRID_SHARE = 2 / 3
"""Most values per setting of a grid of several keys; a search has a new value in each setting."""

RETURN = "return of the greedy policy"

Marginals = Mapping[str, Mapping[str, Estimate]]
"""IQM of all runs with a value, by key and value, in the order of the values."""


def make_marginals(group: Group) -> Marginals:
    """Returns the marginals of the keys of a group."""
    return {
        key: {
            value: marginal(_with_value(group.scored, key, value))
            for value in sort_values(setting.values[key] for setting in group.scored)
        }
        for key in group.keys
        if is_grid(group, key) or not are_numbers(setting.values[key] for setting in group.scored)
    }


def marginal(settings: Sequence[Setting]) -> Estimate:
    """Returns the IQM of all runs of settings, with seeds resampled within each."""
    return statistics.estimate_iqm([setting.scores for setting in settings])


def is_grid(group: Group, key: str) -> bool:
    """Returns whether a key has few enough values to draw each one."""
    count = len({setting.values[key] for setting in group.settings})
    share = count / len(group.settings)
    return count <= MAX_GRID_VALUES and (share <= MAX_GRID_SHARE or len(group.keys) == 1)


def sensitivity(group: Group, key: str, estimates: Mapping[str, Estimate]) -> Plot:
    """Returns the plot of the return over the values of a key, with intervals."""
    name = shorten_keys(group.keys)[key]
    values = sort_values(setting.values[key] for setting in group.settings)
    groups = {value: _with_value(group.scored, key, value) for value in estimates}
    has_others = len(group.keys) > 1

    def draw(axes: Axes, theme: Theme) -> None:
        places = [place for place, value in enumerate(values) if value in estimates]
        for place in places if has_others else ():
            single = [float(setting.iqm.value) for setting in groups[values[place]]]
            spread = np.linspace(-0.12, 0.12, len(single)) if len(single) > 1 else [0.0]
            axes.scatter(place + np.asarray(spread), single, s=8, color=theme.muted, alpha=0.7)
        middle, low, high = np.array([estimates[values[place]] for place in places], dtype=float).T
        errors = np.nan_to_num([middle - low, high - middle]).clip(min=0)
        line = {"color": theme.series[0], "marker": "o", "capsize": 3, "lw": 1.2}
        axes.errorbar(places, middle, errors, ls="-" if are_numbers(values) else "", **line)  # type: ignore[arg-type]
        labels = [_tick(value) if value in estimates else f"{value}\nnone" for value in values]
        axes.set_xticks(range(len(values)), labels)
        _rotate_long_labels(axes, labels)
        axes.set(xlabel=key, ylabel=f"final {RETURN}", xlim=(-0.5, len(values) - 0.5))

    has_intervals = any(estimate.has_interval for estimate in estimates.values())
    intervals = ", with 95% intervals by stratified bootstrap" if has_intervals else ""
    dots = " Each dot is the IQM of one setting." if has_others else ""
    return Plot(
        f"sensitivity_{_file_name(name)}",
        f"Sensitivity to {name}",
        "IQM of the final returns of all runs with this value, over the other keys"
        f"{intervals}.{dots}",
        draw,
        note="bars: 95% bootstrap intervals" if has_intervals else "",
        kind="sensitivity",
        key=key,
    )


def scatter(group: Group, key: str, log_keys: frozenset[str]) -> Plot:
    """Returns the plot of the return over the many values of a key."""
    name, settings = shorten_keys(group.keys)[key], group.scored
    places = np.array([float(setting.values[key]) for setting in settings])
    levels = [float(setting.iqm.value) for setting in settings]
    is_log = is_logarithmic(key, [setting.values[key] for setting in settings], log_keys)

    def draw(axes: Axes, theme: Theme) -> None:
        axes.scatter(places, levels, s=12, color=theme.series[0], alpha=0.8, lw=0)
        if is_log:
            axes.set_xscale("log")
        axes.set(xlabel=key, ylabel=f"final {RETURN}")

    return Plot(
        f"sensitivity_{_file_name(name)}",
        f"Sensitivity to {name}",
        "Each dot is the IQM of the final returns of one setting.",
        draw,
        note="each dot: IQM of a setting",
        kind="sensitivity",
        key=key,
    )


def heat_map(group: Group, pair: tuple[str, str]) -> Plot:
    """Returns the plot of the return over the values of two keys."""
    groups = _grouped(group.scored, pair)
    rows, columns = (sort_values(values[axis] for values in groups) for axis in (0, 1))

    def draw(axes: Axes, theme: Theme) -> None:
        table = np.full((len(rows), len(columns)), np.nan)
        for (row, column), settings in groups.items():
            scores = np.concatenate([setting.scores for setting in settings])
            table[rows.index(row), columns.index(column)] = statistics.iqm(scores)
        low, high = color_range(table, group.scored)
        image = axes.imshow(table, cmap=theme.map_name, aspect="auto", vmin=low, vmax=high)
        axes.grid(visible=False)
        axes.set_xticks(range(len(columns)), [_tick(value) for value in columns])
        axes.set_yticks(range(len(rows)), [_tick(value) for value in rows])
        _rotate_long_labels(axes, columns)
        axes.set(xlabel=pair[1], ylabel=pair[0])
        for (row, column), value in np.ndenumerate(table):
            if table.size <= 100 and np.isfinite(value):
                is_dark = float(image.norm(value)) > 0.55  # type: ignore[arg-type]
                color = "#ffffff" if is_dark else "#1f2933"
                text: dict[str, Any] = {"ha": "center", "va": "center", "fontsize": 8}
                axes.text(column, row, f"{value:.3g}", color=color, **text)
        axes.figure.colorbar(image, label=f"final {RETURN}")

    names = shorten_keys(group.keys)
    first, second = (names[key] for key in pair)
    return Plot(
        f"heat_map_{_file_name(first)}_{_file_name(second)}",
        f"{first} and {second}",
        "IQM of the final returns of all runs with these values, over the other keys. The colors "
        "span at least the width of a typical interval.",
        draw,
        (max(3.5, min(0.5 * len(columns) + 1.3, 7.2)), max(2.6, min(0.35 * len(rows) + 1.4, 9.0))),
    )


def color_range(table: Any, settings: Sequence[Setting]) -> tuple[float, float]:
    """Returns the ends of the colors of values, such that noise is not stretched over all of them.

    Args:
        table: values; NaN where there are none.
        settings: whose median interval is the least width.
    """
    low, high = float(np.nanmin(table)), float(np.nanmax(table))
    widths = [float(one.iqm.high - one.iqm.low) for one in settings if one.iqm.has_interval]
    lacking = max(0.0, (float(np.median(widths)) if widths else 0.0) - (high - low))
    return low - lacking / 2, high + lacking / 2


def _with_value(settings: Sequence[Setting], key: str, value: str) -> list[Setting]:
    return [setting for setting in settings if setting.values[key] == value]


def _grouped(
    settings: Sequence[Setting], keys: Sequence[str]
) -> dict[tuple[str, ...], list[Setting]]:
    groups: dict[tuple[str, ...], list[Setting]] = {}
    for setting in settings:
        groups.setdefault(tuple(setting.values[key] for key in keys), []).append(setting)
    return groups


def _rotate_long_labels(axes: Axes, labels: Sequence[str]) -> None:
    if sum(len(shorten_label(label)) for label in labels) > 32:
        axes.tick_params(axis="x", labelrotation=40)


def _tick(value: str) -> str:
    return shorten_label(f"{float(value):.4g}" if are_numbers([value]) else value)


def _file_name(name: str) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in name)
