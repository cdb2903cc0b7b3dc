"""Exports of results."""

import re
import shutil
import sqlite3
import subprocess
import sys

import pandas as pd
import pytest

from dqn_exp import export
from dqn_exp.analysis.latex import escape
from dqn_exp.api.results import Results
from tests.sweep_files import SWEPT, read_settings, returns_of, write_sweep


@pytest.fixture
def sweep(tmp_path):
    write_sweep(tmp_path / "s", SWEPT, returns_of)
    for run in (tmp_path / "s").glob("[0-9]*"):
        rows = "50,0,7.5,9,1\n100,1,8.5,9,1\n"
        (run / "episodes.csv").write_text(f"step,episode,return,length,terminated\n{rows}")
    return tmp_path / "s"


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_tables_are_read_back_as_they_were(sweep, capsys, form):
    export.main([str(sweep), "--format", form])
    output = sweep / "export" / form
    assert capsys.readouterr().out.endswith(f"s/export/{form}.\n")
    read = pd.read_csv if form == "csv" else pd.read_parquet
    results = Results(sweep)
    for name in ("settings", "episodes", "evaluations"):
        found = read(output / f"{name}.{form}")
        expected = getattr(results, name)
        pd.testing.assert_frame_equal(found, expected, check_dtype=False)
    runs = read(output / f"runs.{form}")
    assert runs["objective"].tolist() == pytest.approx(results.runs["objective"].tolist())
    assert runs["agent.gamma"].tolist() == results.runs["agent.gamma"].tolist()


def test_latex_has_the_numbers_of_the_table(sweep):
    export.main([str(sweep), "--format", "latex", "--output", str(sweep.parent / "out")])
    text = (sweep.parent / "out/settings.tex").read_text()
    _, settings = read_settings(sweep)
    lines = [line for line in text.splitlines() if re.match(r"\d+ & ", line)]
    assert len(lines) == 6 and text.count("\\hline") == 3
    for line, setting in zip(lines, settings, strict=True):
        cells = [cell.strip() for cell in line.removesuffix(" \\\\").split("&")]
        assert cells[1:4] == [*setting.values.values(), "5"]
        assert float(cells[4]) == pytest.approx(float(setting.iqm.value), rel=1e-3)
    assert escape("a_b & 5% {x} \\ ~^#$") == (
        r"a\_b \& 5\% \{x\} \textbackslash{} \textasciitilde{}\textasciicircum{}\#\$"
    )
    if shutil.which("pdflatex"):
        document = f"\\documentclass{{article}}\\begin{{document}}{text}\\end{{document}}"
        (sweep.parent / "out/a.tex").write_text(document)
        command = ["pdflatex", "-interaction=nonstopmode", "a.tex"]
        assert subprocess.run(command, cwd=sweep.parent / "out", check=False).returncode == 0


@pytest.mark.filterwarnings("ignore")
def test_mlflow_has_the_runs_with_their_settings_and_curves(sweep, capsys):
    export.main([str(sweep), "--format", "mlflow"])
    assert "View them with: mlflow ui --backend-store-uri sqlite:///" in capsys.readouterr().out
    with sqlite3.connect(sweep / "export/mlflow/mlflow.db") as store:
        count = store.execute("select count(*) from runs where status = 'FINISHED'").fetchone()
        gammas = store.execute("select value from params where key = 'agent.gamma'").fetchall()
        curve = store.execute(
            "select step, value from metrics where key = 'eval/return_mean' order by step"
        ).fetchall()
        objectives = store.execute("select value from metrics where key = 'objective'").fetchall()
    assert count == (30,)
    assert sorted(float(gamma) for (gamma,) in gammas) == [0.9] * 15 + [0.99] * 15
    assert {step for step, _ in curve} == {100, 200, 300} and len(curve) == 90
    expected = Results(sweep).runs["objective"]
    assert sorted(value for (value,) in objectives) == pytest.approx(sorted(expected))


@pytest.mark.filterwarnings("ignore")
def test_wandb_has_an_offline_run_for_each(tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_ERROR_REPORTING", "false")
    write_sweep(tmp_path / "s", {"agent.gamma": [0.9], "seed": [0]}, returns_of_gamma)
    # In a process of its own: the package patches sys.exit.
    command = [sys.executable, "-m", "dqn_exp.export", "s", "--format", "wandb"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "Upload them with: wandb sync" in done.stdout
    (run,) = (tmp_path / "s/export/wandb/wandb").glob("offline-run-*")
    (record,) = run.glob("run-*.wandb")
    content = record.read_bytes()
    assert b"eval/return_mean" in content and b"agent.gamma" in content


def returns_of_gamma(values) -> dict[int, float]:
    return {100: 5.0, 200: 9.0}


def test_what_cannot_be_exported_is_said(sweep, capsys):
    (sweep.parent / "full").mkdir()
    (sweep.parent / "full/mine.txt").write_text("mine")
    for arguments, said in (
        ([str(sweep), "--output", str(sweep.parent / "full")], "expected a new or empty directory"),
        ([str(sweep.parent / "nothing")], "expected the directory of a run or a sweep"),
    ):
        with pytest.raises(SystemExit) as ended:
            export.main(arguments)
        assert ended.value.code == 2 and said in capsys.readouterr().err
    assert not (sweep.parent / "nothing").exists()
