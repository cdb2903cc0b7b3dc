"""Data of the interactive charts of a report, as they are embedded in its page."""

import itertools
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from dqn_exp.analysis.aggregates import Curve, Setting
from dqn_exp.analysis.comparable import Group
from dqn_exp.analysis.importance import Importance
from dqn_exp.analysis.key_plots import Marginals
from dqn_exp.analysis.ranking import ranks_of
from dqn_exp.analysis.run_reader import RunFiles, read_episode_returns
from dqn_exp.analysis.swept_keys import (
    SOURCE,
    are_numbers,
    is_logarithmic,
    shorten_keys,
    sort_values,
)
from dqn_exp.core.arrays import Float64Array, evenly_spaced

NUM_TRAINING_POINTS = 60
MAX_POINTS = 30_000
"""Points of all curves of one kind, so that a page of a thousand runs stays small."""

FILMS = (".mp4", ".gif", ".webm")

Link = Callable[[Path], str]


class PageContext(NamedTuple):
    """What the charts of all groups of a page share.

    Attributes:
        log_keys: keys that were searched on a logarithmic scale.
        num_groups: of the page, which share its size.
        link: returns the address of a path.
        command: returns the command that repeats a setting.
    """

    log_keys: frozenset[str]
    num_groups: int
    link: Link
    command: Callable[[Setting], str]


def make_chart_data(
    group: Group,
    curves: Sequence[Curve],
    marginals: Marginals,
    importances: Sequence[Importance],
    page: PageContext,
) -> dict[str, Any]:
    """Returns what the charts of a group show, in plain containers.

    Args:
        group: the settings.
        curves: of the settings with scores, in their order.
        marginals: estimates by key and value.
        importances: of the keys.
        page: that the charts are on.
    """
    ranking, ranks = group.ranking, ranks_of(group.settings, group.ranking)
    by_setting = dict(zip((id(one) for one in group.scored), curves, strict=True))
    most = MAX_POINTS // page.num_groups
    points = max(12, most // max(1, len(group.settings)))
    run_points = max(12, most // max(1, len(group.runs)))
    places = {id(one): place for place, one in enumerate(in_order_of_runs(group))}
    return {
        "keys": [
            _key(group, key, page.log_keys, marginals) for key in group.keys if key != SOURCE
        ],
        "ranking": {
            "phrase": ranking.phrase,
            "statistic": ranking.statistic,
            "isOfFinalReturns": ranking.is_of_final_returns,
        },
        "threshold": None if group.threshold is None else _number(float(group.threshold)),
        "importances": [
            {"key": one.key, "values": rounded([one.value, one.low, one.high])}
            for one in importances
        ],
        "settings": [
            {
                "label": setting.label,
                "values": [setting.values[key] for key in group.keys if key != SOURCE],
                "rank": rank if len(setting.scores) else None,
                "estimate": rounded([*ranking.estimate(setting)]) if len(setting.scores) else [],
                "dots": rounded(ranking.values(setting)),
                "last": _number(setting.last_return),
                "order": places[id(setting)],
                "trial": _trial(setting),
                "isPruned": setting.num_pruned > 0,
                "curve": _curve(by_setting.get(id(setting)), points),
                "training": _training(setting, min(points, NUM_TRAINING_POINTS)),
                "runs": [_run(run, page.link, min(run_points, NUM_TRAINING_POINTS))
                         for run in setting.runs],
                "command": page.command(setting),
            }
            for setting, rank in zip(group.settings, ranks, strict=True)
        ],
    }  # fmt: skip


def in_order_of_runs(group: Group) -> list[Setting]:
    """Returns the settings in the order in which their runs were made."""
    return sorted(group.settings, key=lambda one: natural_order(min(one.runs, key=_name).name))


def _trial(setting: Setting) -> int:
    """Returns the number of the trial of a setting, if it is of a search."""
    return min(map(_name, setting.runs))[0] // len(setting.runs)


def natural_order(name: str) -> tuple[int, str]:
    """Returns a key that sorts names of job directories by their numbers."""
    number = "".join(itertools.takewhile(str.isdigit, name.rsplit("/", 1)[-1]))
    return (int(number) if number else 0, name)


def _name(run: RunFiles) -> tuple[int, str]:
    return natural_order(run.name)


def _key(group: Group, key: str, log_keys: frozenset[str], marginals: Marginals) -> dict[str, Any]:
    values = sort_values(setting.values[key] for setting in group.settings)
    is_numeric = are_numbers(values)
    return {
        "key": key,
        "name": shorten_keys(group.keys)[key],
        "values": values,
        "isNumeric": is_numeric,
        "isLog": is_numeric and is_logarithmic(key, values, log_keys),
        "marginals": [[value, *rounded([*one])] for value, one in marginals.get(key, {}).items()],
    }


def _curve(curve: Curve | None, most: int) -> list[list[float | None]]:
    if curve is None:
        return []
    rows = evenly_spaced(len(curve.steps), most)
    return [rounded(values[rows]) for values in (curve.steps, *curve.returns)]


def _training(setting: Setting, most: int) -> list[list[float | None]]:
    """Returns steps and mean training returns of the runs of a setting, in intervals of steps."""
    episodes = [read_episode_returns(run.directory) for run in setting.runs]
    rows = np.concatenate(episodes) if episodes else np.empty((0, 2))
    return _binned(rows, most)


def _binned(rows: Float64Array, most: int) -> list[list[float | None]]:
    if not len(rows):
        return []
    edges = np.linspace(0, rows[:, 0].max(), most + 1)
    bins = np.clip(np.searchsorted(edges, rows[:, 0]) - 1, 0, most - 1)
    counts = np.bincount(bins, minlength=most)
    sums = np.bincount(bins, weights=rows[:, 1], minlength=most)
    known = counts > 0
    return [rounded(edges[1:][known]), rounded(sums[known] / counts[known])]


def _run(run: RunFiles, link: Link, most: int) -> dict[str, Any]:
    rows = evenly_spaced(len(run.evaluations), most)
    films = sorted(path for path in run.directory.glob("*") if path.suffix in FILMS)
    return {
        "seed": run.seed,
        "status": run.status,
        "score": None if run.score is None else _number(run.score),
        "curve": [rounded(values) for values in run.evaluations[rows].T],
        "directory": link(run.directory),
        "log": link(run.directory / "train.log") if (run.directory / "train.log").exists() else "",
        "films": [link(film) for film in films],
    }


def rounded(values: Any) -> list[float | None]:
    """Returns numbers with five digits, None where they are not finite."""
    return [_number(value) for value in np.asarray(values, dtype=np.float64).tolist()]


def _number(value: float) -> float | None:
    if not math.isfinite(value):
        return None
    if value.is_integer():
        return int(value)
    return float(f"{value:.5g}")
