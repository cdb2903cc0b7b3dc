"""Optuna's study: samplers that forget nothing, and the journal of a killed process."""

import json

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from dqn_exp.files.job_list import JOURNAL
from dqn_exp.search.options import to_search_options
from dqn_exp.search.space import suggest
from dqn_exp.search.study import Budget, best_trials, mend_journal, open_study
from tests.search.test_options import defaults

BUDGET = Budget(10, 100, 2)
SPACE = {
    "a": FloatDistribution(1e-3, 1.0, log=True),
    "b": IntDistribution(1, 9),
    "c": CategoricalDistribution(["x", "y"]),
}


def options(**changes):
    return to_search_options({**defaults(), **changes})


def value_of(params):
    return -abs(params["a"] - 0.1) - abs(params["b"] - 4) + (params["c"] == "y")


def ask(study):
    trial = study.ask()
    for key, distribution in SPACE.items():
        suggest(trial, key, distribution)
    return trial


@pytest.mark.parametrize(
    "sampler", ["tpe", "cmaes", "random", "qmc", pytest.param("gp", marks=pytest.mark.slow)]
)
def test_a_study_that_is_opened_for_each_trial_samples_as_one_that_stays_open(sampler, tmp_path):
    chosen = options(sampler=sampler)
    folders = [tmp_path / "kept", tmp_path / "opened"]
    for folder in folders:
        folder.mkdir()
        study = open_study(folder, chosen, BUDGET)
        for _ in range(14):
            if folder.name == "opened":
                study = open_study(folder, chosen, BUDGET)
            trial = ask(study)
            study.tell(trial, value_of(trial.params))
    kept, opened = (
        [one.params for one in open_study(folder, chosen, BUDGET).trials] for folder in folders
    )
    assert kept == opened and len({str(one) for one in kept}) > 7


def test_a_trial_that_was_killed_while_it_was_sampled_gets_the_same_values(tmp_path):
    for name in ("whole", "killed"):
        (tmp_path / name).mkdir()
    whole = ask(open_study(tmp_path / "whole", options(), BUDGET)).params
    half = open_study(tmp_path / "killed", options(), BUDGET).ask()
    suggest(half, "a", SPACE["a"])
    study = open_study(tmp_path / "killed", options(), BUDGET)
    (frozen,) = study.trials
    trial = optuna.trial.Trial(study, frozen._trial_id)
    for key, distribution in SPACE.items():
        suggest(trial, key, distribution)
    assert trial.params == whole


def test_other_seeds_give_other_trials(tmp_path):
    params = []
    for seed in range(3):
        (tmp_path / str(seed)).mkdir()
        params.append(ask(open_study(tmp_path / str(seed), options(sampler_seed=seed), BUDGET)))
    assert len({str(trial.params) for trial in params}) == 3


def test_the_journal_of_a_killed_process_is_mended(tmp_path):
    study = open_study(tmp_path, options(), BUDGET)
    study.tell(ask(study), 3.0)
    journal = tmp_path / JOURNAL
    whole = journal.read_bytes()
    journal.write_bytes(whole + json.dumps({"op_code": 4}).encode()[:7])
    (tmp_path / f"{JOURNAL}.lock").symlink_to(journal)
    mend_journal(tmp_path)
    assert journal.read_bytes() == whole
    again = open_study(tmp_path, options(), BUDGET)
    again.tell(ask(again), 5.0)
    assert [trial.values for trial in best_trials(again)] == [[5.0], [3.0]]
