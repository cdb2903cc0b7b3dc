"""The table of settings: its numbers, and its forms in CSV, Markdown and HTML."""

import numpy as np
import pytest

from tests.sweep_files import SWEPT, report_of, returns_of, rows_of, write_sweep

pytestmark = pytest.mark.usefixtures("without_plots")


def test_the_numbers_are_those_of_an_independent_calculation(tmp_path):
    write_sweep(tmp_path / "s", SWEPT, returns_of)
    page = report_of([tmp_path / "s"])
    assert page == tmp_path / "s/report/index.html"
    rows = rows_of(tmp_path / "s")
    assert len(rows) == 6
    for row in rows:
        gamma, epsilon = float(row["agent.gamma"]), float(row["agent.epsilon"])
        values = {"agent.gamma": gamma, "agent.epsilon": epsilon}
        curves = [returns_of({**values, "seed": seed}) for seed in SWEPT["seed"]]
        scores = sorted(curve[300] for curve in curves)
        areas = sorted((c[100] + 2 * c[200] + c[300]) / 4 for c in curves)
        assert float(row["iqm"]) == pytest.approx(sum(scores[1:4]) / 3)
        assert float(row["mean"]) == pytest.approx(sum(scores) / 5)
        assert float(row["median"]) == pytest.approx(scores[2])
        assert float(row["min"]) == pytest.approx(scores[0])
        assert float(row["area"]) == pytest.approx(sum(areas[1:4]) / 3)
        assert (row["n"], row["num_failed"], row["num_missing"]) == ("5", "0", "0")
        rng = np.random.default_rng(7)
        resampled = np.sort(rng.choice(scores, (40_000, 5)))[:, 1:4].mean(1)
        # -t(4 degrees, 97.5%) * sqrt(5 / 4) = -3.104, below which are 0.095% of a normal one.
        expected = np.quantile(resampled, [0.00095, 0.99905])
        width = scores[-1] - scores[0]
        assert abs(float(row["iqm_low"]) - expected[0]) < 0.05 * width
        assert abs(float(row["iqm_high"]) - expected[1]) < 0.05 * width
    content = page.read_text()
    best = f"gamma={rows[0]['agent.gamma']}, epsilon={rows[0]['agent.epsilon']}"
    assert f"The best of 6 settings is {best}" in content
    assert f"{float(rows[0]['iqm']):.4g}" in content
