"""Charts of a single run."""

import numpy as np
import pytest

from dqn_exp.analysis.run_plots import make_charts, moving_mean
from dqn_exp.analysis.run_reader import read_sources
from tests.sweep_files import write_single


def test_a_moving_mean_is_that_of_the_last_values():
    values = np.random.default_rng(0).normal(size=50)
    found = moving_mean(values, 7)
    for place in range(50):
        assert found[place] == pytest.approx(values[max(0, place - 6) : place + 1].mean())


def test_charts_hold_the_numbers_of_the_files(tmp_path):
    write_single(tmp_path / "r", {100: 5.0, 200: 9.0})
    header = "step,episode,return,length,terminated\n"
    rows = "".join(f"{step},{step},{step / 10},9,1\n" for step in range(1, 2_001))
    (tmp_path / "r/episodes.csv").write_text(header + rows)
    (run,) = read_sources([tmp_path / "r"])[0].runs
    (returns,) = make_charts(run, {})
    training, smooth, evaluations = (line.points for line in returns.lines)
    assert len(training) == 1_000 and training[[0, -1]].tolist() == [[1, 0.1], [2_000, 200]]
    assert smooth[-1, 1] == pytest.approx(np.mean([step / 10 for step in range(1_981, 2_001)]))
    assert evaluations.tolist() == [[100, 5, 4, 6], [200, 9, 8, 10]]
    scalars = {"train/loss": np.array([[50.0, 2.0]]), "value/start_predicted": np.ones((3, 2))}
    found = make_charts(run, scalars)
    assert [chart.name for chart in found] == ["returns", "loss", "values"]
    assert [line.name for line in found[1].lines] == ["loss"]
