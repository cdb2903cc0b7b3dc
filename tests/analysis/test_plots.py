"""Plots of settings."""

import numpy as np
import pytest

from dqn_exp.analysis.aggregates import make_settings
from dqn_exp.analysis.plot_style import LIGHT, drawn
from dqn_exp.analysis.plots import make_plots, marginal, profile
from dqn_exp.analysis.run_reader import read_sources
from tests.sweep_files import lines_of, report_of, write_sweep


def test_sensitivities_resample_within_settings(tmp_path):
    swept = {"agent.gamma": [0.9], "agent.epsilon": [0.1, 0.2], "seed": range(5)}
    write_sweep(tmp_path / "s", swept, lambda values: {100: 1_000 * values["agent.epsilon"]})
    settings = make_settings(read_sources([tmp_path / "s"])[0].runs, ["agent.epsilon"], None)
    found = marginal(settings)
    # Each setting is sure of itself; resampled together, the share of each would vary.
    assert (found.value, found.low, found.high) == (150, 150, 150)


def test_a_profile_is_the_share_of_runs_above_a_return():
    points, heights = profile(np.array([3.0, 1.0, 2.0, 2.0]))
    for value in (0.5, 1.0, 1.5, 2.0, 2.5, 3.0):
        place = np.searchsorted(points, value, side="right") - 1
        found = 1.0 if place < 0 else heights[place]
        assert found == np.mean(np.array([3.0, 1.0, 2.0, 2.0]) > value)


@pytest.mark.parametrize("value", ["a$\\b$", "_old", "x" * 80, "\u00e9\u4e2d"])
def test_values_of_any_letters_are_drawn(tmp_path, value):
    write_sweep(tmp_path / "s", {"device": [value, "b"], "seed": [0, 1]}, lambda v: {100: 5.0})
    report_of([tmp_path / "s"])
    assert value in lines_of(tmp_path / "s")


def test_values_of_a_search_are_drawn_on_an_axis_of_numbers(tmp_path):
    rates = [10 ** (-5 + place / 10) for place in range(30)]
    swept = {"agent.learning_rate": rates, "agent.gamma": [0.9]}
    write_sweep(
        tmp_path / "s", swept, lambda values: {100: -abs(values["agent.learning_rate"] - 1e-3)}
    )
    sources = read_sources([tmp_path / "s"])
    keys = ["agent.learning_rate", "agent.gamma"]
    settings = make_settings(sources[0].runs, keys, None)
    plots = {plot.name: plot for plot in make_plots(settings, keys, None)}
    assert set(plots) == {"curves", "sensitivity_learning-rate", "sensitivity_gamma", "profiles"}
    with drawn(plots["sensitivity_learning-rate"], LIGHT) as figure:
        (axes,) = figure.axes
        (dots,) = axes.collections
        found = dots.get_offsets()
        assert axes.get_xscale() == "log" and len(found) == 30
        best = found[np.argmax(found[:, 1]), 0]
        assert best == pytest.approx(1e-3, rel=0.01)
