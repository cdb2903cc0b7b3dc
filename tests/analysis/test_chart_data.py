"""Data of the charts of a page."""

import json
import re

import numpy as np
import pytest

from dqn_exp.analysis.aggregates import make_curve
from dqn_exp.analysis.key_plots import make_marginals
from dqn_exp.analysis.plot_style import LIGHT, drawn
from dqn_exp.analysis.plots import make_plots
from dqn_exp.analysis.ranking import RANKINGS
from tests.sweep_files import SWEPT, page_of, read_groups, report_of, returns_of, write_sweep


def data_of(folder) -> dict:
    (text,) = re.findall(r'(?s)class="data">(.*?)</script>', page_of(folder))
    return json.loads(text)


def test_charts_show_what_the_files_of_the_runs_hold(tmp_path):
    write_sweep(tmp_path / "s", SWEPT, returns_of)
    for num, folder in enumerate(sorted((tmp_path / "s").glob("[0-9]*"))):
        rows = "".join(f"{step},{step},{step + num},9,1\n" for step in (10, 20, 150))
        (folder / "episodes.csv").write_text(f"step,episode,return,length,terminated\n{rows}")
        (folder / "film.mp4").write_bytes(b"film")
    report_of([tmp_path / "s"])
    data = data_of(tmp_path / "s")
    assert [key["name"] for key in data["keys"]] == ["gamma", "epsilon"]
    assert [key["values"] for key in data["keys"]] == [["0.9", "0.99"], ["0.05", "0.1", "0.2"]]
    assert len(data["settings"]) == 6
    for place, setting in enumerate(data["settings"]):
        gamma, epsilon = (float(value) for value in setting["values"])
        values = {"agent.gamma": gamma, "agent.epsilon": epsilon}
        curves = [returns_of({**values, "seed": seed}) for seed in range(5)]
        assert setting["rank"] == place + 1
        assert [run["seed"] for run in setting["runs"]] == [0, 1, 2, 3, 4]
        for run, curve in zip(setting["runs"], curves, strict=True):
            assert run["curve"][0] == [100, 200, 300]
            assert run["curve"][1] == pytest.approx(list(curve.values()), rel=1e-4)
            assert run["score"] == pytest.approx(curve[300], rel=1e-4)
            assert (tmp_path / "s/report" / run["log"]).resolve().name == "train.log"
            assert run["films"] == [f"{run['directory']}/film.mp4"]
        steps, iqm, low, high = setting["curve"]
        assert steps == [100, 200, 300] and low[2] < iqm[2] < high[2]
        assert iqm[2] == pytest.approx(np.mean(sorted(one[300] for one in curves)[1:4]), rel=1e-4)
        assert f"agent.gamma={gamma}" in setting["command"]
        assert setting["command"].endswith("seed=0,1,2,3,4") and " -m " in setting["command"]
        steps, returns = setting["training"]
        assert steps[-1] == 150 and len(steps) == 3
        assert returns[-1] - returns[0] == pytest.approx(140, rel=1e-3)
    marginal = data["keys"][0]["marginals"][1]
    scores = [
        returns_of({"agent.gamma": 0.99, "agent.epsilon": epsilon, "seed": seed})[300]
        for epsilon in (0.1, 0.05, 0.2)
        for seed in range(5)
    ]
    assert marginal[0] == "0.99"
    assert marginal[1] == pytest.approx(np.mean(sorted(scores)[3:-3]), rel=1e-4)


def heights(values) -> list[float]:
    """Mean heights of the curves of a setting, written out."""
    curves = [returns_of({**values, "seed": seed}) for seed in range(5)]
    return [(one[100] + 2 * one[200] + one[300]) / 4 for one in curves]


def reached(values) -> list[int | None]:
    """Steps at which the runs of a setting reach 60; None if they do not."""
    curves = [returns_of({**values, "seed": seed}) for seed in range(5)]
    return [min((step for step, one in each.items() if one >= 60), default=None) for each in curves]


@pytest.mark.parametrize(
    ("name", "dots", "phrase"),
    [
        ("iqm", lambda v: [returns_of({**v, "seed": s})[300] for s in range(5)], "final return"),
        ("area", heights, "area under the learning curve"),
        ("steps", reached, "number of steps to the threshold"),
        ("min", lambda v: [returns_of({**v, "seed": s})[300] for s in range(5)], "final return"),
    ],
)
def test_the_best_settings_are_drawn_by_what_they_are_ranked_by(tmp_path, name, dots, phrase):
    write_sweep(tmp_path / "s", SWEPT, returns_of)
    report_of([tmp_path / "s"], rank_by=name, threshold=60.0)
    data = data_of(tmp_path / "s")
    assert data["ranking"]["phrase"] == phrase
    assert data["ranking"]["isOfFinalReturns"] == (phrase == "final return")
    for setting in data["settings"]:
        gamma, epsilon = (float(value) for value in setting["values"])
        expected = dots({"agent.gamma": gamma, "agent.epsilon": epsilon})
        assert setting["dots"] == [
            value if value is None else pytest.approx(value, rel=1e-4) for value in expected
        ]
        ordered = sorted(np.inf if value is None else value for value in expected)
        value = {"min": ordered[0], "steps": ordered[2]}.get(name, np.mean(ordered[1:4]))
        assert setting["estimate"][0] == (
            pytest.approx(value, rel=1e-4) if np.isfinite(value) else None
        )
    (group,) = read_groups(tmp_path / "s", ranking=RANKINGS[name], threshold=60.0)
    plot = make_plots(
        group, [make_curve(one) for one in group.scored], make_marginals(group), frozenset()
    )[0]
    with drawn(plot, LIGHT) as figure:
        (axes,) = figure.axes
        assert phrase in axes.get_xlabel()
        found = [collection.get_offsets()[:, 0] for collection in axes.collections[:5:2]]
        assert len(found[0]) == 5
        np.testing.assert_allclose(found[0], RANKINGS[name].values(group.scored[0]))


def test_a_page_of_hundreds_of_runs_is_small(tmp_path):
    swept = {"agent.n_step": range(1, 31), "seed": range(10)}
    curve = {step: float(step % 977) for step in range(100, 6_100, 100)}
    write_sweep(tmp_path / "s", swept, lambda v: curve)
    page = report_of([tmp_path / "s"])
    assert page.stat().st_size < 2e6
    setting = data_of(tmp_path / "s")["settings"][0]
    # Both ends are kept.
    assert (setting["curve"][0][0], setting["curve"][0][-1]) == (100, 6_000)
    assert (setting["runs"][0]["curve"][0][0], setting["runs"][0]["curve"][0][-1]) == (100, 6_000)
