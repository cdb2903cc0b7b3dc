"""Plots of settings."""

import numpy as np
from matplotlib.text import Text

from dqn_exp.analysis.aggregates import make_curve
from dqn_exp.analysis.key_plots import make_marginals
from dqn_exp.analysis.plot_style import LIGHT, drawn
from dqn_exp.analysis.plots import make_plots, profile
from tests.sweep_files import SWEPT, lines_of, read_groups, report_of, returns_of, write_sweep


def test_a_profile_is_the_share_of_runs_above_a_return():
    points, heights = profile(np.array([3.0, 1.0, 2.0, 2.0]))
    for value in (0.5, 1.0, 1.5, 2.0, 2.5, 3.0):
        place = np.searchsorted(points, value, side="right") - 1
        found = 1.0 if place < 0 else heights[place]
        assert found == np.mean(np.array([3.0, 1.0, 2.0, 2.0]) > value)


def test_values_of_any_letters_are_drawn(tmp_path):
    odd = ["a$\\b$", "_old", "x" * 80, "\u00e9\u4e2d"]
    write_sweep(tmp_path / "s", {"device": odd, "seed": [0, 1]}, lambda v: {100: 5.0})
    report_of([tmp_path / "s"])
    lines = lines_of(tmp_path / "s")
    assert all(value in lines for value in odd)


def test_pictures_say_of_what_they_are_in_letters_of_a_readable_size(tmp_path):
    write_sweep(tmp_path / "s", SWEPT, returns_of)
    (group,) = read_groups(tmp_path / "s", threshold=90.0)
    curves = [make_curve(setting) for setting in group.scored]
    for plot in make_plots(group, curves, make_marginals(group), frozenset()):
        assert plot.note.startswith("CartPole-v0, n = 5 seeds"), plot.name
        assert ("interval" in plot.note) == (plot.name.split("_")[0] not in ("heat", "profiles"))
        with drawn(plot, LIGHT) as figure:
            texts = [one for one in figure.findobj(Text) if one.get_text() and one.get_visible()]
            assert all(8 <= one.get_fontsize() <= 9 for one in texts), plot.name
            shown = " ".join(one.get_text() for one in texts).replace("\n", " ")
            assert plot.note in shown
            assert ("threshold 90" in shown) == (plot.name in ("settings", "curves"))
            legends = figure.legends
            assert bool(legends) == (plot.name in ("curves", "profiles"))
            # Outside of the axes.
            for legend in legends:
                assert legend.get_window_extent().y0 >= figure.axes[0].get_window_extent().y1
