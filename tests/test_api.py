import subprocess
import sys
import time

import pytest

import dqn_exp
from dqn_exp import api as notebook
from dqn_exp.core.errors import ConfigError, RunError
from tests.command import short
from tests.sweep_files import write_single, write_sweep


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


def test_a_sweep_is_trained_and_read_as_tables(folder, capsys):
    overrides = short("agent.gamma=0.9,0.99", "seed=1,2")
    directory = dqn_exp.run(overrides, sweep=True, directory="my sweep, 1='x'")
    assert directory == folder / "my sweep, 1='x'"
    assert "4 of 4 runs completed." in capsys.readouterr().out
    runs, episodes, evaluations = dqn_exp.load_runs(directory)
    assert runs["status"].tolist() == ["completed"] * 4
    assert runs["agent.gamma"].tolist() == [0.9, 0.9, 0.99, 0.99]
    assert runs["seed"].tolist() == [1, 2, 1, 2] and runs["network.hidden_sizes"].iloc[0] == [32]
    last = evaluations[evaluations["step"] == 160].groupby("run")["return"].mean()
    assert last[runs.index].tolist() == pytest.approx(runs["objective"].tolist())
    assert episodes.groupby("run").size()[runs.index].tolist() == runs["episodes"].tolist()
    assert list(episodes.columns) == ["run", "step", "episode", "return", "length", "terminated"]
    assert episodes["step"].dtype == evaluations["seed"].dtype == "int64"
    name = runs.index[0]
    lines = (directory / name / "evaluations.csv").read_text().splitlines()[1:]
    seeds = [int(line.split(",")[2]) for line in lines]  # Beyond what a float can tell.
    assert evaluations[evaluations["run"] == name]["seed"].tolist() == seeds


def test_a_single_run_and_its_directory_by_default(folder, capsys):
    directory = dqn_exp.run(short("seed=5"), quiet=True)
    assert directory.parent.parent == folder / "outputs" and capsys.readouterr().out == ""
    (seed,) = dqn_exp.load_runs(directory).runs["seed"]
    assert seed == 5


def test_mistakes_are_raised_with_their_lines(folder):
    with pytest.raises(ConfigError, match=r"agent\.gama: unknown key\. Did you mean agent\.gamma"):
        dqn_exp.run(["agent.gama=0.9"], quiet=True)
    assert list(folder.iterdir()) == []
    with pytest.raises(RunError, match="diverged: Loss or parameters not finite"):
        dqn_exp.run(short("agent.learning_rate=1e30"), quiet=True)
    with pytest.raises(ConfigError, match="expected the directory of a run or a sweep"):
        dqn_exp.load_runs(folder / "nothing")


def test_an_interruption_saves_the_runs(folder, monkeypatch):
    listen = notebook._listen

    def interrupted(process, said, quiet):
        """Interrupts once, as a notebook does, when the run has begun."""
        monkeypatch.setattr(notebook, "_listen", listen)
        while not list(folder.glob("r/events.*")):
            time.sleep(0.05)
        raise KeyboardInterrupt

    monkeypatch.setattr(notebook, "_listen", interrupted)
    long = short("trainer.total_steps=10_000_000", "eval.every_steps=null")
    with pytest.raises(KeyboardInterrupt, match=r"Resume with: python -m dqn_exp\.resume r"):
        dqn_exp.run(long, directory="r", quiet=True)
    assert dqn_exp.load_runs("r").runs["status"].tolist() == ["interrupted"]


def test_several_directories_are_one_table(folder):
    write_sweep(folder / "a", {"seed": [1, 2]}, lambda values: {100: 5.0})
    write_single(folder / "b", {100: 5.0}, agent__gamma=0.5)
    runs, episodes, evaluations = dqn_exp.load_runs("a", "b")
    assert runs.index.tolist() == ["a/0_seed=1", "a/1_seed=2", "b/b"]
    assert runs["agent.gamma"].tolist() == [0.98, 0.98, 0.5]
    assert len(episodes) == 0 and len(evaluations) == 6


def test_runs_that_have_not_begun_are_in_the_table(folder):
    write_sweep(folder / "a", {"seed": [1, 2]}, lambda v: {10: 1.0} if v["seed"] == 1 else None)
    runs = dqn_exp.load_runs("a").runs
    assert runs["status"].tolist() == ["completed", "pending"]
    assert runs["objective"].isna().tolist() == [False, True]


def test_without_pandas_the_remedy_is_told(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match="pip install 'dqn-exp\\[notebook\\]'"):
        dqn_exp.load_runs("a")
