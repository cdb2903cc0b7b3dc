import numpy as np
import pytest

from dqn_exp.analysis.aggregates import make_curve, make_settings
from dqn_exp.analysis.run_reader import read_sources, read_table
from dqn_exp.analysis.swept_keys import find_keys, sort_values
from dqn_exp.core.errors import ConfigError
from tests.sweep_files import write_run, write_single, write_sweep


def noise(values) -> float:
    text = "|".join(f"{key}={values[key]}" for key in sorted(values))
    return float(np.random.default_rng(list(text.encode())).normal())


def returns_of(values) -> dict[int, float]:
    level = 100 * values["agent.gamma"] - 50 * values["agent.epsilon"] + noise(values)
    return {100: 10.0 + noise(values), 200: level / 2, 300: level}


SWEPT = {"agent.gamma": [0.9, 0.99], "agent.epsilon": [0.1, 0.05, 0.2], "seed": [0, 1, 2, 3, 4]}


def read_settings(*folders, threshold=None, names_sources=False):
    sources = read_sources(folders)
    keys = find_keys(sources, names_sources=names_sources)
    runs = [run for source in sources for run in source.runs]
    return keys, make_settings(runs, keys, threshold)


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
    _, (setting,) = read_settings(tmp_path / "s")
    assert np.isnan(setting.steps_to_threshold)


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


def test_further_directories_give_further_seeds_and_settings(tmp_path):
    write_sweep(tmp_path / "a", SWEPT, returns_of)
    more = {"agent.gamma": [0.99], "agent.epsilon": [0.05], "seed": [5, 6]}
    write_sweep(tmp_path / "b", more, returns_of)
    keys, settings = read_settings(tmp_path / "a", tmp_path / "b")
    assert keys == ["agent.gamma", "agent.epsilon"]
    assert sorted(len(setting.scores) for setting in settings) == [5] * 5 + [7]
    write_single(tmp_path / "c", {300: 1.0}, agent__target={"kind": "double"})
    keys, settings = read_settings(tmp_path / "a", tmp_path / "c")
    assert keys == ["agent.gamma", "agent.epsilon", "agent.target.kind"] and len(settings) == 7


def test_compared_directories_are_told_apart_by_what_is_different_in_their_names(tmp_path):
    one = {"agent.gamma": [0.9, 0.99], "seed": [0, 1]}
    for name in ("x/s", "y/s"):
        write_sweep(tmp_path / name, one, lambda values: {300: 100 * values["agent.gamma"]})
    write_single(tmp_path / "z", {300: 1.0}, agent__target={"kind": "double"})
    keys, settings = read_settings(
        tmp_path / "x/s", tmp_path / "y/s", tmp_path / "z", names_sources=True
    )
    # That one is double is told by its name: none of the directories differs in it.
    assert keys == ["source", "agent.gamma"] and len(settings) == 5
    assert {setting.values["source"] for setting in settings} == {"x/s", "y/s", "z"}
    assert settings[-1].label == "z, gamma=0.98"


def test_values_are_in_the_order_of_numbers_where_they_are_numbers():
    assert sort_values(["10", "9", "1e-3", "9"]) == ["1e-3", "9", "10"]
    assert sort_values(["b", "10", "9"]) == ["10", "9", "b"]


def test_a_row_that_was_being_written_is_left_out(tmp_path):
    path = tmp_path / "evaluations.csv"
    path.write_text("step,episode,seed,return,length\n10,0,3,5.0,5\n10,1,5,7.0,7\n20,0,3,9.")
    assert read_table(path, 5).tolist() == [[10, 0, 3, 5, 5], [10, 1, 5, 7, 7]]
    assert read_table(tmp_path / "none.csv", 5).shape == (0, 5)


def test_directories_that_hold_no_run_are_told(tmp_path):
    with pytest.raises(ConfigError, match="expected the directory of a run or a sweep"):
        read_sources([tmp_path])
    write_run(tmp_path / "r", {10: 1.0})
    with pytest.raises(ConfigError, match="given twice"):
        read_sources([tmp_path, tmp_path / "r" / ".."])
    (tmp_path / "r/result.json").write_text("{")
    with pytest.raises(ConfigError, match="expected the result of a run"):
        read_sources([tmp_path])
