import json
import logging
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path

from dqn_exp.training import provenance
from tests.conftest import make_config, train_in_folders


def test_versions_are_those_that_are_installed():
    import llvmlite
    import numba

    found = provenance.versions("CartPole-v1")
    assert "minatar" not in found
    for env_id, name in (("minatar/asterix-v1", "minatar"), ("ale_py:ALE/Pong-v5", "ale-py")):
        assert provenance.versions(env_id).items() - found.items() == {(name, version(name))}
    assert found["numba"] == numba.__version__ and found["llvmlite"] == llvmlite.__version__
    assert found["python"] == platform.python_version()


def test_the_model_of_the_processor_is_that_of_the_system():
    fields = {}
    for line in Path("/proc/cpuinfo").read_text().split("\n\n")[0].splitlines():
        name, _, value = line.partition(":")
        fields[name.strip()] = value.strip()
    assert fields.get("model name", platform.machine()) in provenance.cpu_model()


def test_the_commit_is_that_of_the_repository(tmp_path, monkeypatch):
    provenance.commit.cache_clear()
    monkeypatch.setattr(provenance, "ROOT", tmp_path)
    assert provenance.commit() is None
    provenance.commit.cache_clear()
    git = ("git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b")
    subprocess.run([*git, "init", "-q"], check=True)
    (tmp_path / "file").touch()
    subprocess.run([*git, "add", "."], check=True)
    subprocess.run([*git, "commit", "-qm", "First"], check=True)
    subprocess.run([*git, "tag", "-a", "v1", "-m", "A release"], check=True)
    head = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True)
    assert provenance.commit() == head.stdout.strip()
    provenance.commit.cache_clear()


def test_resuming_on_another_processor_or_engine_says_so(tmp_path, caplog):
    def train(engine: str, should_stop) -> None:
        config = make_config(engine=engine, trainer__total_steps=900, checkpoint__every_steps=100)
        train_in_folders([config], [tmp_path], should_stop)

    train("torch", iter([False] * 650 + [True] * 9).__next__)
    result = json.loads((tmp_path / "result.json").read_text())
    assert result["status"] == "interrupted" and result["steps"] > 0
    result["cpu"], result["versions"]["numba"] = "Another CPU", "0.1"
    (tmp_path / "result.json").write_text(json.dumps(result))
    caplog.set_level(logging.INFO)
    train("native", lambda: False)
    assert json.loads((tmp_path / "result.json").read_text())["status"] == "completed"
    said = caplog.text
    assert f"Resuming on CPU {provenance.cpu_model()} instead of Another CPU:" in said
    assert "instead of 0.1: results may differ." in said and said.count("results may differ.") == 1
    assert "Resuming with engine native instead of torch:" in said
