"""What --dry-run tells."""

import re

import pytest

from dqn_exp.sweep import dry_run, launcher_options
from dqn_exp.training.population import train_population
from tests.command import files_below
from tests.conftest import make_config


@pytest.fixture(autouse=True)
def short_rehearsal(monkeypatch):
    monkeypatch.setattr(dry_run, "REHEARSAL_SECONDS", 0.1)


def test_a_sweep_tells_its_populations_engine_and_time_and_leaves_nothing(command, tmp_path):
    ended = command("--dry-run", "-m", "agent.batch_size=8,16", "seed=range(3)", "name=s")
    assert ended.status == 0, ended
    lines = ended.out.splitlines()
    assert [line for line in lines if line.startswith("Population")] == [
        f"Population {number}: 3 runs, 160 steps each. Engine native: compiled code supports this "
        "agent and is faster."
        for number in (1, 2)
    ]
    assert len([line for line in lines if re.match(r"  [\d,]+ steps per second", line)]) == 2
    assert "Expected time on this machine: about 00:0" in ended.out
    assert (
        lines[-1] == "This was a dry run: no results were written." and files_below(tmp_path) == {}
    )


def test_a_run_and_a_search_tell_theirs_and_bad_input_is_found(command, tmp_path):
    ended = command("--dry-run", "trainer.total_steps=null", "trainer.total_episodes=3")
    assert ended.status == 0
    assert "Population 1: 1 run, with budgets in episodes." in ended.out
    assert "The expected time is not known, since a budget is in episodes." in ended.out
    ended = command("--dry-run", "-m", "agent.gamma=7,8")
    assert ended.status == 2 and "agent.gamma: expected at most 1" in ended.err
    ended = command(
        *("--dry-run", "-m", "hydra/sweeper=search", "agent.gamma=interval(0.9,0.99)"),
        *("hydra.sweeper.n_trials=4", "hydra.sweeper.seeds=2"),
    )
    assert ended.status == 0 and "Up to 4 trials, each of these populations:" in ended.out
    assert "Population 1: 2 runs, 160 steps each." in ended.out
    assert "without pruning and confirmation." in ended.out
    ended = command("--dry-run", "-m", "hydra/sweeper=basic", "seed=1,2")
    assert ended.status == 2 and "--dry-run: expected hydra/sweeper=population" in ended.err
    assert files_below(tmp_path) == {}


def test_the_expected_time_is_the_steps_over_the_rate(monkeypatch):
    monkeypatch.setattr(dry_run, "measure_rate", lambda configs: 100.0 * len(configs))
    settings = {"trainer__total_episodes": None, "trainer__total_steps": 6_000}
    groups = [[make_config(**settings)] * 2, [make_config(**settings)] * 4]
    lines = list(dry_run.describe_plan(groups, is_remote=False))
    # Twice 6,000 steps of each run at 100 steps per second.
    assert lines[-2] == "Expected time on this machine: about 02:00."
    remote = list(dry_run.describe_plan(groups, is_remote=True))
    assert "since they may train on other machines" in remote[-2]


def test_a_rehearsal_is_of_runs_that_learn_and_leaves_nothing(monkeypatch, tmp_path):
    rehearsed = []

    def train(runs, *arguments):
        rehearsed.extend(runs)
        return train_population(runs, *arguments)

    monkeypatch.setattr(dry_run, "train_population", train)
    config = make_config(agent__learning_starts=5_000, agent__batch_size=8)
    assert dry_run.measure_rate([config, config]) > 100
    assert [run.config.agent.learning_starts for run in rehearsed] == [16, 16]
    assert not any(run.directory.exists() for run in rehearsed)


def test_there_are_as_many_populations_as_processes_would_train(command, monkeypatch):
    monkeypatch.setattr(launcher_options, "num_cores", lambda: 3)
    ended = command("--dry-run", "-m", "seed=range(6)", "hydra/launcher=population_processes")
    populations = [line for line in ended.out.splitlines() if line.startswith("Population")]
    assert [line[:20] for line in populations] == [f"Population {k}: 2 runs" for k in (1, 2, 3)]
