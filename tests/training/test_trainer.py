"""The order of events: what is stored, when runs learn, are recorded and end."""

import csv
import json
import re
from pathlib import Path

import numpy as np
import pytest

from dqn_exp.training.trainer import Trainer
from tests import probes
from tests.conftest import make_config
from tests.stepping import single_steps, tick
from tests.training.test_population import make_bare_trainer

probes.register()

LIMIT = 8
COUNTING = {
    "env__id": "ProbeCounting-v0",
    "env__max_episode_steps": LIMIT,
    "agent__learning_starts": 30,
    "agent__batch_size": 4,
    "agent__epsilon": 1.0,
    "eval__every_steps": None,
    "eval__episodes": 2,
    "network__hidden_sizes": [4],
}


def read_csv(path: Path) -> list[dict[str, float]]:
    with path.open() as file:
        return [{key: float(value) for key, value in row.items()} for row in csv.DictReader(file)]


def stored(trainer: Trainer, row: int) -> list[tuple[np.ndarray, ...]]:
    """The transitions of a run that has not filled its ring, oldest first."""
    buffer = trainer._engine.buffer
    begin, size = buffer.offsets[row], buffer.sizes[row]
    packed = buffer.storage[begin : begin + size].numpy()
    return [(p[:4], p[4:8], p[8], p[10], p[9]) for p in packed]


def test_every_stored_transition_is_the_one_that_happened(tmp_path):
    gammas, bootstraps = (0.9, 0.99, 0.5), (True, False, True)
    configs = [
        make_config(
            **COUNTING,
            seed=run,
            agent__gamma=gammas[run],
            agent__bootstrap_truncated=bootstraps[run],
        )
        for run in range(3)
    ]
    trainer = make_bare_trainer(configs, tmp_path)
    for _ in range(400):
        tick(trainer)
    for run in range(3):
        transitions, ends = stored(trainer, run), {"terminated": 0, "truncated": 0}
        assert len(transitions) == 400
        previous_end = None
        for observation, after, action, reward, discount in transitions:
            name, count, last, _ = observation
            assert after.tolist() == [name, count + 1, last, action]
            assert reward == count + 1 <= LIMIT
            assert count == 0 if previous_end is None else observation.tolist() == previous_end
            terminated, truncated = count + 1 == last, count + 1 == LIMIT
            has_no_future = terminated or (truncated and not bootstraps[run])
            assert discount == np.float32(0.0 if has_no_future else gammas[run])
            ends["terminated"] += terminated
            ends["truncated"] += truncated and not terminated
            previous_end = None if terminated or truncated else after.tolist()
        assert min(ends.values()) > 5
        assert sum(ends.values()) == trainer._episodes.counts[run]


def test_episodes_are_recorded_as_they_happened(train):
    (folder,) = train([make_config(**COUNTING, trainer__total_steps=300)], "runs")
    rows, step = read_csv(folder / "episodes.csv"), 0
    for number, row in enumerate(rows):
        length = int(row["length"])
        step += length
        assert row["episode"] == number and row["step"] == step
        assert row["return"] == length * (length + 1) / 2
        assert row["terminated"] == 1 or length == LIMIT
    assert 300 - LIMIT < step <= 300 and any(row["terminated"] == 0 for row in rows)


@pytest.mark.parametrize(("train_every", "gradient_steps"), [(1, 1), (3, 1), (1, 2), (4, 3)])
def test_runs_learn_when_they_should(tmp_path, train_every, gradient_steps):
    starts = (5, 17)
    configs = [
        make_config(
            **COUNTING | {"agent__learning_starts": start, "agent__train_every": train_every},
            agent__gradient_steps=gradient_steps,
        )
        for start in starts
    ]
    trainer = make_bare_trainer(configs, tmp_path)
    for step in range(1, 40):
        tick(trainer)
        for run, start in enumerate(starts):
            times = sum(
                1 for past in range(1, step + 1) if past > start and past % train_every == 0
            )
            assert trainer._agent.updates[run] == times * gradient_steps


