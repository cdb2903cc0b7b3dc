"""Runs go on from their checkpoints, and end as if they had never stopped."""

import json
import re
import shutil
import zlib

import pytest
from tensorboard.backend.event_processing import plugin_event_multiplexer
from tensorboard.util.tensor_util import make_ndarray

from tests import probes
from tests.conftest import make_config, results_of, some_of, train_in_folders
from tests.resuming import (
    SETTINGS,
    check_resumed,
    copy_after,
    make_folders,
    stop_after,
)
from tests.switches import COMPILED, COVERING, PLAIN
from tests.training.test_population import make_runs

probes.register()


@pytest.mark.parametrize("switches", COVERING, ids=str)
def test_resumed_equals_uninterrupted_for_every_ingredient(tmp_path, switches):
    configs = [
        switches.config(**{**SETTINGS, "seed": seed, "agent__train_every": 1 + seed})
        for seed in range(3)
    ]
    check_resumed(configs, tmp_path, seed=zlib.crc32(str(switches).encode()))


@pytest.mark.parametrize("env_id", ["ProbeWalk-v0", "ProbeCounting-v0"])
@pytest.mark.parametrize("n_step", [1, 3])
def test_the_same_where_an_open_episode_is_brought_back_by_its_actions(tmp_path, env_id, n_step):
    configs = [
        make_config(**{**SETTINGS, "seed": seed}, env__id=env_id, agent__n_step=n_step)
        for seed in range(2)
    ]
    check_resumed(configs, tmp_path, seed=n_step)


@pytest.mark.parametrize("engine", ["native", "torch"])
def test_the_same_for_runs_that_differ_in_everything_they_may(tmp_path, engine):
    runs = make_runs(7, checkpoint__every_steps=20, engine=engine)
    check_resumed(runs, tmp_path, seed=5, latest_kill=110)


@pytest.mark.parametrize(
    ("switches", "env_id"),
    some_of(
        [(PLAIN, "MountainCar-v0")],
        COMPILED,
        ["Acrobot-v1", "MountainCar-v0"],
    ),
    ids=str,
)
def test_the_same_in_compiled_code_with_other_environments(tmp_path, switches, env_id):
    configs = [switches.config(**SETTINGS, seed=seed, env__id=env_id) for seed in range(3)]
    check_resumed(configs, tmp_path, seed=3)


def test_the_same_with_normalized_observations_rmsprop_and_schedules(tmp_path):
    configs = [
        make_config(
            "agent/optimizer=rmsprop",
            **{**SETTINGS, "seed": seed},
            agent__normalize_observations=True,
            agent__epsilon_start=1.0,
            agent__epsilon_decay_steps=150,
            agent__learning_rate_end=1e-4,
            agent__learning_rate_decay_steps=150,
            agent__target_update_period=None,
            agent__target_update_tau=0.05,
            agent__max_grad_norm=0.5,
        )
        for seed in range(2)
    ]
    check_resumed(configs, tmp_path, seed=9)


def test_an_environment_that_tells_its_state_is_brought_back_by_it(tmp_path):
    limited = {**SETTINGS, "env__max_episode_steps": 9, "eval__every_steps": None}
    config = make_config(**limited, env__id="ProbeTelling-v0")
    peace, folder = make_folders(tmp_path, 2)
    train_in_folders([config], [peace])
    episodes = (peace / "episodes.csv").read_text()
    assert ",9,0\n" in episodes and ",1\n" in episodes  # Some are cut by the limit, some end.
    before = probes.Telling.num_restored
    for num_ticks in (101, 4, 4, 4, 10**6):
        (result,) = train_in_folders([config], [folder], stop_after(num_ticks))
    assert probes.Telling.num_restored == before + 4 and result.status == "completed"
    assert (folder / "episodes.csv").read_text() == episodes


@pytest.mark.parametrize(
    ("told", "message"),
    [
        (RuntimeError("it is broken"), "RuntimeError: it is broken"),
        ({"cells": {1, 2}}, "TypeError: state for a checkpoint: expected mappings, .* got a set"),
    ],
)
def test_an_environment_that_cannot_tell_its_state_fails_its_run_alone(
    tmp_path, monkeypatch, told, message
):
    def state_dict(self):
        if self.count < 4:  # Which of the runs it is when they are saved, their seeds decide.
            return {}
        if isinstance(told, Exception):
            raise told
        return told

    monkeypatch.setattr(probes.Telling, "state_dict", state_dict)
    runs = [{**SETTINGS, "seed": seed, "env__id": "ProbeTelling-v0"} for seed in range(4)]
    configs = [make_config(**run, trainer__total_episodes=6) for run in runs]
    results = train_in_folders(configs, make_folders(tmp_path, 4))
    statuses = {result.status for result in results}
    assert statuses == {"completed", "failed"}
    assert all(re.match(message, one.error) for one in results if one.status == "failed")


