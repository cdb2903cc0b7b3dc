"""What happens at the end of a sweep."""

import shutil

import numpy as np
import pytest

from tests.command import table_of
from tests.sweep_files import page_of, rows_of


def test_a_sweep_ends_with_a_report_unless_it_is_not_wanted(command, tmp_path):
    sweep = ("-m", "seed=1,2", "agent.gamma=0.9,0.99")
    ended = command(*sweep, "hydra.sweep.dir=s", "report=true")
    page, logs = "s/report/index.html", "tensorboard --logdir s/report/tensorboard"
    where = f"The report is in {page}. View the settings with: {logs}"
    assert ended.status == 0 and ended.out.splitlines()[-1].endswith(where)
    assert {row["n"] for row in rows_of(tmp_path / "s")} == {"2"}
    returns = {row["agent.gamma"]: float(row["mean"]) for row in rows_of(tmp_path / "s")}
    for gamma, mean in returns.items():
        rows = [row for row in table_of(tmp_path / "s") if row["agent.gamma"] == gamma]
        assert mean == pytest.approx(np.mean([float(row["objective"]) for row in rows]))
    command(*sweep, "hydra.sweep.dir=t")  # With report=false.
    assert not (tmp_path / "t/report").exists()


def test_a_report_that_cannot_be_written_costs_the_sweep_nothing(command, tmp_path, monkeypatch):
    def fail(*arguments):
        raise OSError("No space left on device")

    monkeypatch.setattr("dqn_exp.analysis.report.write_report", fail)
    ended = command("-m", "seed=1,2", "hydra.sweep.dir=s", "report=true")
    assert ended.status == 0 and "The report could not be written" in ended.out
    assert {row["status"] for row in table_of(tmp_path / "s")} == {"completed"}


def test_a_report_that_is_interrupted_can_be_written_again(command, tmp_path, monkeypatch):
    def interrupt(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr("dqn_exp.analysis.report.write_report", interrupt)
    ended = command("-m", "seed=1,2", "hydra.sweep.dir=s", "report=true")
    again = "Interrupted. Write the report with: python -m dqn_exp.report s"
    assert ended.status == 130 and ended.err.splitlines()[-1] == again


def test_a_sweep_whose_runs_fail_and_one_that_is_resumed_have_their_reports(
    command, resumed, tmp_path
):  # fmt: skip
    ended = command(
        "-m", "seed=1,2", "agent.learning_rate=1e-3,1e30", "hydra.sweep.dir=s", "report=true"
    )
    assert ended.status == 1 and "2 runs failed or diverged." in page_of(tmp_path / "s")
    shutil.rmtree(tmp_path / "s/report")
    done = resumed("s")
    assert done.status == 1 and "2 runs failed or diverged." in page_of(tmp_path / "s"), done


def test_another_sweeper_leaves_no_file_if_its_jobs_are_refused(command, tmp_path):
    ended = command("-m", "hydra/sweeper=basic", "seed=-1,-2", "hydra.sweep.dir=s")
    assert ended.status == 2 and "seed: expected" in ended.err
    assert not (tmp_path / "s").exists()
