"""Plots of the return over the values of keys."""

import numpy as np
import pytest

from dqn_exp.analysis.key_plots import color_range, heat_map, marginal, scatter, sensitivity
from dqn_exp.analysis.plot_style import LIGHT, drawn
from dqn_exp.analysis.plots import make_plots
from tests.sweep_files import SWEPT, read_groups, read_settings, returns_of, write_sweep


def test_sensitivities_resample_within_settings(tmp_path):
    swept = {"agent.gamma": [0.9], "agent.epsilon": [0.1, 0.2], "seed": range(5)}
    write_sweep(tmp_path / "s", swept, lambda values: {100: 1_000 * values["agent.epsilon"]})
    _, settings = read_settings(tmp_path / "s")
    found = marginal(settings)
    # Each setting is sure of itself; resampled together, the share of each would vary.
    assert (found.value, found.low, found.high) == (150, 150, 150)


def test_values_of_a_search_are_drawn_on_an_axis_of_numbers(tmp_path):
    rates = [10 ** (-5 + place / 10) for place in range(30)]
    swept = {"agent.learning_rate": rates, "agent.gamma": [0.9, 0.99]}
    write_sweep(
        tmp_path / "s", swept, lambda values: {100: -abs(values["agent.learning_rate"] - 1e-3)}
    )
    (group,) = read_groups(tmp_path / "s")
    marginals = {"agent.gamma": {"0.9": marginal(group.scored)}}
    names = [plot.name for plot in make_plots(group, [], marginals, frozenset())]
    expected = ["settings", "curves", "sensitivity_learning-rate", "sensitivity_gamma", "profiles"]
    assert names == expected
    with drawn(scatter(group, "agent.learning_rate", frozenset()), LIGHT) as figure:
        (axes,) = figure.axes
        (dots,) = axes.collections
        found = dots.get_offsets()
        assert axes.get_xscale() == "log" and len(found) == 60
        best = found[np.argmax(found[:, 1]), 0]
        assert best == pytest.approx(1e-3, rel=0.01)


@pytest.mark.parametrize(("log_keys", "scale"), [(frozenset(), "linear"), ({"seed_"}, "linear")])
def test_a_narrow_key_is_drawn_on_a_log_axis_only_if_it_was_searched_on_one(
    tmp_path, log_keys, scale
):
    rates = [1e-3 + place * 1e-4 for place in range(25)]
    write_sweep(tmp_path / "s", {"agent.learning_rate": rates}, lambda values: {100: 1.0})
    (group,) = read_groups(tmp_path / "s")
    with drawn(scatter(group, "agent.learning_rate", frozenset(log_keys)), LIGHT) as figure:
        assert figure.axes[0].get_xscale() == scale
    log_keys = frozenset(["agent.learning_rate"])
    with drawn(scatter(group, "agent.learning_rate", log_keys), LIGHT) as figure:
        assert figure.axes[0].get_xscale() == "log"


def test_a_sensitivity_shows_the_marginals(tmp_path):
    write_sweep(tmp_path / "s", SWEPT, returns_of)
    (group,) = read_groups(tmp_path / "s")
    chosen = [one for one in group.settings if one.values["agent.gamma"] == "0.9"]
    other = [one for one in group.settings if one.values["agent.gamma"] == "0.99"]
    estimates = {"0.9": marginal(chosen), "0.99": marginal(other)}
    with drawn(sensitivity(group, "agent.gamma", estimates), LIGHT) as figure:
        line = figure.axes[0].containers[0].lines[0]
        scores = [np.sort(np.concatenate([one.scores for one in part])) for part in (chosen, other)]
        # Of 15 runs, 3 are dropped on each side.
        assert line.get_ydata() == pytest.approx([part[3:-3].mean() for part in scores])


def test_noise_is_not_stretched_over_all_colors(tmp_path):
    write_sweep(tmp_path / "s", SWEPT, returns_of)
    (group,) = read_groups(tmp_path / "s")
    typical = np.median([one.iqm.high - one.iqm.low for one in group.settings])
    table = np.array([[50.0, 50.1]])
    low, high = color_range(table, group.settings)
    assert (high - low, (low + high) / 2) == pytest.approx((typical, 50.05))
    assert color_range(np.array([[0.0, 90.0], [np.nan, 4.0]]), group.settings) == (0, 90)
    with drawn(heat_map(group, ("agent.gamma", "agent.epsilon")), LIGHT) as figure:
        (image,) = figure.axes[0].images
        assert image.get_array().shape == (2, 3)
        low, high = image.get_clim()
        assert high - low >= typical
