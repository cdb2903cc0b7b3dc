"""Sweeps from the command line: what trains together, and what is on disk afterwards."""

import csv
import json
import os
import re
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from hydra.core.plugins import Plugins
from hydra.plugins.launcher import Launcher
from hydra.plugins.sweeper import Sweeper

from tests import tracing
from tests.command import Ended, files_below, run_apart, run_here
from tests.conftest import results_of

SHORT = [
    "experiment=smoke",
    "trainer.total_steps=160",
    "eval.every_steps=80",
    "env.max_episode_steps=20",
    "num_threads=1",
    "log.progress=false",
    "report=false",
]
FILES = {
    ".hydra/", ".hydra/config.yaml", ".hydra/hydra.yaml", ".hydra/overrides.yaml", "train.log",
    "episodes.csv", "evaluations.csv", "checkpoint.pt", "result.json", "events",
}  # fmt: skip


@pytest.fixture
def command(tmp_path, monkeypatch, capsys):
    def run(*arguments: str) -> Ended:
        return run_here([*SHORT, *arguments], tmp_path, monkeypatch, capsys)

    return run


def table_of(folder: Path) -> list[dict[str, str]]:
    with (folder / "sweep.csv").open() as file:
        return list(csv.DictReader(file))


def check_complete(folder: Path) -> dict:
    names = {re.sub(r"events\.out.*", "events", name) for name in files_below(folder)}
    assert names == FILES
    result = json.loads((folder / "result.json").read_text())
    assert result["status"] == "completed"
    return result


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


def test_structures_become_populations_of_bounded_size(command, tmp_path):
    sweep = ("-m", "seed=range(5)", "network.hidden_sizes=[8],[9,3]")
    ended = command(*sweep, "hydra.sweep.dir=a", "hydra.launcher.max_population_size=3")
    assert "Training 10 runs as 4 populations." in ended.out
    ended = command(*sweep, "hydra.sweep.dir=b")
    assert "Training 10 runs as 2 populations." in ended.out
    for first, second in zip(table_of(tmp_path / "a"), table_of(tmp_path / "b"), strict=True):
        assert first == second
        folders = tmp_path / "a" / first["dir"], tmp_path / "b" / second["dir"]
        assert results_of(folders[0]) == results_of(folders[1])


@pytest.mark.parametrize(
    "options",
    [
        ["hydra/sweeper=basic"],
        ["hydra/sweeper=basic", "hydra.sweeper.max_batch_size=2"],
        ["hydra.sweeper.max_batch_size=2"],
        ["hydra/launcher=basic"],
        ["hydra/launcher=basic", "hydra/sweeper=basic"],
    ],
    ids=" ".join,
)
def test_hydras_own_sweeper_and_launcher_give_the_same_results(command, tmp_path, options):
    command("-m", "seed=1,2,3", "hydra.sweep.dir=expected")
    ended = command("-m", "seed=1,2,3", "hydra.sweep.dir=found", *options)
    assert ended.status == 0, ended
    for job in range(3):
        (expected,) = (tmp_path / "expected").glob(f"{job}_*")
        (found,) = (tmp_path / "found").glob(f"{job}_*")
        check_complete(found)
        assert results_of(found) == results_of(expected)
    if options != ["hydra/launcher=basic", "hydra/sweeper=basic"]:
        statuses = [row["status"] for row in table_of(tmp_path / "found")]
        assert statuses == ["completed"] * 3


def test_the_files_of_hydra_are_those_of_its_own_launcher(command, tmp_path):
    for name in ("basic", "population"):
        assert command("-m", "seed=1,2", "hydra.sweep.dir=s", f"hydra/launcher={name}").status == 0
        (tmp_path / "s").rename(tmp_path / name)
    for folder in ("0_seed=1", "1_seed=2"):
        first, second = (tmp_path / name / folder / ".hydra" for name in ("basic", "population"))
        for file in ("config.yaml", "overrides.yaml"):
            assert (first / file).read_bytes() == (second / file).read_bytes()
        # The choice of the launcher and its options are all that differs.
        words = ("launcher", "max_population", "executor", "max_resubmissions")
        lines = [set((path / "hydra.yaml").read_text().splitlines()) for path in (first, second)]
        assert all(any(word in line for word in words) for line in lines[0] ^ lines[1])


