"""Optimisation with Hydra's sweeper for Optuna: a batch of trials is a population."""

import re

import pytest
import yaml

from tests.command import check_complete, run_apart, table_of

TINY = (
    "-m", "experiment=book_optuna", "trainer.total_steps=700", "num_threads=1",
    "log.progress=false", "eval.episodes=3", "agent.learning_starts=64",
    "hydra.sweeper.n_trials=6", "hydra.sweeper.n_jobs=3", "hydra.sweep.dir=s",
)  # fmt: skip


def test_a_batch_of_trials_is_a_population_and_the_best_one_is_told(tmp_path):
    ended = run_apart(TINY, tmp_path)
    assert ended.status == 0, ended
    assert ended.out.count("Training 3 runs as 1 population.") == 2
    rows = table_of(tmp_path / "s")
    swept = {"agent.learning_rate", "agent.gamma", "agent.epsilon", "agent.target_update_period"}
    assert len(rows) == 6 and swept < rows[0].keys()
    for row in rows:
        result = check_complete(tmp_path / "s" / row["dir"])
        assert float(row["objective"]) == result["objective"]
        config = yaml.safe_load((tmp_path / "s" / row["dir"] / ".hydra/config.yaml").read_text())
        assert 1e-4 <= config["agent"]["learning_rate"] <= 1e-2
        assert 1 <= config["agent"]["target_update_period"] <= 200
        assert config["agent"]["bootstrap_truncated"] is False  # It is the book's.
    told = yaml.safe_load((tmp_path / "s/optimization_results.yaml").read_text())
    best = max(rows, key=lambda row: float(row["objective"]))
    assert told["best_value"] == float(best["objective"])
    assert {key: str(value) for key, value in told["best_params"].items()}.items() <= best.items()


@pytest.mark.slow
def test_a_trial_that_diverges_does_not_end_the_search(tmp_path):
    search = ("agent.learning_rate=choice(1e-3,1e30)", "agent.gamma=0.9", "hydra.sweeper.n_jobs=1")
    ended = run_apart([*TINY, *search], tmp_path)
    assert ended.status == 0, ended
    rows = table_of(tmp_path / "s")
    swept = {"agent.learning_rate", "agent.epsilon", "agent.target_update_period"}
    assert rows[0].keys() == {"job", "dir", "status", "objective", *swept}
    statuses = {row["status"] for row in rows}
    assert statuses == {"completed", "diverged"}
    assert re.search(r"Best value: \d", ended.out)
