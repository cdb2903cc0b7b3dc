"""The policy of the best evaluation."""

import csv
import itertools

import numpy as np
import pytest
import torch

from dqn_exp.core.random_streams import evaluation_seeds
from dqn_exp.env.rollout import make_visible, play
from dqn_exp.files.checkpoint import BEST, NEWEST, load_checkpoint
from dqn_exp.files.result import read_result
from dqn_exp.training.preflight import evaluation_env
from dqn_exp.training.trained_policy import load_trained_policy
from tests.conftest import make_config, train_in_folders
from tests.stepping import tick
from tests.training.test_population import make_bare_trainer

SETTINGS = {
    "agent__learning_starts": 100,
    "trainer__total_steps": 1_500,
    "trainer__total_episodes": None,
    "eval__every_steps": 100,
    "eval__episodes": 4,
    "network__hidden_sizes": [16],
}


def means_of(folder) -> dict[int, float]:
    with (folder / "evaluations.csv").open() as file:
        rows = [(int(row["step"]), float(row["return"])) for row in csv.DictReader(file)]
    groups = itertools.groupby(rows, key=lambda row: row[0])
    return {step: float(np.mean([value for _, value in part])) for step, part in groups}


@pytest.mark.parametrize("engine", ["native", "torch"])
@pytest.mark.parametrize("normalized", [False, True])
def test_the_best_policy_plays_as_it_did_in_its_evaluation(tmp_path, engine, normalized):
    if engine == "native" and normalized:
        pytest.skip("Torch normalizes observations.")
    configs = [
        make_config(
            seed=seed,
            engine=engine,
            agent__normalize_observations=normalized,
            **{**SETTINGS, "trainer__total_steps": 1_500 - 300 * seed},
        )
        for seed in range(3)
    ]
    folders = [tmp_path / str(seed) for seed in range(3)]
    for folder in folders:
        folder.mkdir()
    train_in_folders(configs, folders)
    is_last = []
    for config, folder in zip(configs, folders, strict=True):
        means = means_of(folder)
        step = max(means, key=lambda one: (means[one], -one))  # The first of the best.
        result = read_result(folder)
        assert (result.best_step, result.best_return_mean) == (step, pytest.approx(means[step]))
        trained = load_trained_policy(folder, is_best=True)
        assert trained.step == step
        env = make_visible(evaluation_env(config), None)
        seeds = evaluation_seeds(config.eval.seed, 4).tolist()
        played = [episode.return_ for episode in play(env, trained.q_values, seeds)]
        assert np.mean(played) == pytest.approx(means[step])
        assert set(load_checkpoint(folder / BEST).state) == {"steps", "engine"}
        is_last.append(step == max(means))
        newest = load_checkpoint(folder / NEWEST).state["engine"]["agent"]["online"]
        best = load_checkpoint(folder / BEST).state["engine"]["agent"]["online"]
        assert torch.equal(newest, best) == is_last[-1]
    assert not all(is_last)  # Otherwise the test would show nothing.


def test_a_run_that_diverges_keeps_its_best_policy(tmp_path):
    trained = {"agent__learning_starts": 500, "agent__learning_rate": 1e30}
    config = make_config(**{**SETTINGS, **trained}, checkpoint__every_steps=None)
    (result,) = train_in_folders([config], [tmp_path])
    assert result.status == "diverged" and result.best_step is not None
    assert load_trained_policy(tmp_path, is_best=True).step == result.best_step
    assert result.best_return_mean == pytest.approx(means_of(tmp_path)[result.best_step])


def test_a_diverged_policy_is_not_the_best_whatever_the_evaluation_before_it(tmp_path):
    config = make_config(**SETTINGS, engine="torch")
    trainer = make_bare_trainer([config], tmp_path)
    record = trainer._records[0]
    while trainer.steps[0] < 299:
        tick(trainer)
    before = int(trainer._best.steps[0])
    record.result.eval_return_mean = 1e9  # As after another budget.
    trainer._agent.online.fill_(torch.nan)
    tick(trainer)
    assert (record.result.status, record.result.steps) == ("diverged", 300)
    assert record.result.best_step == before in (100, 200)


def test_the_best_policy_is_the_same_after_an_interruption(tmp_path):
    config = make_config(**SETTINGS)
    for name in ("whole", "broken"):
        (tmp_path / name).mkdir()
    train_in_folders([config], [tmp_path / "whole"])
    asked = itertools.count()
    train_in_folders([config], [tmp_path / "broken"], lambda: next(asked) == 1_400)
    assert read_result(tmp_path / "broken").status == "interrupted"
    interrupted_at = read_result(tmp_path / "broken").steps
    train_in_folders([config], [tmp_path / "broken"])
    whole, broken = (load_checkpoint(tmp_path / name / BEST) for name in ("whole", "broken"))
    assert whole.counts == broken.counts == {} and whole.config == broken.config
    assert int(whole.state["steps"]) == int(broken.state["steps"])
    parameters = [one.state["engine"]["agent"]["online"] for one in (whole, broken)]
    assert torch.equal(*parameters)
    results = [read_result(tmp_path / name) for name in ("whole", "broken")]
    assert results[0].best_step == results[1].best_step
    # Before the interruption: the resumed run has not made it itself.
    assert results[0].best_step <= interrupted_at
