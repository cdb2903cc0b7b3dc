"""The table of settings as CSV, Markdown and HTML cells."""

import csv
import io
import math
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from dqn_exp.analysis.aggregates import Setting
from dqn_exp.analysis.comparable import Group
from dqn_exp.analysis.ranking import Ranking, ranks_of
from dqn_exp.analysis.swept_keys import shorten_keys
from dqn_exp.files.job_names import shorten_number

UNKNOWN = "-"


class Column(NamedTuple):
    """A column of the displayed table.

    Attributes:
        name: of the column.
        meaning: in a sentence.
        value: sort key of a setting; NaN if unknown.
        text: displayed text of a setting.
        is_text: whether it is sorted as text.
        is_short: whether it is in the short table of the best settings as well.
    """

    name: str
    meaning: str
    value: Callable[[Setting], float]
    text: Callable[[Setting], str]
    is_text: bool = False
    is_short: bool = False


class Cell(NamedTuple):
    """A cell of a page; `value` is its sort key, empty if unknown."""

    text: str
    value: str
    is_text: bool


MEASURES: dict[str, Callable[[Setting], float]] = {
    "n": lambda one: len(one.scores),
    "iqm": lambda one: float(one.iqm.value),
    "iqm_low": lambda one: float(one.iqm.low),
    "iqm_high": lambda one: float(one.iqm.high),
    "mean": lambda one: one.mean,
    "median": lambda one: one.median,
    "min": lambda one: one.minimum,
    "area": lambda one: one.area,
    "steps_to_threshold": lambda one: one.steps_to_threshold,
    "num_reached": lambda one: one.num_reached,
    "num_failed": lambda one: one.num_failed,
    "num_pruned": lambda one: one.num_pruned,
    "num_missing": lambda one: one.num_missing,
    "probability_of_being_best": lambda one: one.probability_best,
}
"""Measures of a setting by their names in `settings.csv`."""


SHORT = ("n", "iqm", "min")
"""Measures in the short table."""


def to_csv(groups: Sequence[Group]) -> str:
    """Returns all measures, unrounded; unknown ones are empty, unreached thresholds inf.

    Several groups have a column that names them, in front.
    """
    keys = list(dict.fromkeys(key for group in groups for key in group.keys))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*(["group"] if len(groups) > 1 else []), *keys, "rank", *MEASURES])
    for group in groups:
        ranks = ranks_of(group.settings, group.ranking)
        for setting, rank in zip(group.settings, ranks, strict=True):
            numbers = [measure(setting) for measure in MEASURES.values()]
            known = ["" if math.isnan(value) else repr(value) for value in numbers]
            values = [setting.values.get(key, "") for key in keys]
            place = str(rank) if len(setting.scores) else ""
            writer.writerow([*([group.label] if len(groups) > 1 else []), *values, place, *known])
    return text.getvalue()


