import numpy as np
import pytest

from dqn_exp.analysis.aggregates import make_curve, make_settings
from dqn_exp.analysis.run_reader import read_sources
from tests.sweep_files import (
    SWEPT,
    lines_of,
    read_settings,
    report_of,
    returns_of,
    rows_of,
    write_sweep,
)

pytestmark = pytest.mark.usefixtures("without_plots")


def test_runs_that_differ_in_their_seeds_alone_are_a_setting(tmp_path):
    write_sweep(tmp_path / "s", SWEPT, returns_of)
    keys, settings = read_settings(tmp_path / "s")
    assert keys == ["agent.gamma", "agent.epsilon"] and len(settings) == 6
    for setting in settings:
        gamma, epsilon = (float(setting.values[key]) for key in keys)
        expected = [
            returns_of({"agent.gamma": gamma, "agent.epsilon": epsilon, "seed": seed})[300]
            for seed in range(5)
        ]
        assert setting.scores.tolist() == pytest.approx(expected)
        assert setting.label == f"gamma={gamma}, epsilon={epsilon}"
        assert (setting.mean, setting.minimum) == pytest.approx((np.mean(expected), min(expected)))
        assert setting.median == pytest.approx(np.median(expected))
        middle = sorted(expected)[1:4]
        assert setting.iqm.value == pytest.approx(np.mean(middle))
        assert setting.iqm.low < setting.iqm.value < setting.iqm.high
    levels = [float(setting.iqm.value) for setting in settings]
    assert levels == sorted(levels, reverse=True)
    assert sum(setting.probability_best for setting in settings) == pytest.approx(1)


def test_areas_and_steps_to_a_threshold(tmp_path):
    curves = {0: {100: 0.0, 200: 50.0, 400: 90.0}, 1: {100: 80.0, 200: 20.0, 400: 60.0}}
    curves |= {2: {100: 0.0, 200: 0.0, 400: 40.0}, 3: {400: 70.0}}
    write_sweep(tmp_path / "s", {"seed": [0, 1, 2, 3]}, lambda values: curves[values["seed"]])
    keys, (setting,) = read_settings(tmp_path / "s", threshold=50.0)
    assert keys == [] and setting.label == "all runs"
    # Trapezoids over the length, by hand; a run with one evaluation has its height.
    areas = sorted([(25 * 100 + 70 * 200) / 300, (50 * 100 + 40 * 200) / 300, 20 * 200 / 300, 70.0])
    assert setting.area == pytest.approx(np.mean(areas[1:3]))
    # Reached at 200, 100, never and 400.
    assert (setting.steps_to_threshold, setting.num_reached) == (300, 3)
    _, (setting,) = read_settings(tmp_path / "s", threshold=85.0)
    assert (setting.steps_to_threshold, setting.num_reached) == (np.inf, 1)
    runs = read_sources([tmp_path / "s"])[0].runs
    (setting,) = make_settings(runs, [], None)
    assert np.isnan(setting.steps_to_threshold) and np.isnan(setting.num_reached)


def test_curves_of_unequal_runs_are_of_those_that_have_come_so_far(tmp_path):
    curves = [{100: 0.0, 300: 20.0}, {100: 10.0, 200: 10.0, 300: 40.0, 400: 50.0}, {200: 70.0}]
    write_sweep(tmp_path / "s", {"seed": [0, 1, 2]}, lambda values: curves[values["seed"]])
    _, (setting,) = read_settings(tmp_path / "s")
    curve = make_curve(setting)
    assert curve.steps.tolist() == [100, 200, 300, 400]
    assert curve.num_runs.tolist() == [2, 3, 2, 1]
    # The first run is halfway between its evaluations at step 200.
    assert curve.returns.value.tolist() == pytest.approx([5, 30, 30, 50])
    assert np.isnan(curve.returns.low).tolist() == [False, False, False, True]
    assert curve.returns.low[1] == 10 and curve.returns.high[1] == 70


def test_long_curves_are_drawn_at_fewer_points(tmp_path):
    write_sweep(tmp_path / "s", {"seed": [0]}, lambda values: {s: s / 10 for s in range(1, 1_001)})
    _, (setting,) = read_settings(tmp_path / "s")
    curve = make_curve(setting)
    assert len(curve.steps) == 200 and curve.steps[-1] == 1_000
    assert curve.returns.value == pytest.approx(curve.steps / 10)


def test_a_seed_counts_once(tmp_path):
    for name in "ab":
        write_sweep(tmp_path / name, SWEPT, returns_of)
    report_of([tmp_path / "a", tmp_path / "b"])
    assert {row["n"] for row in rows_of(tmp_path / "a")} == {"5"}
    assert "Ignored: 30 runs with a seed that another run" in lines_of(tmp_path / "a")
    swept = {"num_threads": [1, 2], "seed": [0, 1]}
    write_sweep(tmp_path / "c", swept, lambda values: {100: 5.0 + values["seed"]})
    report_of([tmp_path / "c"])
    assert [row["n"] for row in rows_of(tmp_path / "c")] == ["2", "2"]


def test_all_settings_with_a_score_are_resampled(tmp_path):
    scores = {0.9: [10.0] * 5, 0.98: [100.0] * 4, 0.99: [5.0] * 5}
    write_sweep(
        tmp_path / "s",
        {"agent.gamma": list(scores), "seed": range(5)},
        lambda v: {100: dict(enumerate(scores[v["agent.gamma"]])).get(v["seed"], 0.0)},
        lambda v: "diverged" if v["seed"] >= len(scores[v["agent.gamma"]]) else "completed",
    )
    _, settings = read_settings(tmp_path / "s")
    found = {setting.values["agent.gamma"]: setting.probability_best for setting in settings}
    assert np.isnan(found.pop("0.98")) and set(found.values()) == {0.0}


def test_a_run_without_evaluations_has_an_empty_curve_and_no_threshold(tmp_path):
    write_sweep(tmp_path / "s", {"agent.gamma": [0.9, 0.98]}, lambda v: {100: 5.0})
    for table in (tmp_path / "s").glob("0_*/evaluations.csv"):
        table.unlink()
    _, settings = read_settings(tmp_path / "s")
    lengths = {one.values["agent.gamma"]: len(make_curve(one).steps) for one in settings}
    assert lengths == {"0.9": 0, "0.98": 1}
    (pruned,) = make_settings(
        [settings[0].runs[0]._replace(result=None)], ["agent.gamma"], threshold=None
    )
    assert len(pruned.reached) == 0 and np.isnan(pruned.num_reached)
