"""Jobs of a sweep."""

import pytest
from omegaconf import OmegaConf

from dqn_exp.files.job_list import JobEntry
from dqn_exp.sweep.job import key_of, make_job, title_of, to_entry, to_job
from tests.conftest import config_values, make_config

OVERRIDES = ["agent.gamma=0.9", "+env.kwargs.goal_velocity=1", "hydra.verbose=true"]


def make(tmp_path, overrides=OVERRIDES):
    hydra = {"job": {"num": None, "id": None}, "runtime": {"output_dir": None}}
    values = config_values(agent__gamma=0.9)
    entry = JobEntry(3, "", "gamma=0.9", list(overrides), {}, {"A": "1"}, values)
    config = OmegaConf.create({**values, "hydra": {**hydra, "overrides": {"task": []}}})
    directory = tmp_path / "s/3_gamma"
    checked = make_config(agent__gamma=0.9)
    return config, make_job(config, entry=entry, checked=checked, directory=directory)


@pytest.mark.parametrize(
    ("override", "key"),
    [("agent.gamma=0.9", "agent.gamma"), ("+a.b=1", "a.b"), ("++a=b=c", "a"), ("~a", "a")],
)
def test_the_key_of_an_override_is_what_it_sets(override, key):
    assert key_of(override) == key


def test_a_title_has_the_swept_overrides():
    assert title_of(OVERRIDES, ["agent.gamma"]) == "agent.gamma=0.9"
    assert title_of(OVERRIDES, []) == ""


@pytest.mark.parametrize(
    ("override", "value"),
    [
        ("agent.gamma=0.9", "0.9"),
        ("agent.gamma='a b'", "a b"),
        (r"agent.gamma=a\,b", "a,b"),
        ("agent.gamma=x=y", "x=y"),
        ("seed=1", ""),
    ],
)
def test_values_are_as_they_were_written_without_quotes(tmp_path, override, value):
    assert make(tmp_path, [override])[1].value_of("agent.gamma") == value


def test_the_config_of_a_job_is_a_copy_with_its_number_and_directory(tmp_path):
    _, job = make(tmp_path)
    first = job.config
    first.agent.gamma = 0.1
    assert job.config.agent.gamma == 0.9 and job.values == config_values(agent__gamma=0.9)
    assert (first.hydra.job.num, first.hydra.job.id) == (3, "3")
    assert first.hydra.runtime.output_dir == str(tmp_path / "s/3_gamma")


def test_a_job_comes_back_from_its_entry(tmp_path):
    config, job = make(tmp_path)
    entry = to_entry(job, tmp_path / "s", ["agent.gamma"])
    assert (entry.directory, entry.swept) == ("3_gamma", {"agent.gamma": "0.9"})
    again = to_job(entry, job.checked, config.hydra, tmp_path / "s")
    assert (again.num, again.title, again.overrides) == (job.num, job.title, job.overrides)
    assert again.directory == job.directory and again.environment == {"A": "1"}
    assert again.values == job.values
    assert list(again.config.hydra.overrides.task) == OVERRIDES[:2]