def test_a_run_tells_where_it_stands_from_the_moment_it_goes_on(tmp_path):
    config = make_config(**{**SETTINGS, "checkpoint__every_steps": None})
    (folder,) = make_folders(tmp_path, 1)
    train_in_folders([config], [folder], stop_after(100))
    first = json.loads((folder / "result.json").read_text())
    assert first["status"] == "interrupted" and first["steps"] == 100
    seen = []

    def should_stop() -> bool:
        seen.append(json.loads((folder / "result.json").read_text()))
        return False

    (folder / ".checkpoint.pt.99").write_bytes(b"left behind by a process that was killed")
    train_in_folders([config], [folder], should_stop)
    for name in ("steps", "episodes", "updates", "eval_return_mean"):
        assert seen[0][name] == first[name]
    assert seen[0]["status"] == "running" and not (folder / ".checkpoint.pt.99").exists()


def test_the_table_of_hyperparameters_hears_of_an_end_once(tmp_path):
    config = make_config(**SETTINGS)
    (folder,) = make_folders(tmp_path, 1)
    for num_ticks, is_told in ((60, False), (10**6, True)):
        train_in_folders([config], [folder], stop_after(num_ticks))
        newest = max(folder.glob("events.*"))
        assert (b"session_end_info" in newest.read_bytes()) == is_told


def test_where_neither_works_a_new_episode_begins_and_the_log_says_so(tmp_path, caplog):
    config = make_config(**SETTINGS, env__id="ProbeFickle-v0", agent__n_step=3)
    (folder,) = make_folders(tmp_path, 1)
    train_in_folders([config], [folder], stop_after(103))
    episodes = (folder / "episodes.csv").read_text()
    with caplog.at_level("INFO"):
        (result,) = train_in_folders([config], [folder])
    assert "The current episode is lost, and a new one begins: repeating its" in caplog.text
    assert "not a function of seed and actions, and has no state_dict" in caplog.text
    assert result.status == "completed" and result.steps == 200
    later = (folder / "episodes.csv").read_text()
    assert later.startswith(episodes)
    # The first episode to end afterwards is the new one: it began at step 103.
    step, number, _, length, _ = later[len(episodes) :].splitlines()[0].split(",")
    assert int(step) - int(length) == 103 and int(number) == episodes.count("\n") - 1


def test_a_run_that_was_killed_after_its_last_checkpoint_just_ends(tmp_path):
    config = make_config(**SETTINGS)
    (folder,) = make_folders(tmp_path, 1)
    train_in_folders([config], [folder])
    before, result = results_of(folder), json.loads((folder / "result.json").read_text())
    told = {**result, "status": "running", "objective": None, "eval_return_mean": None}
    (folder / "result.json").write_text(json.dumps(told))
    train_in_folders([config], [folder])
    after = json.loads((folder / "result.json").read_text())
    assert results_of(folder) == before
    assert {**after, "seconds": 0} == {**result, "seconds": 0}


def test_seconds_add_up(tmp_path):
    config = make_config(**SETTINGS)
    (folder,) = make_folders(tmp_path, 1)
    train_in_folders([config], [folder], stop_after(100))
    told = json.loads((folder / "result.json").read_text())
    (folder / "result.json").write_text(json.dumps({**told, "seconds": 1_000.0}))
    (result,) = train_in_folders([config], [folder])
    assert 1_000 < result.seconds < 1_100


def test_tensorboard_shows_one_curve_without_gaps_or_repetitions(tmp_path):
    config = make_config(**{**SETTINGS, "log__every_steps": 10})
    curves = {}
    for name, stops in {"peace": (), "resumed": (75, 1, 50)}.items():
        (folder,) = make_folders(tmp_path / name, 1)
        for num_ticks in stops:
            train_in_folders([config], [folder], stop_after(num_ticks))
        if stops:  # Killed after step 126 + 30, saved at 148: what came after is superseded.
            crash = copy_after(30, folder, tmp_path / "resumed" / "1")
            train_in_folders([config], [folder], crash)
            shutil.rmtree(folder)
            folder = (tmp_path / "resumed" / "1").rename(folder)
            (newest,) = sorted(folder.glob("events.*"))[-1:]
            content = newest.read_bytes()
            newest.write_bytes(content + content[:20])  # A record that was being written.
        train_in_folders([config], [folder])
        multiplexer = plugin_event_multiplexer.EventMultiplexer()
        multiplexer.AddRunsFromDirectory(str(tmp_path / name))
        multiplexer.Reload()
        assert list(multiplexer.Runs()) == ["0"]
        curves[name] = {
            tag: [
                (event.step, float(make_ndarray(event.tensor_proto)))
                for event in multiplexer.Tensors("0", tag)
            ]
            for tag in multiplexer.Runs()["0"]["tensors"]
            if not tag.startswith(("perf/", "config", "_hparams_", "custom_scalars"))
        }
        assert [step for step, _ in curves[name]["train/epsilon"]] == [*range(10, 201, 10)]
        assert len(multiplexer.Tensors("0", "config")) == 1
    assert repr(curves["peace"]) == repr(curves["resumed"])
    assert {"episode/return", "eval/return_mean", "train/loss"} <= curves["peace"].keys()
