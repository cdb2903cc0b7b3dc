"""Data of the charts of a page."""

import json
import re

import numpy as np
import pytest

from tests.sweep_files import SWEPT, page_of, report_of, returns_of, write_sweep


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


def test_a_page_of_a_thousand_runs_is_small(tmp_path):
    swept = {"agent.n_step": range(1, 101), "seed": range(10)}
    curve = {step: float(step % 977) for step in range(100, 6_100, 100)}
    write_sweep(tmp_path / "s", swept, lambda v: curve)
    page = report_of([tmp_path / "s"])
    assert page.stat().st_size < 5e6
    setting = data_of(tmp_path / "s")["settings"][0]
    # Both ends are kept.
    assert (setting["curve"][0][0], setting["curve"][0][-1]) == (100, 6_000)
    assert (setting["runs"][0]["curve"][0][0], setting["runs"][0]["curve"][0][-1]) == (100, 6_000)
