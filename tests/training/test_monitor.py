"""A monitor takes the evaluations of runs, and prunes some."""

import shutil

import numpy as np
import pytest

from dqn_exp.training.population import Run, train_population
from dqn_exp.training.progress import NoProgress
from tests.conftest import ignore_results, make_config, never


class Judge:
    """Prunes some runs from a step on, and keeps what it was told."""

    def __init__(self, runs, step):
        self.pruned, self.seen = [], []
        self._runs, self._step = runs, step

    def add_evaluation(self, run, step, returns):
        self.seen.append((run, step, returns.tolist()))
        if step >= self._step:
            self.pruned = self._runs


def train(folder, monitor, engine):
    configs = [
        make_config(
            engine=engine,
            seed=seed,
            env__max_episode_steps=20,
            network__hidden_sizes=[4],
            agent__learning_starts=64,
            eval__every_steps=100,
            eval__episodes=2,
            trainer__total_steps=600,
        )
        for seed in range(4)
    ]
    runs = [Run(one, folder / str(index), {}) for index, one in enumerate(configs)]
    for run in runs:
        run.directory.mkdir(exist_ok=True)
    return runs, train_population(runs, ignore_results, never, NoProgress(), monitor)


@pytest.mark.parametrize("engine", ["native", "torch"])
def test_pruned_runs_end_and_the_others_are_as_they_would_be(engine, tmp_path):
    for name in ("whole", "pruned"):
        (tmp_path / name).mkdir()
    runs, _ = train(tmp_path / "whole", Judge([], 0), engine)
    judge = Judge([1, 3], 300)
    own, results = train(tmp_path / "pruned", judge, engine)
    assert [one.status for one in results] == ["completed", "pruned", "completed", "pruned"]
    for index, result in enumerate(results):
        whole, found = (one[index].directory for one in (runs, own))
        expected = (whole / "evaluations.csv").read_text()
        evaluations = (found / "evaluations.csv").read_text()
        if index in (1, 3):
            assert 300 <= result.steps < 600 and result.objective is None
            assert expected.startswith(evaluations) and result.eval_return_mean is not None
        else:
            assert evaluations == expected and result.steps == 600
    # It is told the evaluations that are in the files.
    for run, step, returns in judge.seen:
        lines = (own[run].directory / "evaluations.csv").read_text().splitlines()[1:]
        rows = [line.split(",") for line in lines]
        assert returns == [float(row[3]) for row in rows if int(row[0]) == step]


def test_a_run_that_was_pruned_stays_so(tmp_path):
    train(tmp_path, Judge([1, 3], 300), "native")
    before = (tmp_path / "1/result.json").read_bytes()
    _, results = train(tmp_path, Judge([], 0), "native")
    assert [one.status for one in results] == ["completed", "pruned", "completed", "pruned"]
    assert (tmp_path / "1/result.json").read_bytes() == before


def test_a_resumed_population_numbers_its_runs_as_before(tmp_path):
    """Also if the first ones have ended."""
    _, results = train(tmp_path, Judge([0, 1], 100), "native")
    for index in (2, 3):
        shutil.rmtree(tmp_path / str(index))
    judge = Judge([3], 200)
    _, results = train(tmp_path, judge, "native")
    assert [one.status for one in results] == ["pruned", "pruned", "completed", "pruned"]
    assert {run for run, *_ in judge.seen} == {2, 3}
    assert np.isfinite([one.eval_return_mean for one in results]).all()
