"""The command that compares runs and sweeps."""

import re

import pytest

from dqn_exp import compare
from dqn_exp.analysis import plot_files
from dqn_exp.analysis.report import write_report
from dqn_exp.core.errors import ConfigError
from tests.sweep_files import SWEPT, returns_of, write_single, write_sweep


def test_a_comparison_overlays_runs_and_sweeps(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(plot_files, "FORMATS", ("svg",))
    write_sweep(tmp_path / "a", SWEPT, returns_of)
    write_single(tmp_path / "b", {100: 5.0, 300: 200.0}, agent__n_step=3)
    compare.main(["a", "b", "--output", "c"])
    assert capsys.readouterr().out == "The comparison is in c/index.html.\n"
    page = (tmp_path / "c/index.html").read_text()
    assert "The best of 7 settings is b, gamma=0.98, epsilon=0.01, with a final" in page
    assert "1 in a; 3 in b" in page
    assert "python -m dqn_exp.train agent.n_step=3" in page
    compare.main(["a", "b"])
    where = r"The comparison is in outputs/comparisons/.+/index.html"
    assert re.match(where, capsys.readouterr().out)
    with pytest.raises(ConfigError, match="given twice"):
        write_report([tmp_path / "a", tmp_path / "a"], tmp_path / "d", compares=True)
    assert not (tmp_path / "d").exists()
