"""Sweeps from the command line: what trains together, and what is on disk afterwards."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import yaml
from hydra.core.plugins import Plugins
from hydra.plugins.launcher import Launcher
from hydra.plugins.sweeper import Sweeper

from tests.command import check_complete, short, table_of
from tests.conftest import results_of


def test_a_sweep_is_one_population_and_leaves_a_directory_a_run(command, tmp_path):
    ended = command("-m", "seed=1,2", "agent.gamma=0.9,0.99", "hydra.sweep.dir=s")
    assert ended.status == 0, ended
    assert "Training 4 runs as 1 population." in ended.out
    last = ended.out.splitlines()[-1]
    assert last.endswith("Results are in s/sweep.csv. View them with: tensorboard --logdir s")
    rows = table_of(tmp_path / "s")
    assert [(row["job"], row["seed"], row["agent.gamma"]) for row in rows] == [
        ("0", "1", "0.9"), ("1", "1", "0.99"), ("2", "2", "0.9"), ("3", "2", "0.99")
    ]  # fmt: skip
    for row in rows:
        assert row["dir"] == f"{row['job']}_seed={row['seed']},gamma={row['agent.gamma']}"
        result = check_complete(tmp_path / "s" / row["dir"])
        assert row["status"] == "completed" and float(row["objective"]) == result["objective"]
        config = yaml.safe_load((tmp_path / "s" / row["dir"] / ".hydra/config.yaml").read_text())
        assert str(config["agent"]["gamma"]) == row["agent.gamma"]
        log = (tmp_path / "s" / row["dir"] / "train.log").read_text()
        assert log.count("evaluation episodes") == 2 and "Completed after 160 steps" in log
    assert (tmp_path / "s" / "multirun.yaml").exists()


def test_a_run_of_a_sweep_is_the_same_alone_and_twice(command, tmp_path):
    command(
        "-m", "seed=1,2", "agent.gamma=0.9,0.99", "buffer.capacity=2_000,150", "hydra.sweep.dir=s"
    )
    alone = ("seed=2", "agent.gamma=0.9", "buffer.capacity=150")
    for name in ("once", "twice"):
        assert command(*alone, f"hydra.run.dir={name}").status == 0
    check_complete(tmp_path / "once")
    (of_sweep,) = (tmp_path / "s").glob("5_*")
    assert results_of(tmp_path / "once") == results_of(tmp_path / "twice") == results_of(of_sweep)


@pytest.mark.parametrize(
    "options",
    [
        pytest.param(["hydra/sweeper=basic"], marks=pytest.mark.slow),
        ["hydra/sweeper=basic", "hydra.sweeper.max_batch_size=2"],
        ["hydra.sweeper.max_batch_size=2"],
        ["hydra/launcher=basic"],
        pytest.param(["hydra/launcher=basic", "hydra/sweeper=basic"], marks=pytest.mark.slow),
    ],
    ids=" ".join,
)
def test_hydras_own_sweeper_and_launcher_give_the_same_results(command, tmp_path, options):
    command("-m", "seed=1,2,3", "hydra.sweep.dir=expected")
    ended = command("-m", "seed=1,2,3", "hydra.sweep.dir=found", *options)
    assert ended.status == 0, ended
    for job in range(3):
        (expected,) = (tmp_path / "expected").glob(f"{job}_*")
        # Hydra's sweeper does not tell how many jobs there will be.
        pattern = f"{job:03d}_*" if "hydra/sweeper=basic" in options else f"{job}_*"
        (found,) = (tmp_path / "found").glob(pattern)
        check_complete(found)
        assert results_of(found) == results_of(expected)
    if options != ["hydra/launcher=basic", "hydra/sweeper=basic"]:
        statuses = [row["status"] for row in table_of(tmp_path / "found")]
        assert statuses == ["completed"] * 3


def test_a_recipe_that_declares_a_sweep_gives_way_to_the_command_line(command, tmp_path):
    ended = command(
        "-m", "experiment=book_sweep", "trainer.total_steps=160", "agent.gamma=0.9",
        "agent.epsilon=0.1,0.2", "buffer.capacity=700", "hydra.sweep.dir=s",
    )  # fmt: skip
    assert ended.status == 0, ended
    rows = table_of(tmp_path / "s")
    assert [(r["agent.epsilon"], r["agent.target_update_period"]) for r in rows] == [
        (epsilon, period) for epsilon in ("0.1", "0.2") for period in ("5", "10", "50")
    ]
    assert set(rows[0]) == {
        "job", "dir", "status", "objective", "agent.epsilon", "agent.target_update_period"
    }  # fmt: skip


def test_swept_groups_have_columns_and_names(command, tmp_path):
    command("-m", "env=cartpole_v0,cartpole_v1", "hydra.sweep.dir=s")
    assert [(r["env"], r["dir"]) for r in table_of(tmp_path / "s")] == [
        ("cartpole_v0", "0_env=cartpole_v0"), ("cartpole_v1", "1_env=cartpole_v1")
    ]  # fmt: skip


def test_tensorboard_shows_each_run_once_with_its_hyperparameters_and_final_metrics(
    command, tmp_path
):
    from tensorboard.backend.event_processing import data_provider, plugin_event_multiplexer
    from tensorboard.context import RequestContext
    from tensorboard.plugins.base_plugin import TBContext
    from tensorboard.plugins.hparams import api_pb2, backend_context, list_session_groups

    command("-m", "seed=1,2", "agent.gamma=0.9,0.99", "hydra.sweep.dir=s")
    multiplexer = plugin_event_multiplexer.EventMultiplexer()
    multiplexer.AddRunsFromDirectory(str(tmp_path / "s"))
    multiplexer.Reload()
    rows = table_of(tmp_path / "s")
    assert sorted(multiplexer.Runs()) == sorted(row["dir"] for row in rows)
    provider = data_provider.MultiplexerDataProvider(multiplexer, str(tmp_path / "s"))
    backend = backend_context.Context(TBContext(data_provider=provider, logdir=str(tmp_path / "s")))
    context, experiment = RequestContext(), "0"
    info = backend.experiment_from_metadata(
        context, experiment, True, backend.hparams_metadata(context, experiment), []
    )
    assert {hparam.name for hparam in info.hparam_infos} == {"agent.gamma"}
    columns = [api_pb2.ColParams(metric=m.name) for m in info.metric_infos]
    groups = list_session_groups.Handler(
        context, backend, experiment,
        api_pb2.ListSessionGroupsRequest(
            start_index=0, slice_size=100, col_params=columns,
            allowed_statuses=[api_pb2.STATUS_SUCCESS],
        ),
    ).run()  # fmt: skip
    assert len(groups.session_groups) == 2
    objectives = set()
    for group in groups.session_groups:
        assert set(group.hparams) == {"agent.gamma"}
        values = {metric.name.tag: metric for metric in group.metric_values}
        assert values["eval/return_mean"].training_step == 160
        objectives.add(round(values["eval/return_mean"].value, 4))
    means = {
        np.mean([float(row["objective"]) for row in rows if row["agent.gamma"] == gamma])
        for gamma in ("0.9", "0.99")
    }
    assert objectives == {round(float(mean), 4) for mean in means}


@pytest.mark.parametrize("arguments", [["seed=1"], ["-m", "seed=1,2"]])
def test_an_interruption_ends_with_130_and_whole_files(tmp_path, arguments):
    long = short("trainer.total_steps=1_000_000", "hydra.run.dir=s/0", "hydra.sweep.dir=s")
    process = subprocess.Popen(
        [sys.executable, "-m", "dqn_exp.train", *long, *arguments],
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    deadline = time.monotonic() + 60
    while not any(len(p.read_text()) > 200 for p in tmp_path.glob("s/*/evaluations.csv")):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.1)
    os.kill(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    where = "s" if "-m" in arguments else "s/0"
    assert err == f"Interrupted. Resume with: python -m dqn_exp.resume {where}\n"
    for folder in tmp_path.glob("s/*/"):
        result = json.loads((folder / "result.json").read_text())
        assert result["status"] == "interrupted" and result["steps"] > 160
        rows = (folder / "episodes.csv").read_text()
        assert rows.endswith("\n") and rows.count("\n") == result["episodes"] + 1
    if "-m" in arguments:
        assert [row["status"] for row in table_of(tmp_path / "s")] == ["interrupted"] * 2


def test_the_plugins_are_discovered():
    names = {
        plugin.__name__
        for kind in (Launcher, Sweeper)
        for plugin in Plugins.instance().discover(kind)
    }
    assert {"PopulationLauncher", "PopulationSweeper"} <= names
