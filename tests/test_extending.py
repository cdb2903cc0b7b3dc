"""The examples of docs/extending.md, applied to a copy of the project and run."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
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
EACH = """
import json, os, runpy, sys

import dqn_exp.sweep.dispatcher, dqn_exp.sweep.single_run

for line in sys.stdin:
    if child := os.fork():
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
        continue
    output = os.open("output", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(output, 1)
    os.dup2(output, 2)
    sys.argv = json.loads(line)
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
    break
"""
"""Runs modules as `python -m` does, each in a process that has imported what all of them need."""


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


@pytest.fixture(scope="module")
def run(project) -> Iterator[Callable[[Sequence[str]], int]]:
    """Runs a module with arguments in the copy of the project; returns its exit status."""
    environment = {"PYTHONPATH": str(project), "NUMBA_CACHE_DIR": str(project / "cache")}
    with subprocess.Popen(
        [sys.executable, "-c", EACH],
        cwd=project,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    ) as process:
        assert process.stdin is not None and process.stdout is not None

        def run_module(arguments: Sequence[str]) -> int:
            print(json.dumps(arguments), file=process.stdin, flush=True)
            return int(process.stdout.readline())

        yield run_module
        process.stdin.close()


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.xdist_group("extending")
def test_an_example_runs_as_it_is_written(project, run, command):
    python, option, *arguments = shlex.split(command)
    assert (python, option) == ("python", "-m")
    out, is_drawn = project / "out", "agent.gamma" in command  # Its example is a picture.
    shutil.rmtree(out, ignore_errors=True)
    place = "hydra.sweep.dir=out" if "-m" in arguments else "hydra.run.dir=out"
    status = run([*arguments, *SHORT, f"report={str(is_drawn).lower()}", place])
    output = (project / "output").read_text()
    assert status == 0, output
    results = list(out.rglob("result.json"))
    assert results and all('"status": "completed"' in path.read_text() for path in results)
    assert (out / "report/plots/boxes.svg").exists() == is_drawn
    events = b"".join(path.read_bytes() for path in out.glob("events.*"))
    if "log.metrics" in command:
        assert "completed; the best training episode has" in output
        assert b"custom/spread_of_values" in events
    if "log.every_steps" in command:
        assert b"episode/count" in events


def test_there_is_an_example_of_each_kind():
    assert len(COMMANDS) == 11
