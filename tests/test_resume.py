"""The command that resumes."""

from tests.command import check_complete, files_below, table_of
from tests.conftest import results_of
from tests.resuming import (
    interrupt,
)


def test_a_single_run_and_one_run_of_a_sweep_go_on(command, resumed, tmp_path):
    command("seed=7", "hydra.run.dir=r")
    before = results_of(tmp_path / "r")
    interrupt(tmp_path / "r")
    ended = resumed("r")
    assert ended.status == 0 and results_of(tmp_path / "r") == before, ended
    assert "Results are in r. View them with: tensorboard --logdir r" in ended.out
    check_complete(tmp_path / "r")
    command("-m", "seed=1,2", "hydra.sweep.dir=s")
    for run in (tmp_path / "s").glob("*_*"):
        interrupt(run)
    assert resumed("s/1_seed=2").status == 0
    assert [row["status"] for row in table_of(tmp_path / "s")] == ["interrupted", "completed"]


def test_the_log_goes_on_in_the_same_file(command, resumed, tmp_path):
    command("seed=7", "hydra.run.dir=r")
    interrupt(tmp_path / "r")
    ended = resumed("r")
    assert "Completed after 160 steps" in ended.out  # As in the first part, unlike in a sweep.
    log = (tmp_path / "r/train.log").read_text()
    assert "Resuming from the checkpoint at step 160." in log
    assert log.count("Completed after 160 steps") == 2


def test_starting_the_same_again_says_how_to_go_on(command, tmp_path):
    command("-m", "seed=1,2", "hydra.sweep.dir=s")
    command("seed=1", "hydra.run.dir=r")
    before = files_below(tmp_path)
    for arguments, where in (
        (("-m", "seed=1,2", "hydra.sweep.dir=s"), "s"),
        (("seed=1", "hydra.run.dir=r"), "r"),
        (("-m", "seed=1,2", "hydra.sweep.dir=s", "hydra/sweeper=basic"), "s"),
    ):
        ended = command(*arguments)
        assert ended.status == 2 and f"python -m dqn_exp.resume {where}" in ended.err
        assert files_below(tmp_path) == before