def test_runs_end_at_their_own_budgets_and_the_others_go_on(train):
    budgets = [(100, None), (None, 10), (50, 10_000), (10_000, 3), (70, None)]
    configs = [
        make_config(
            **COUNTING, trainer__total_steps=steps, trainer__total_episodes=episodes, seed=i
        )
        for i, (steps, episodes) in enumerate(budgets)
    ]
    for folder, (steps, episodes) in zip(train(configs, "runs"), budgets, strict=True):
        result = json.loads((folder / "result.json").read_text())
        rows = read_csv(folder / "episodes.csv")
        assert result["status"] == "completed" and result["episodes"] == len(rows)
        if episodes in (10, 3):
            assert len(rows) == episodes and rows[-1]["step"] == result["steps"]
        else:
            assert result["steps"] == steps
        assert result["updates"] == max(result["steps"] - 30, 0)
        evaluations = read_csv(folder / "evaluations.csv")
        assert [row["step"] for row in evaluations] == [result["steps"]] * 2
        assert result["objective"] == np.mean([row["return"] for row in evaluations])


@pytest.mark.parametrize("engine", ["native", "torch"])
def test_a_run_ends_at_the_first_evaluation_that_reaches_its_return(engine, train):
    configs = [
        make_config(
            engine=engine,
            env__max_episode_steps=60,
            agent__learning_starts=64,
            agent__batch_size=16,
            network__hidden_sizes=[8],
            eval__every_steps=100,
            eval__episodes=2,
            trainer__total_steps=900,
            trainer__stop_at_return=stop,
            seed=seed,
        )
        for seed in range(3)
        for stop in (None, 8.0, 20.0, 1e6)
    ]
    folders = train(configs, "runs")
    stopped = []
    for row, folder in enumerate(folders):
        result = json.loads((folder / "result.json").read_text())
        found = read_csv(folder / "evaluations.csv")
        steps = list(dict.fromkeys(one["step"] for one in found))
        means = [np.mean([one["return"] for one in found if one["step"] == s]) for s in steps]
        # What a run without it does.
        whole = read_csv(folders[row - row % 4] / "evaluations.csv")
        assert found == whole[: len(found)]
        stop = configs[row].trainer.stop_at_return or np.inf
        assert result["status"] == "completed" and result["steps"] == steps[-1]
        assert all(mean < stop for mean in means[:-1])
        assert means[-1] >= stop or steps[-1] == 900
        stopped.append(steps[-1] < 900)
    assert any(stopped) and not all(stopped[1::4] + stopped[2::4] + stopped[3::4])


def test_evaluations_come_when_due_and_once_at_the_end(train):
    configs = [
        make_config(
            **COUNTING | {"eval__every_steps": every}, trainer__total_steps=60, eval__seed=seed
        )
        for every, seed in ((20, 0), (25, 0), (None, 1))
    ]
    folders = train(configs, "runs")
    tables = [read_csv(folder / "evaluations.csv") for folder in folders]
    steps = [sorted({row["step"] for row in table}) for table in tables]
    assert steps == [[20, 40, 60], [25, 50, 60], [60]]
    seeds = [[row["seed"] for row in table if row["step"] == 60] for table in tables]
    assert seeds[0] == seeds[1] != seeds[2]
    assert all(row["return"] == row["length"] * (row["length"] + 1) / 2 for row in tables[0])


def test_an_environment_that_breaks_fails_the_population_with_its_traceback(train, caplog):
    config = make_config(**COUNTING, env__kwargs={"is_broken_at": 8})
    (folder,) = train([config], "runs")
    result = json.loads((folder / "result.json").read_text())
    assert result["status"] == "failed"
    where = r"at step 8 of training episode \d+ \(seed \d+\)\."
    assert re.search(rf"RuntimeError: the environment is broken \(.*, {where}", result["error"])
    assert "Traceback" in caplog.text and "tests/probes.py" in caplog.text


def test_a_stopped_population_leaves_whole_files(tmp_path):
    trainer = make_bare_trainer(
        [make_config(**COUNTING), make_config(**COUNTING, seed=1)], tmp_path
    )
    ticks = iter([False] * 50 + [True])
    trainer._should_stop = lambda: next(ticks)
    with single_steps():
        trainer.train()
    for run in range(2):
        result = json.loads((tmp_path / str(run) / "result.json").read_text())
        assert result["status"] == "interrupted" and result["steps"] == 50
        assert len(read_csv(tmp_path / str(run) / "episodes.csv")) == result["episodes"] > 3


def test_parameters_that_are_not_finite_at_the_end_are_a_divergence(tmp_path):
    trainer = make_bare_trainer([make_config(**COUNTING, trainer__total_steps=3)], tmp_path)
    trainer._agent.online[0, 0] = float("nan")
    trainer.train()
    result = json.loads((tmp_path / "0" / "result.json").read_text())
    assert result["status"] == "diverged" and result["objective"] is None
    assert result["error"] == "Loss or parameters not finite at step 3."