def to_markdown(settings: Sequence[Setting], columns: Sequence[Column]) -> str:
    """Returns the table in Markdown."""
    rows = [
        [column.text(setting).replace("|", "\\|") for column in columns] for setting in settings
    ]
    lines = [[column.name for column in columns], ["---"] * len(columns), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def to_cells(settings: Sequence[Setting], columns: Sequence[Column]) -> list[list[Cell]]:
    """Returns the rows of the table of a page."""
    return [[_to_cell(setting, column) for column in columns] for setting in settings]


def make_columns(group: Group) -> list[Column]:
    """Returns the columns that are informative for the settings of a group."""
    settings, keys, threshold = group.settings, group.keys, group.threshold
    return [
        _rank_column(settings, group.ranking),
        *(_key_column(key, shorten_keys(keys)[key]) for key in keys),
        _count_column("n", "Completed runs, one per seed.", "n"),
        *_return_columns(settings),
        *([] if threshold is None else [_threshold_column(threshold)]),
        *_status_columns(settings),
    ]


def _return_columns(settings: Sequence[Setting]) -> Iterator[Column]:
    yield _column("IQM", "Interquartile mean of the final returns.", "iqm")
    if any(setting.iqm.has_interval for setting in settings):
        yield Column(
            "95% interval",
            "Of the IQM, by bootstrap over the seeds.",
            MEASURES["iqm_low"],
            lambda one: _interval(float(one.iqm.low), float(one.iqm.high)),
            is_short=True,
        )
    yield _column("mean", "Mean of the final returns.", "mean")
    yield _column("median", "Median of the final returns.", "median")
    yield _column("min", "Lowest final return.", "min")
    yield _column("area", "Mean height of the learning curve.", "area")


def _threshold_column(threshold: float) -> Column:
    return Column(
        f"steps to {threshold:g}",
        f"Median of the first step whose evaluation reaches {threshold:g}; in brackets, the runs "
        "that reach it.",
        MEASURES["steps_to_threshold"],
        lambda one: f"{to_text(one.steps_to_threshold)} ({one.num_reached}/{len(one.scores)})",
    )


def _status_columns(settings: Sequence[Setting]) -> Iterator[Column]:
    """Yields columns of the progress of runs and the certainty of the ranking."""
    if len({setting.steps for setting in settings if len(setting.scores)}) > 1:
        yield Column(
            "steps",
            "Median of the steps of the runs.",
            lambda one: one.steps,
            lambda one: to_text(one.steps),
        )
    yield _count_column("failed", "Runs that failed or diverged.", "num_failed")
    if any(setting.num_pruned for setting in settings):
        yield _count_column("pruned", "Runs of a trial that the search ended early.", "num_pruned")
    if any(setting.num_missing for setting in settings):
        yield _count_column("missing", "Runs that have not ended.", "num_missing")
    if any(not math.isnan(setting.probability_best) for setting in settings):
        yield Column(
            "P(best)",
            "How often its IQM is the largest when the seeds of all settings are resampled.",
            MEASURES["probability_of_being_best"],
            lambda one: (
                UNKNOWN
                if math.isnan(one.probability_best)
                else f"{100 * one.probability_best:.0f}%"
            ),
        )


def to_text(value: float) -> str:
    """Returns a number as it is displayed."""
    if math.isnan(value):
        return UNKNOWN
    if math.isinf(value):
        return "not reached by half"
    return f"{value:,.0f}" if abs(value) >= 1_000 else f"{value:.4g}"


def _interval(low: float, high: float) -> str:
    return UNKNOWN if math.isnan(low) else f"{to_text(low)} to {to_text(high)}"


def _rank_column(settings: Sequence[Setting], ranking: Ranking) -> Column:
    places = zip(settings, ranks_of(settings, ranking), strict=True)
    ranks = {id(one): rank if len(one.scores) else math.nan for one, rank in places}
    return Column(
        "rank",
        f"By the {ranking.phrase}; settings that are equal in everything share a rank.",
        lambda one: ranks[id(one)],
        lambda one: to_text(ranks[id(one)]),
        is_short=True,
    )


def _key_column(key: str, name: str) -> Column:
    return Column(
        name,
        key,
        lambda one: math.nan,
        lambda one: shorten_number(one.values[key]),
        is_text=True,
        is_short=True,
    )


def _column(name: str, meaning: str, measure: str) -> Column:
    value, is_short = MEASURES[measure], measure in SHORT
    return Column(name, meaning, value, lambda one: to_text(value(one)), is_short=is_short)


def _count_column(name: str, meaning: str, measure: str) -> Column:
    value, is_short = MEASURES[measure], measure in SHORT
    return Column(name, meaning, value, lambda one: str(value(one)), is_short=is_short)


def _to_cell(setting: Setting, column: Column) -> Cell:
    text = column.text(setting)
    if column.is_text:
        return Cell(text, setting.values[column.meaning], is_text=True)
    value = column.value(setting)
    shown = "" if math.isnan(value) else "Infinity" if math.isinf(value) else repr(value)
    return Cell(text, shown, is_text=False)