def test_a_run_that_diverges_is_told_and_the_others_complete(command, tmp_path):
    tracing.EVENTS.clear()
    callback = "+hydra.callbacks.trace._target_=tests.tracing.Trace"
    sweep = ("-m", "agent.learning_rate=1e-3,1e30,2e-3", "hydra.sweep.dir=s", callback)
    ended = command(*sweep)
    assert ended.status == 1
    lines = ended.err.strip().splitlines()
    assert (
        lines[0].startswith("Run 1 (agent.learning_rate=1e+30)")
        and "diverged: Loss or parameters not finite" in lines[0]
    )
    assert lines[0].endswith("See s/1_learning_rate=1e+30/train.log.")
    assert lines[1].endswith("python -m dqn_exp.resume s --retry-failed")
    assert lines[2].endswith("tensorboard --logdir s") and len(lines) == 3
    assert "2 of 3 runs completed." in ended.out and "Traceback" not in ended.err
    rows = table_of(tmp_path / "s")
    assert [row["status"] for row in rows] == ["completed", "diverged", "completed"]
    assert rows[1]["objective"] == ""
    assert tracing.EVENTS[:3] == [("start", 0), ("start", 1), ("start", 2)]
    assert [event[:3] for event in tracing.EVENTS[3:6]] == [
        ("end", 0, "COMPLETED"), ("end", 1, "FAILED"), ("end", 2, "COMPLETED")
    ]  # fmt: skip
    assert tracing.EVENTS[3][3] == float(rows[0]["objective"])
    assert tracing.EVENTS[6:] == [("multirun end",)]


def test_a_population_that_fails_does_not_stop_the_next(command, tmp_path):
    from tests import probes

    probes.register()
    sweep = ("-m", "env.id=ProbeCounting-v0", "env.max_episode_steps=8", "hydra.sweep.dir=s")
    ended = command(*sweep, "+env.kwargs.is_broken_at=5,null", "seed=1,2")
    assert ended.status == 1
    rows = table_of(tmp_path / "s")
    assert [row["status"] for row in rows] == ["failed", "failed", "completed", "completed"]
    assert "RuntimeError: the environment is broken See s/0_" in ended.err
    for row in rows[:2]:
        log = (tmp_path / "s" / row["dir"] / "train.log").read_text()
        assert "Traceback" in log and "the environment is broken" in log


def test_a_single_run_that_diverges_ends_with_status_1(command, tmp_path):
    ended = command("agent.learning_rate=1e30", "hydra.run.dir=r")
    assert ended.status == 1
    assert re.fullmatch(
        r"diverged: Loss or parameters not finite at step \d+\. See r/train\.log\.",
        ended.err.splitlines()[-1],
    )
    assert "Traceback" not in ended.err


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
    assert {hparam.name for hparam in info.hparam_infos} == {"seed", "agent.gamma"}
    columns = [api_pb2.ColParams(metric=m.name) for m in info.metric_infos]
    groups = list_session_groups.Handler(
        context, backend, experiment,
        api_pb2.ListSessionGroupsRequest(
            start_index=0, slice_size=100, col_params=columns,
            allowed_statuses=[api_pb2.STATUS_SUCCESS],
        ),
    ).run()  # fmt: skip
    assert len(groups.session_groups) == 4
    objectives = set()
    for group in groups.session_groups:
        assert set(group.hparams) == {"seed", "agent.gamma"}
        values = {metric.name.tag: metric for metric in group.metric_values}
        assert values["eval/return_mean"].training_step == 160
        objectives.add(round(values["eval/return_mean"].value, 4))
    assert objectives == {round(float(row["objective"]), 4) for row in rows}


@pytest.mark.slow
def test_open_files_do_not_grow_with_the_number_of_runs(tmp_path):
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))

    arguments = [*SHORT, "trainer.total_steps=30", "-m", "seed=range(80)", "hydra.sweep.dir=s"]
    done = subprocess.run(
        [sys.executable, "-m", "dqn_exp.train", *arguments],
        cwd=tmp_path, preexec_fn=limit, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert [row["status"] for row in table_of(tmp_path / "s")] == ["completed"] * 80


@pytest.mark.parametrize("arguments", [["seed=1"], ["-m", "seed=1,2"]])
def test_an_interruption_ends_with_130_and_whole_files(tmp_path, arguments):
    long = [*SHORT, "trainer.total_steps=1_000_000", "hydra.run.dir=s/0", "hydra.sweep.dir=s"]
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


@pytest.mark.parametrize(
    "arguments", [["--help"], ["--cfg", "job"], ["--cfg", "job", "experiment=book"]]
)
def test_asking_for_help_or_the_config_loads_nothing_heavy(tmp_path, arguments):
    code = (
        "import sys, atexit\n"
        "heavy = {'torch', 'gymnasium', 'tensorboard', 'pydantic', 'numpy'}\n"
        "atexit.register(lambda: print(sorted(heavy & set(sys.modules)), file=sys.stderr))\n"
        "from dqn_exp.train import main\n"
        "main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=tmp_path, capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    assert done.stderr.strip() == "[]" and "gamma: 0.98" in done.stdout
    assert not list(tmp_path.iterdir())


def test_the_plugins_are_discovered():
    names = {
        plugin.__name__
        for kind in (Launcher, Sweeper)
        for plugin in Plugins.instance().discover(kind)
    }
    assert {"PopulationLauncher", "PopulationSweeper"} <= names


def test_the_console_script_is_the_same_command(tmp_path):
    script = Path(sys.executable).with_name("dqn-exp")
    done = subprocess.run(
        [script, "agent.gama=1"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2 and "Did you mean agent.gamma?" in done.stderr
    assert run_apart(["agent.gama=1"], tmp_path) == (2, done.stdout, done.stderr)
