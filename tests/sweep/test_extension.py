"""Completed runs that go on to a larger budget."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from dqn_exp.files.job_list import read_job_list
from dqn_exp.sweep import extension
from dqn_exp.training import trainer
from tests.command import files_below, table_of
from tests.conftest import results_of
from tests.stepping import single_steps


@pytest.mark.parametrize("every", ["null", "80", "30"])
def test_a_run_goes_on_as_if_it_had_never_stopped(command, resumed, tmp_path, every):
    own = ("seed=7", f"eval.every_steps={every}")
    command(*own, "trainer.total_steps=80", "hydra.run.dir=short")
    command(*own, "trainer.total_steps=200", "hydra.run.dir=long")
    ended = resumed("short", "trainer.total_steps=200")
    assert ended.status == 0, ended
    assert results_of(tmp_path / "short") == results_of(tmp_path / "long")
    result = json.loads((tmp_path / "short/result.json").read_text())
    assert (result["status"], result["steps"]) == ("completed", 200)
    assert "total_steps: 200" in (tmp_path / "short/.hydra/config.yaml").read_text()
    assert "Training 0 of 1 run." in resumed("short").out  # The larger budget has been saved.


def test_an_evaluation_that_a_longer_run_does_not_make_is_forgotten(
    command, resumed, tmp_path, monkeypatch
):
    own = ("seed=3", "eval.every_steps=30", "agent.learning_starts=20", "agent.learning_rate=0.05")
    advance = trainer.Trainer.advance

    def advance_and_diverge(self) -> None:
        advance(self)
        if self.steps[0] == 89:  # Found at the next step, at which it is to be evaluated.
            self._agent.online.fill_(torch.nan)

    command(*own, "trainer.total_steps=80", "hydra.run.dir=short")
    before = json.loads((tmp_path / "short/result.json").read_text())
    monkeypatch.setattr(trainer.Trainer, "advance", advance_and_diverge)
    with single_steps():
        command(*own, "trainer.total_steps=200", "hydra.run.dir=long")
        resumed("short", "trainer.total_steps=200")
    found, expected = (
        json.loads((tmp_path / name / "result.json").read_text()) for name in ("short", "long")
    )
    names = ("status", "steps", "eval_return_mean", "eval_return_std", "best_step")
    assert [found[name] for name in names] == [expected[name] for name in names]
    assert found["status"] == "diverged" and found["steps"] == 90
    assert found["eval_return_mean"] != before["eval_return_mean"]


def test_a_sweep_goes_on_also_if_that_was_interrupted(command, resumed, tmp_path, monkeypatch):
    command("-m", "seed=1,2", "trainer.total_steps=60", "hydra.sweep.dir=s")
    command("-m", "seed=1,2", "trainer.total_steps=120", "hydra.sweep.dir=t")
    write, count = extension._extend_result, iter(range(9))

    def stop(one) -> None:
        if next(count) == 1:
            raise KeyboardInterrupt
        write(one)

    monkeypatch.setattr(extension, "_extend_result", stop)
    assert resumed("s", "trainer.total_steps=120").status == 130
    monkeypatch.setattr(extension, "_extend_result", write)
    assert resumed("s", "trainer.total_steps=120").status == 0
    rows = table_of(tmp_path / "s")
    assert rows == table_of(tmp_path / "t")
    for row in rows:
        assert results_of(tmp_path / "s" / row["dir"]) == results_of(tmp_path / "t" / row["dir"])


def test_what_follows_the_budget_is_told(command, resumed, tmp_path):
    schedule = ("agent.epsilon_start=1", "agent.epsilon_decay_steps=${trainer.total_steps}")
    command(*schedule, "trainer.total_steps=60", "hydra.run.dir=r")
    ended = resumed("r", "trainer.total_steps=90")
    line = "agent.epsilon_decay_steps stays 60; in a single run of this budget it would be 90"
    assert ended.status == 0 and line in ended.out
    assert "Training 0 of 1 run." in resumed("r").out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("s/0_seed=1", "trainer.total_steps=90"), "expected the directory of the sweep"),
        (
            ("s", "trainer.total_steps=30"),
            "expected at least the 60 steps that s/0_seed=1 has done",
        ),
        (("s", "trainer.total_steps=abc"), "trainer.total_steps: expected an integer, got 'abc'"),
        (("u", "trainer.total_steps=90"), "expected a key that the sweep does not sweep over"),
        (("s", "agent.gamma=0.5"), "agent.gamma: would change the results; expected one of"),
    ],
)
def test_what_cannot_go_on_is_refused_and_left_as_it_is(
    command, resumed, tmp_path, arguments, message
):
    command("-m", "seed=1,2", "trainer.total_steps=60", "hydra.sweep.dir=s")
    command("-m", "trainer.total_steps=20,60", "hydra.sweep.dir=u")
    before = files_below(tmp_path)
    ended = resumed(*arguments)
    assert ended.status == 2 and message in ended.err, ended
    assert files_below(tmp_path) == before


def test_an_interrupted_extension_is_finished_by_resuming(command, resumed, tmp_path, monkeypatch):
    command("-m", "seed=1,2", "trainer.total_steps=60", "hydra.sweep.dir=s")
    command("-m", "seed=1,2", "trainer.total_steps=120", "hydra.sweep.dir=t")
    write, count = extension._extend_hydra, iter(range(9))

    def stop(one) -> None:
        if next(count) == 1:
            raise KeyboardInterrupt
        write(one)

    monkeypatch.setattr(extension, "_extend_hydra", stop)
    assert resumed("s", "trainer.total_steps=120").status == 130
    monkeypatch.setattr(extension, "_extend_hydra", write)
    assert resumed("s").status == 0 and not (tmp_path / "s/extension.json").exists()
    for row in table_of(tmp_path / "t"):
        assert results_of(tmp_path / "s" / row["dir"]) == results_of(tmp_path / "t" / row["dir"])


def damage_checkpoint(run: Path) -> None:
    (run / "checkpoint.pt").write_bytes((run / "checkpoint.pt").read_bytes()[:99])


def damage_table(run: Path) -> None:
    text = (run / "evaluations.csv").read_text()
    (run / "evaluations.csv").write_text(text.replace("60,0,", "60,1,"))


def remove_checkpoint(run: Path) -> None:
    (run / "checkpoint.pt").unlink()


@pytest.mark.parametrize("spoil", [damage_checkpoint, damage_table, remove_checkpoint])
def test_damaged_files_are_found_before_anything_changes(command, resumed, tmp_path, spoil):
    command("-m", "seed=1,2", "trainer.total_steps=60", "hydra.sweep.dir=s")
    spoil(tmp_path / "s/1_seed=2")
    before = files_below(tmp_path)
    ended = resumed("s", "trainer.total_steps=90")
    assert ended.status == 2 and "s/1_seed=2" in ended.err, ended
    assert files_below(tmp_path) == before


def test_a_run_that_has_reached_its_other_budget_keeps_its_evaluation(command, resumed, tmp_path):
    budgets = ("trainer.total_steps=500", "trainer.total_episodes=3", "eval.every_steps=null")
    command(*budgets, "hydra.run.dir=r")
    before = results_of(tmp_path / "r")
    dry = resumed("r", "trainer.total_steps=900", "--dry-run")
    assert dry.out.splitlines()[0] == "leave  r (its budget is reached)"
    assert resumed("r", "trainer.total_steps=900").status == 0
    after = results_of(tmp_path / "r")
    assert after["evaluations.csv"] == before["evaluations.csv"]
    result = json.loads((tmp_path / "r/result.json").read_text())
    assert result["status"] == "completed" and result["objective"] is not None


def test_a_second_extension_still_knows_what_follows_the_budget(command, resumed):
    schedule = ("agent.epsilon_start=1", "agent.epsilon_decay_steps=${trainer.total_steps}")
    command(*schedule, "trainer.total_steps=60", "hydra.run.dir=r")
    resumed("r", "trainer.total_steps=70")
    ended = resumed("r", "trainer.total_steps=90")
    line = "agent.epsilon_decay_steps stays 60; in a single run of this budget it would be 90"
    assert ended.status == 0 and line in ended.out


def test_a_larger_budget_does_not_keep_the_launcher_of_the_command(command, resumed, tmp_path):
    command("-m", "seed=1", "trainer.total_steps=60", "hydra.sweep.dir=s")
    resumed("s", "trainer.total_steps=70", "hydra.launcher.max_population_size=1")
    saved = (tmp_path / "s/jobs.jsonl").read_text()
    assert '"max_population_size": 1' not in saved and "total_steps=70" in saved


def test_a_budget_that_is_as_large_already_changes_nothing(command, resumed, tmp_path):
    command("seed=1", "trainer.total_steps=60", "eval.every_steps=null", "hydra.run.dir=r")
    before = files_below(tmp_path)
    assert resumed("r", "trainer.total_steps=60").status == 0
    assert files_below(tmp_path) == before


def test_nothing_is_changed_where_the_runs_cannot_train(command, resumed, tmp_path, monkeypatch):
    command("-m", "seed=1,2", "trainer.total_steps=60", "hydra.sweep.dir=s")
    before = files_below(tmp_path)
    ended = resumed("s", "trainer.total_steps=90", "device=cuda:99")
    assert ended.status == 2 and "device: expected a device of this machine" in ended.err
    assert files_below(tmp_path) == before


def test_a_budget_of_episodes_can_replace_one_of_steps(command, resumed, tmp_path):
    command("-m", "seed=1,2", "trainer.total_steps=60", "hydra.sweep.dir=s")
    ended = resumed("s", "trainer.total_steps=null", "trainer.total_episodes=2e1")
    assert ended.status == 0, ended
    for entry in read_job_list(tmp_path / "s")[1]:
        assert entry.overrides[-2:] == ["trainer.total_steps=null", "trainer.total_episodes=20"]
    (tmp_path / "s/extension.json").write_text("[]")
    ended = resumed("s")
    assert ended.status == 2 and "extension.json: expected new values of trainer.tot" in ended.err


def test_a_dry_run_changes_nothing(command, resumed, tmp_path):
    command("seed=1", "trainer.total_steps=60", "hydra.run.dir=r")
    before = files_below(tmp_path)
    ended = resumed("r", "trainer.total_steps=90", "--dry-run")
    assert ended.out.splitlines()[0] == "extend r to trainer.total_steps=90"
    assert files_below(tmp_path) == before


def test_a_return_that_is_reached_only_at_the_end_of_a_smaller_budget_does_not_count(
    command, resumed, tmp_path
):
    for seed in range(9):  # The evaluation of step 400 is due only where the run ends there.
        own = (f"seed={seed}", "eval.every_steps=300", "agent.learning_rate=0.01")
        command(*own, "trainer.total_steps=400", f"hydra.run.dir={seed}")
        rows = table_of_evaluations(tmp_path / str(seed))
        if rows[400] > rows[300]:
            break
    assert rows[400] > rows[300]
    own = (*own, f"trainer.stop_at_return={(rows[300] + rows[400]) / 2}")
    command(*own, "trainer.total_steps=400", "hydra.run.dir=short")
    command(*own, "trainer.total_steps=700", "hydra.run.dir=long")
    assert resumed("short", "trainer.total_steps=700").status == 0
    assert results_of(tmp_path / "short") == results_of(tmp_path / "long")
    assert json.loads((tmp_path / "long/result.json").read_text())["steps"] > 400


def test_a_run_that_stopped_at_its_return_has_the_bytes_of_one_with_a_larger_budget(
    command, resumed, tmp_path
):
    own = ("eval.every_steps=60", "trainer.stop_at_return=1")
    command(*own, "trainer.total_steps=80", "hydra.run.dir=short")
    command(*own, "trainer.total_steps=200", "hydra.run.dir=long")
    assert resumed("short", "trainer.total_steps=200").status == 0
    assert results_of(tmp_path / "short") == results_of(tmp_path / "long")


def table_of_evaluations(run: Path) -> dict[int, float]:
    """Mean returns by step."""
    with (run / "evaluations.csv").open() as file:
        rows = list(csv.DictReader(file))
    steps = {int(row["step"]) for row in rows}
    return {
        step: float(np.mean([float(row["return"]) for row in rows if int(row["step"]) == step]))
        for step in steps
    }


def test_an_extension_that_was_killed_as_it_wrote_its_last_file_is_finished(
    command, resumed, tmp_path
):
    command("-m", "seed=1,2", "trainer.total_steps=60", "hydra.sweep.dir=s")
    (run, _) = sorted((tmp_path / "s").glob("*_seed=*"))
    before = (run / ".hydra/overrides.yaml").read_text()
    assert resumed("s", "trainer.total_steps=120").status == 0
    after = (run / ".hydra/overrides.yaml").read_text()
    (run / ".hydra/overrides.yaml").write_text(before)
    (tmp_path / "s/extension.json").write_text('{"trainer.total_steps": 120}')
    assert resumed("s").status == 0 and not (tmp_path / "s/extension.json").exists()
    assert (run / ".hydra/overrides.yaml").read_text() == after != before
