"""What is to be done with each job of a saved sweep."""

import re
import shutil
from pathlib import Path

import pytest

from dqn_exp.analysis.run_reader import read_sources
from dqn_exp.files.checkpoint import NEWEST, REFUSED
from tests.command import files_below, table_of
from tests.conftest import make_config, results_of
from tests.files.test_checkpoint import Malicious
from tests.resuming import (
    interrupt,
)
from tests.stepping import single_steps


def test_a_run_is_recognized_by_its_config_whatever_its_directory_is_called(
    command, resumed, tmp_path
):
    command("-m", "seed=1,2", "hydra.sweep.dir=s")
    (tmp_path / "s/0_seed=1").rename(tmp_path / "s/swapped")
    (tmp_path / "s/1_seed=2").rename(tmp_path / "s/0_seed=1")
    (tmp_path / "s").rename(tmp_path / "moved")
    one = resumed("moved/swapped", "--dry-run")
    assert one.out.splitlines()[0] == "skip   moved/swapped: completed", one
    (tmp_path / "moved/mine").mkdir()
    (tmp_path / "moved/mine/result.json").write_text('{"mean": 3}')
    (source,) = read_sources([tmp_path / "moved"])
    assert [(run.name, run.seed, run.status) for run in source.runs] == [
        ("swapped", 1, "completed"), ("0_seed=1", 2, "completed"),
    ]  # fmt: skip
    resumed("moved/swapped")
    ended = resumed("moved")
    assert "Training 0 of 2 runs." in ended.out, ended
    assert [row["dir"] for row in table_of(tmp_path / "moved")] == ["swapped", "0_seed=1"]
    ended = resumed("moved", "trainer.total_steps=200")
    assert ended.status == 0 and "2 of 2 runs completed." in ended.out, ended
    found = {path.parent.name for path in (tmp_path / "moved").glob("*/result.json")}
    assert found == {"swapped", "0_seed=1", "mine"}


def test_failed_and_diverged_runs_are_left_unless_they_are_to_be_tried_again(
    command, resumed, tmp_path
):
    command("-m", "agent.learning_rate=1e-3,1e30", "hydra.sweep.dir=s")
    left = resumed("s")
    assert left.status == 1
    assert left.err.startswith("Run 1 (agent.learning_rate=1e+30) diverged: Loss or")
    assert "python -m dqn_exp.resume s --retry-failed" in left.err
    dry = resumed("s", "--retry-failed", "--dry-run")
    assert "retry  s/1_learning_rate=1e+30, from step 0 (diverged:" in dry.out
    again = resumed("s", "--retry-failed")
    assert again.status == 1 and "Training 1 of 2 runs." in again.out
    assert [row["status"] for row in table_of(tmp_path / "s")] == ["completed", "diverged"]
    log = (tmp_path / "s/1_learning_rate=1e+30/train.log").read_text()
    assert log.count("Diverged after") == 2


def other_config(run: Path) -> None:
    shutil.copy(run.parent / "1_seed=2" / "result.json", run / "result.json")
    shutil.rmtree(run.parent / "1_seed=2")


def foreign_checkpoint(run: Path) -> None:
    shutil.copy(run.parent / "1_seed=2" / NEWEST, run / NEWEST)


def malicious_checkpoint(run: Path) -> None:
    import torch

    torch.save({"format": 3, "state": Malicious(f"touch {run.parent}/it_ran")}, run / NEWEST)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda run: (run / NEWEST).write_bytes(b"no"), "expected a checkpoint of dqn_exp"),
        (malicious_checkpoint, "got a file with other objects, none of which was created"),
        (lambda run: (run / NEWEST).unlink(), "result.json reports 160 steps, but there is none"),
        (foreign_checkpoint, "it belongs to a run with another config"),
        (other_config, "result.json: expected the config_hash"),
        (lambda run: (run / "episodes.csv").unlink(), "episodes.csv: expected a file of at least"),
        (lambda run: (run / "evaluations.csv").write_text("step\n"), "rows are missing"),
        (lambda run: (run / "result.json").write_text("{"), "expected the result of a run"),
        (
            lambda run: (run / "episodes.csv").write_bytes(
                b"9" + (run / "episodes.csv").read_bytes()[1:]
            ),
            "differ from those of the last checkpoint",
        ),
        (
            lambda run: (run.parent / "jobs.jsonl").write_text("{}\n"),
            "expected the jobs of a sweep",
        ),
    ],
)
def test_a_directory_whose_files_do_not_fit_is_refused_with_the_reason(
    command, resumed, tmp_path, damage, message
):
    command("-m", "seed=1,2", "hydra.sweep.dir=s")
    run = tmp_path / "s/0_seed=1"
    interrupt(run)
    damage(run)
    before = files_below(tmp_path)
    ended = resumed("s")
    assert ended.status == 2 and message in ended.err and "Traceback" not in ended.err, ended
    assert files_below(tmp_path) == before and not (tmp_path / "s/it_ran").exists()


def test_a_damaged_checkpoint_gives_way_to_the_one_before(tmp_path, command, resumed):
    arguments = ("seed=1", "checkpoint.every_steps=50", "trainer.total_steps=240")
    command(*arguments, "hydra.run.dir=peace")
    config = make_config()
    assert config.checkpoint.every_steps == 1_000  # As shipped.
    command(*arguments, "hydra.run.dir=r", "checkpoint.every_steps=null")
    shutil.rmtree(tmp_path / "r")
    run = tmp_path / "r"
    from dqn_exp.training import trainer

    advance, ticks = trainer.Trainer.advance, []

    def ticking(self) -> None:
        advance(self)
        ticks.append(1)
        if len(ticks) == 130:
            self._save(range(len(self._records)))  # Whatever time there is.
        if len(ticks) == 170:
            self._save(range(len(self._records)))
            self._should_stop = lambda: True

    with single_steps(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(trainer.Trainer, "advance", ticking)
        assert command(*arguments, "hydra.run.dir=r").status == 130
    (run / NEWEST).write_bytes((run / NEWEST).read_bytes()[:-50])
    dry = resumed("r", "--dry-run")
    assert re.search(r"resume r, from step 170 \(.*checkpoint.pt: expected a checkpoint", dry.out)
    ended = resumed("r")
    assert ended.status == 0 and results_of(run) == results_of(tmp_path / "peace"), ended
    assert "Ignoring a checkpoint." in (run / "train.log").read_text()
    assert (run / REFUSED).exists()


def test_renamed_runs_are_found_on_every_level(command, resumed, tmp_path):
    levels = "hydra.sweep.subdir=g${agent.gamma}/s${seed}"
    command("-m", "seed=1,2", "agent.gamma=0.9,0.99", levels, "hydra.sweep.dir=s")
    (tmp_path / "s/g0.9/s1").rename(tmp_path / "s/g0.9/first")
    (tmp_path / "s/g0.99").rename(tmp_path / "s/others")
    plan = resumed("s", "--dry-run").out.splitlines()
    assert [line.split() for line in plan[:4]] == [
        ["skip", f"s/{run}:", "completed"]
        for run in ("g0.9/first", "others/s1", "g0.9/s2", "others/s2")
    ]
