"""The examples of docs/extending.md, applied to a copy of the project and run."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs/extending.md").read_text()
BLOCK = re.compile(r"^```(\w+)(?: title=(\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COMMANDS = [
    line
    for kind, _, text in BLOCK.findall(PAGE)
    if kind == "bash"
    for line in text.strip().splitlines()
]
SHORT = (
    *("trainer.total_steps=150", "agent.learning_starts=60", "agent.batch_size=8"),
    *("eval.every_steps=null", "eval.episodes=2", "num_threads=1", "engine=torch"),
    "log.every_steps=100",
)


def apply_diff(path: Path, diff: str) -> None:
    """Finds the lines of a diff without its additions, and puts those with them in their place."""
    lines = diff.splitlines()
    old = "".join(f"{line[1:]}\n" for line in lines if not line.startswith("+"))
    new = "".join(f"{line[1:]}\n" for line in lines if not line.startswith("-"))
    text = path.read_text()
    if not old:  # A new definition at the end of its file.
        path.write_text(f"{text}\n\n{new}")
        return
    assert text.count(old) == 1, f"{path}: {text.count(old)} places for\n{old}"
    path.write_text(text.replace(old, new))


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    """A copy of the project with all examples."""
    folder = tmp_path_factory.mktemp("extended")
    for name in ("dqn_exp", "conf", "docs", "hydra_plugins"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for kind, title, text in BLOCK.findall(PAGE):
        if title and kind == "diff":
            apply_diff(folder / title, text)
        elif title:
            assert not (folder / title).exists()
            (folder / title).write_text(text)
    return folder


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.xdist_group("extending")
def test_an_example_runs_as_it_is_written(project, command):
    _python, *arguments = shlex.split(command)
    place = "hydra.sweep.dir=out" if "-m" in arguments[2:] else "hydra.run.dir=out"
    shutil.rmtree(project / "out", ignore_errors=True)
    done = subprocess.run(
        [sys.executable, *arguments, *SHORT, place],
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(project), "NUMBA_CACHE_DIR": str(project / "cache")},
    )
    assert done.returncode == 0, done
    results = list((project / "out").rglob("result.json"))
    assert results and all('"status": "completed"' in path.read_text() for path in results)
    if "agent.gamma" in command:
        assert (project / "out/report/plots/boxes.svg").exists()
    if "log.metrics" in command:
        assert "completed; the best training episode has" in done.stdout
        events = b"".join(path.read_bytes() for path in (project / "out").glob("events.*"))
        assert b"custom/spread_of_values" in events
    if "log.every_steps" in command:
        events = b"".join(path.read_bytes() for path in (project / "out").glob("events.*"))
        assert b"episode/count" in events


def test_there_is_an_example_of_each_kind():
    assert len(COMMANDS) == 11
