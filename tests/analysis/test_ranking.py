"""Ranks of settings."""

import itertools

import numpy as np

from dqn_exp.analysis.ranking import RANKINGS, num_saturated, rank, ranks_of
from tests.sweep_files import read_settings, write_sweep

LEVELS = (
    [9.0, 9.0, 9.0, 9.0],
    [1.0, 9.0, 9.0, 9.0],
    [1.0, 9.0, 9.0, 9.0],
    [2.0, 2.0, 2.0, 2.0],
    [3.0, 1.0, 2.0, 2.0],
)


def test_ties_are_broken_by_the_worst_run_then_the_area_and_equals_share_a_rank(tmp_path):
    areas = (0.0, 5.0, 5.0, 0.0, 9.0)
    swept = {"agent.n_step": range(1, 6), "seed": range(4)}
    write_sweep(
        tmp_path / "s",
        swept,
        lambda v: {
            100: areas[v["agent.n_step"] - 1],
            200: LEVELS[v["agent.n_step"] - 1][v["seed"]],
        },
    )
    _, settings = read_settings(tmp_path / "s")
    assert [one.values["agent.n_step"] for one in settings] == ["1", "2", "3", "4", "5"]
    assert ranks_of(settings) == [1, 2, 2, 4, 5]
    assert num_saturated(settings) == 3
    for name, ranking in RANKINGS.items():
        ordered = rank(settings, ranking)
        keys = [naive_key(name, one) for one in ordered]
        assert keys == sorted(keys, reverse=True)
        expected = [1 + sum(other > key for other in keys) for key in keys]
        assert ranks_of(ordered, ranking) == expected


def naive_key(name, setting):
    scores = sorted(run.evaluations[-1, 1] for run in setting.runs)
    iqm = float(np.mean(scores[1:-1]))
    heights = sorted(float(run.evaluations[:, 1].mean()) for run in setting.runs)
    area = float(np.mean(heights[1:-1]))
    measures = {"iqm": iqm, "min": scores[0], "area": area, "steps": -np.inf}
    orders = {"iqm": ("iqm", "min", "area"), "area": ("area", "iqm", "min")}
    orders |= {"steps": ("steps", "iqm", "min"), "min": ("min", "iqm", "area")}
    return tuple(measures[one] for one in orders[name])


def test_of_settings_that_tie_the_one_with_fewer_failures_is_better(tmp_path):
    write_sweep(
        tmp_path / "s",
        {"agent.gamma": [0.99, 0.9], "seed": range(5)},
        lambda v: {100: 200.0},
        lambda v: "diverged" if v["agent.gamma"] == 0.99 and v["seed"] > 1 else "completed",
    )
    _, settings = read_settings(tmp_path / "s")
    assert [one.values["agent.gamma"] for one in settings] == ["0.9", "0.99"]
    assert ranks_of(settings) == [1, 2]


def test_settings_without_scores_come_last_the_nearest_first(tmp_path):
    statuses = dict(enumerate(("pruned", "completed", "pruned", "pending"), 1))
    returns = {1: 3.0, 2: 1.0, 3: 7.0}
    write_sweep(
        tmp_path / "s",
        {"agent.n_step": [1, 2, 3, 4], "seed": [0, 1]},
        lambda v: {100: returns[v["agent.n_step"]]} if v["agent.n_step"] < 4 else None,
        lambda v: statuses[v["agent.n_step"]],
    )
    _, settings = read_settings(tmp_path / "s")
    assert [one.values["agent.n_step"] for one in settings] == ["2", "3", "1", "4"]
    lasts = [one.last_return for one in settings]
    assert lasts[:3] == [1, 7, 3] and np.isnan(lasts[3])
    assert all(a.scores is not b.scores for a, b in itertools.pairwise(settings))
