"""A saved sweep and the changes with which it goes on."""

import shutil

import pytest

from dqn_exp.core.errors import ConfigError
from dqn_exp.sweep.saved_sweep import value_of
from tests.command import files_below
from tests.resuming import (
    empty,
    interrupt,
)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "expected the directory of a run or of a sweep"),
        (["s", "agent.gamma=0.5"], "agent.gamma: would change the results"),
        (["s", "hydra/launcher=ray"], "hydra/launcher=ray: expected one of population,"),
        (["s", "hydra.launcher.num_wrokers=3"], "hydra.launcher.num_wrokers: expected one of"),
        (["s", "hydra.launcher.max_population_size=0"], "expected at least 1, got 0"),
        (["s", "log.progres=true"], "log.progres: unknown key."),
        (["s", "device=cuda:99"], "device: expected a device of this machine"),
        (["s/unknown"], "it lists no run in unknown"),
    ],
)
def test_bad_input_is_told_in_a_line_and_nothing_changes(
    command, resumed, tmp_path, arguments, message
):
    command("-m", "seed=1,2", "hydra.sweep.dir=s")
    interrupt(tmp_path / "s/0_seed=1")
    before = files_below(tmp_path)
    ended = resumed(*arguments)
    assert ended.status == 2 and message in ended.err, ended
    assert files_below(tmp_path) == before


def test_a_list_of_jobs_that_has_lost_some_is_refused(command, resumed, tmp_path):
    command("-m", "seed=1,2", "hydra.sweep.dir=s")
    path = tmp_path / "s/jobs.jsonl"
    path.write_bytes(path.read_bytes()[:-200])
    before = files_below(tmp_path)
    ended = resumed("s")
    assert ended.status == 2 and files_below(tmp_path) == before
    assert "jobs.jsonl: expected the jobs of sweep.csv, but job 1 is missing" in ended.err


@pytest.mark.parametrize(
    ("override", "value"),
    [
        *(
            ("a=2e3", 2_000),
            ("a=1.5", 1.5),
            ("a=no", False),
            ("a=null", None),
            *(("a=[1,b]", [1, "b"]), ("a=gpu,cpu", "gpu,cpu"), ("a=b&c", "b&c")),
        ),
        *(("a='x, y'", "x, y"), ("a=cuda:0", "cuda:0"), ("a={b:1}", {"b": 1}), ("a=true", True)),
    ],
)
def test_changes_are_read_as_on_the_command_line(override, value):
    assert value_of(override) == value and type(value_of(override)) is type(value)


def test_a_change_that_cannot_be_read_is_named():
    with pytest.raises(ConfigError, match=r"log.metrics=\[a: cannot be read: while parsing"):
        value_of("log.metrics=[a")


def test_what_does_not_change_results_may_be_other_than_before(command, resumed, tmp_path):
    command("-m", "seed=1,2", "hydra.sweep.dir=s")
    shutil.copytree(tmp_path / "s", tmp_path / "peace")
    for run in (tmp_path / "s").glob("*_*"):
        empty(run)
    ended = resumed("s", "log.tensorboard=false", "hydra.launcher.max_population_size=1")
    assert ended.status == 0 and "Training 2 runs as 2 populations." in ended.out, ended
    for run in (tmp_path / "s").glob("*_*"):
        assert not list(run.glob("events.*"))
        for name in ("episodes.csv", "evaluations.csv"):
            assert (run / name).read_bytes() == (tmp_path / "peace" / run.name / name).read_bytes()


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("hydra.yaml", "", "r/.hydra: expected the files that Hydra wrote, got "),
        ("config.yaml", "a: [", "r/.hydra: expected the files that Hydra wrote, got while parsing"),
        ("config.yaml", "seed: -1", "r/.hydra/config.yaml: seed: expected at least 0, got -1"),
    ],
)
def test_damaged_files_of_hydra_are_named(command, resumed, tmp_path, name, text, message):
    command("hydra.run.dir=r")
    (tmp_path / "r/.hydra" / name).write_text(text)
    ended = resumed("r")
    assert ended.status == 2 and message in ended.err, ended
    assert "\n/" not in ended.err.replace(f"\n{tmp_path}", "") and "Traceback" not in ended.err
