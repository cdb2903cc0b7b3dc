"""Training from Python, in this process."""

import logging
import os
import subprocess
import sys

import numpy as np
import pytest

import dqn_exp
from tests.command import short

SHORT = {
    "experiment": "smoke",
    "trainer.total_steps": 160,
    "eval.every_steps": 80,
    "env.max_episode_steps": 20,
    "num_threads": 1,
    "report": False,
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_importing_the_package_is_light():
    code = "import sys, dqn_exp; print([m for m in sys.modules if m in sys.argv[1:]])"
    heavy = ("torch", "numpy", "hydra", "pandas", "scipy", "matplotlib", "omegaconf", "pydantic")
    found = subprocess.run(
        [sys.executable, "-c", code, *heavy], capture_output=True, text=True, check=True
    )
    assert found.stdout.strip() == "[]"


def test_a_run_is_the_same_as_that_of_the_command(folder, capsys):
    results = dqn_exp.train({**SHORT, "seed": 5}, directory="my run, 1='x'")
    assert results.directory == folder / "my run, 1='x'"
    assert "Completed after 160 steps" in capsys.readouterr().out
    assert results.runs["seed"].tolist() == [5] and results.best == {}
    command = [sys.executable, "-m", "dqn_exp.train", *short("seed=5"), "hydra.run.dir=other"]
    subprocess.run(command, check=True, capture_output=True, env=os.environ)
    for name in ("episodes.csv", "evaluations.csv"):
        assert (results.directory / name).read_bytes() == (folder / "other" / name).read_bytes()


def test_a_sweep_has_tables_of_the_right_types(folder, capsys):
    values = {**SHORT, "agent.gamma": np.array([0.9, 0.99]), "seed": range(1, 3)}
    results = dqn_exp.sweep(values, directory="s", quiet=True)
    assert capsys.readouterr().out == ""
    runs = results.runs
    assert runs["agent.gamma"].tolist() == [0.9, 0.9, 0.99, 0.99]
    assert runs["seed"].tolist() == [1, 2, 1, 2] and runs["network.hidden_sizes"].iloc[0] == [32]
    assert results.settings["agent.gamma"].dtype == "float64"
    assert results.settings["n"].tolist() == [2, 2] and results.settings["rank"].dtype == "Int64"
    last = results.evaluations[results.evaluations["step"] == 160].groupby("run")["return"].mean()
    assert last[runs.index].tolist() == pytest.approx(runs["objective"].tolist())
    means = runs.groupby("agent.gamma")["objective"].mean()
    assert results.settings.set_index("agent.gamma")["mean"].to_dict() == pytest.approx(
        means.to_dict()
    )
    assert results.best == {"agent.gamma": float(means.idxmax())}


def test_a_name_is_that_of_the_directory(folder, capfd):
    named = {**SHORT, "name": "mine", "log.progress": True}
    results = dqn_exp.train(named, quiet=True)
    assert capfd.readouterr() == ("", "")
    assert results.directory == folder / "outputs/mine" and len(results.runs) == 1


@pytest.mark.parametrize("name", ["a\\b", "it's"])
def test_directories_of_any_name(folder, name):
    results = dqn_exp.train(SHORT, directory=name, quiet=True)
    assert results.directory == folder / name and len(results.runs) == 1
    with pytest.raises(dqn_exp.ConfigError, match="directory: expected a name without"):
        dqn_exp.train(SHORT, directory="${x}")


def test_a_directory_may_be_given_as_an_override(folder):
    settings = {**SHORT, "name": None, "hydra.run.dir": "mine/x"}
    assert dqn_exp.train(settings, quiet=True).directory == folder / "mine/x"
    assert not (folder / "outputs").exists()
    more = dqn_exp.train({**SHORT, "name": None}, quiet=True).directory
    assert more.parent.parent == folder / "outputs"


def test_a_directory_is_made_by_default(folder):
    results = dqn_exp.train(short("seed=5"), quiet=True)
    assert results.directory.parent.parent == folder / "outputs"


def test_the_process_stays_as_it_was(folder):
    handler = logging.NullHandler()
    root, arguments = logging.getLogger(), sys.argv
    root.addHandler(handler)
    level, variables = root.level, dict(os.environ)
    try:
        dqn_exp.train(SHORT, quiet=True)
        with pytest.raises(dqn_exp.ConfigError):
            dqn_exp.train({"agent.gama": 0.9}, quiet=True)
        assert handler in root.handlers and root.level == level
        assert sys.argv is arguments and dict(os.environ) == variables
    finally:
        root.removeHandler(handler)


@pytest.mark.parametrize("train", [dqn_exp.train, dqn_exp.sweep])
def test_mistakes_are_raised_with_their_lines(folder, train):
    with pytest.raises(dqn_exp.ConfigError, match=r"agent\.gama: unknown key\. Did you mean") as it:
        train({"agent.gama": 0.9, "agent.gamma": 7}, quiet=True)
    assert len(it.value.problems) >= 1
    assert list(folder.iterdir()) == []


def test_a_run_that_diverges_is_told_and_found(folder):
    with pytest.raises(dqn_exp.RunError, match="diverged: Loss or parameters") as ended:
        dqn_exp.sweep({**SHORT, "agent.learning_rate": [1e30, 1e-3]}, directory="s", quiet=True)
    assert ended.value.directory == folder / "s"
    statuses = dqn_exp.Results(ended.value.directory).runs["status"]
    assert sorted(statuses) == ["completed", "diverged"]


def test_an_interruption_saves_the_run(folder):
    settings = {**SHORT, "trainer.total_steps": 10_000_000, "eval.every_steps": None}
    code = f"""
import _thread, threading, pathlib, time, dqn_exp

def interrupt():
    while not list(pathlib.Path().glob("r/events.*")):
        time.sleep(0.05)
    _thread.interrupt_main()

threading.Thread(target=interrupt, daemon=True).start()
try:
    dqn_exp.train({settings}, directory="r", quiet=True)
except KeyboardInterrupt as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=os.environ
    )
    assert "Resume with: python -m dqn_exp.resume r" in done.stdout
    assert dqn_exp.Results("r").runs["status"].tolist() == ["interrupted"]


@pytest.mark.xdist_group("search")
def test_a_search(folder):
    space = {**SHORT, "agent.gamma": dqn_exp.interval(0.9, 0.99), "agent.n_step": [1, 3]}
    options = {"n_trials": 3, "seeds": 2, "finalists": 1, "fresh_seeds": 2, "pruner": "none"}
    results = dqn_exp.search(space, options=options, directory="s", quiet=True)
    assert len(results.settings) == 3 and results.settings["n"].tolist() == [2, 2, 2]
    assert set(results.best) == {"agent.gamma", "agent.n_step"}
    assert results.confirmation.runs["seed"].tolist() == [2, 3]
    assert results.confirmation.best == results.best
    with pytest.raises(dqn_exp.ConfigError, match=r"options: expected some of .*got trials"):
        dqn_exp.search(space, options={"trials": 3})
