"""Results as tables, pictures and a report."""

import sys
from pathlib import Path

import numpy as np
import pytest

from dqn_exp.api.results import Results
from dqn_exp.core.errors import ConfigError
from dqn_exp.files.filmstrip_file import FilmstripFile, write_filmstrip
from dqn_exp.files.job_list import JobEntry, begin_job_list
from tests.conftest import config_values
from tests.sweep_files import SWEPT, returns_of, write_run, write_single, write_sweep


def test_settings_are_those_of_the_report(tmp_path):
    write_sweep(tmp_path / "s", SWEPT, returns_of)
    results = Results(tmp_path / "s")
    settings = results.settings
    assert settings["rank"].tolist() == [1, 2, 3, 4, 5, 6]
    assert settings["iqm"].is_monotonic_decreasing
    best = {key: settings.iloc[0][key] for key in ("agent.gamma", "agent.epsilon")}
    assert results.best == best
    assert "  1. " in repr(results) and str(tmp_path / "s") in repr(results)
    with pytest.raises(ConfigError, match="confirmation: expected the directory of a run or a sw"):
        _ = results.confirmation


def test_pictures_are_figures_and_the_report_is_a_page(tmp_path):
    write_sweep(tmp_path / "s", SWEPT, returns_of)
    results = Results(tmp_path / "s")
    (axes,) = results.plot("curves").axes
    assert axes.get_xlabel() == "environment steps"
    with pytest.raises(ValueError, match="expected one of settings, curves, sensitivity_gamma"):
        results.plot("nothing")
    frames = np.zeros((3, 4, 5, 1), dtype=np.uint8)
    for directory in results.runs["directory"]:
        write_filmstrip(Path(directory), FilmstripFile(9, frames, np.arange(3), 0, 255))
    (axes,) = Results(tmp_path / "s").plot("frames").axes
    assert len(axes.images) == 3
    assert results.report() == tmp_path / "s/report/index.html"
    with pytest.raises(ConfigError, match="rank_by: expected one of iqm, area, steps, min"):
        results.report(rank_by="speed")


def test_groups_that_cannot_be_compared_have_their_own_ranks(tmp_path):
    swept = {"env.id": ["CartPole-v1", "Acrobot-v1"], "agent.gamma": [0.9, 0.98], "seed": [0, 1]}
    write_sweep(tmp_path / "s", swept, lambda values: {100: values["agent.gamma"]})
    settings = Results(tmp_path / "s").settings
    assert settings["group"].tolist() == [
        f"env.id={name}" for name in swept["env.id"] for _ in "ab"
    ]
    assert settings["rank"].tolist() == [1, 2, 1, 2]


def test_several_directories_are_one_table(tmp_path):
    write_sweep(tmp_path / "a", {"seed": [1, 2]}, lambda values: {100: 5.0})
    write_single(tmp_path / "b", {100: 5.0}, agent__gamma=0.5)
    results = Results(tmp_path / "a", tmp_path / "b")
    assert results.runs.index.tolist() == ["a/0_seed=1", "a/1_seed=2", "b/b"]
    assert results.runs["agent.gamma"].tolist() == [0.98, 0.98, 0.5]
    assert len(results.episodes) == 0 and len(results.evaluations) == 6


def test_runs_that_have_not_begun_are_in_the_table(tmp_path):
    write_sweep(tmp_path / "a", {"seed": [1, 2]}, lambda v: {10: 1.0} if v["seed"] == 1 else None)
    runs = Results(tmp_path / "a").runs
    assert runs["status"].tolist() == ["completed", "pending"]
    assert runs["objective"].isna().tolist() == [False, True]


def test_seeds_of_episodes_keep_all_their_digits(tmp_path):
    write_sweep(tmp_path / "a", {"seed": [1]}, lambda values: {100: 5.0})
    (path,) = (tmp_path / "a").glob("0*/evaluations.csv")
    path.write_text("step,episode,seed,return,length\n100,0,9007199254740993,1.0,9\n")
    assert Results(tmp_path / "a").evaluations["seed"].tolist() == [9007199254740993]


def test_what_is_no_result_and_what_is_missing_is_told(tmp_path, monkeypatch):
    with pytest.raises(ConfigError, match="expected the directory of a run or a sweep"):
        Results(tmp_path / "nothing")
    write_sweep(tmp_path / "a", {"seed": [1]}, lambda values: {100: 5.0})
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match="pip install 'dqn-exp\\[notebook\\]'"):
        _ = Results(tmp_path / "a").runs


def test_the_best_setting_can_be_passed_on(tmp_path):
    entries = []
    texts = {"buffer": "uniform", "buffer.priority_exponent": "", "env.kwargs": "{a:{b:1}}"}
    swept = {**texts, "env.kwargs2.c": "2", "agent.max_grad_norm": "null", "seed": "0"}
    config = config_values(env__kwargs={"a": {"b": 1}}, env__kwargs2={"c": 2})
    entries.append(JobEntry(0, "run", "run", [], swept, {}, config))
    write_run(tmp_path / "run", {100: 1.0})
    begin_job_list(tmp_path, {"overrides": {"task": ["+env.kwargs2.c=2,3"]}}, entries)
    assert Results(tmp_path).best == {
        **{"buffer": "uniform", "env.kwargs": {"a": {"b": 1}}},
        **{"+env.kwargs2.c": 2, "agent.max_grad_norm": None},
    }
