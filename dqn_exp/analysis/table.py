"""The table of settings: as CSV, in Markdown, and as cells of a page."""

import csv
import io
import math
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from dqn_exp.analysis.aggregates import Setting
from dqn_exp.analysis.swept_keys import shorten_keys

UNKNOWN = "-"


class Column(NamedTuple):
    """A column of the table that is read.

    meaning: in a sentence.
    value: by which it is sorted; nan where it is not known.
    text: that is shown.
    """

    name: str
    meaning: str
    value: Callable[[Setting], float]
    text: Callable[[Setting], str]
    is_text: bool = False


class Cell(NamedTuple):
    """A cell of a page; `value` is that by which it is sorted, empty where there is none."""

    text: str
    value: str
    is_text: bool


FIGURES: dict[str, Callable[[Setting], float]] = {
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
    "num_missing": lambda one: one.num_missing,
    "probability_of_being_best": lambda one: one.is_best,
}
"""The figures of a setting by their names in `settings.csv`."""


def to_csv(settings: Sequence[Setting], keys: Sequence[str]) -> str:
    """Returns all figures, unrounded; what is not known is empty, and what never happens inf."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*keys, *FIGURES])
    for setting in settings:
        figures = [figure(setting) for figure in FIGURES.values()]
        known = ["" if math.isnan(value) else repr(value) for value in figures]
        writer.writerow([*(setting.values[key] for key in keys), *known])
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


def make_columns(
    settings: Sequence[Setting], keys: Sequence[str], threshold: float | None
) -> list[Column]:
    """Returns the columns of the table that is read: those that say something of these settings."""
    return [
        _rank_column(settings),
        *(_key_column(key, shorten_keys(keys)[key]) for key in keys),
        _count_column("n", "Runs that have completed, each with a seed.", "n"),
        *_return_columns(settings),
        *([] if threshold is None else [_threshold_column(threshold)]),
        *_standing_columns(settings),
    ]


def _return_columns(settings: Sequence[Setting]) -> Iterator[Column]:
    yield _column("IQM", "Mean of the middle half of the final returns.", "iqm")
    if any(setting.iqm.has_interval for setting in settings):
        yield Column(
            "95 % interval",
            "Of the IQM, by a bootstrap over the seeds.",
            FIGURES["iqm_low"],
            lambda one: _interval(float(one.iqm.low), float(one.iqm.high)),
        )
    yield _column("mean", "Of the final returns.", "mean")
    yield _column("median", "Of the final returns.", "median")
    yield _column("min", "The worst run.", "min")
    yield _column("area", "Mean height of the learning curve.", "area")


def _threshold_column(threshold: float) -> Column:
    return Column(
        f"steps to {threshold:g}",
        f"Median of the first step whose evaluation reaches {threshold:g}; in brackets, how many "
        "runs reach it.",
        FIGURES["steps_to_threshold"],
        lambda one: f"{to_text(one.steps_to_threshold)} ({one.num_reached}/{len(one.scores)})",
    )


def _standing_columns(settings: Sequence[Setting]) -> Iterator[Column]:
    """Yields how far runs have come, and how sure the order is."""
    if len({setting.steps for setting in settings if len(setting.scores)}) > 1:
        yield Column(
            "steps",
            "Median of the steps of the runs.",
            lambda one: one.steps,
            lambda one: to_text(one.steps),
        )
    yield _count_column("failed", "Runs that have failed or diverged.", "num_failed")
    if any(setting.num_missing for setting in settings):
        yield _count_column("missing", "Runs that have not ended.", "num_missing")
    if any(not math.isnan(setting.is_best) for setting in settings):
        yield Column(
            "best?",
            "How often it has the greatest IQM when the seeds of all settings are resampled.",
            FIGURES["probability_of_being_best"],
            lambda one: UNKNOWN if math.isnan(one.is_best) else f"{100 * one.is_best:.0f} %",
        )


def to_text(value: float) -> str:
    """Returns a number as it is read."""
    if math.isnan(value):
        return UNKNOWN
    if math.isinf(value):
        return "not in half"
    return f"{value:,.0f}" if abs(value) >= 1_000 else f"{value:.4g}"


def _interval(low: float, high: float) -> str:
    return UNKNOWN if math.isnan(low) else f"{to_text(low)} to {to_text(high)}"


def _rank_column(settings: Sequence[Setting]) -> Column:
    ranks = {id(setting): rank for rank, setting in enumerate(settings, 1)}
    return Column(
        "rank",
        "By the IQM.",
        lambda one: ranks[id(one)],
        lambda one: str(ranks[id(one)]),
    )


def _key_column(key: str, name: str) -> Column:
    return Column(name, key, lambda one: math.nan, lambda one: one.values[key], is_text=True)


def _column(name: str, meaning: str, figure: str) -> Column:
    value = FIGURES[figure]
    return Column(name, meaning, value, lambda one: to_text(value(one)))


def _count_column(name: str, meaning: str, figure: str) -> Column:
    value = FIGURES[figure]
    return Column(name, meaning, value, lambda one: str(value(one)))


def _to_cell(setting: Setting, column: Column) -> Cell:
    text = column.text(setting)
    if column.is_text:
        return Cell(text, text, is_text=True)
    value = column.value(setting)
    shown = "" if math.isnan(value) else "Infinity" if math.isinf(value) else repr(value)
    return Cell(text, shown, is_text=False)
