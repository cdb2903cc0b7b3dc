"""The command, run in this process or in one of its own."""

import csv
import json
import logging
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

from dqn_exp import train


class Ended(NamedTuple):
    """How a command has ended."""

    status: int
    out: str
    err: str


def run_here(
    arguments: Sequence[str],
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Ended:
    """Runs the command in this process, which is faster, with `folder` as working directory."""
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "argv", ["train", *arguments])
    status = 0
    try:
        train.main()
    except SystemExit as error:
        status = error.code if isinstance(error.code, int) else 1
    finally:
        close_log_files()
    return Ended(status, *capsys.readouterr())


def close_log_files() -> None:
    """Closes the files that Hydra logs to, as the end of a process does."""
    for handler in logging.root.handlers[:]:
        if isinstance(handler, logging.FileHandler):
            logging.root.removeHandler(handler)
            handler.close()


def run_apart(
    arguments: Sequence[str], folder: Path, timeout: float = 120, **environment: str
) -> Ended:
    """Runs `python -m dqn_exp.train` with `folder` as working directory."""
    done = subprocess.run(
        [sys.executable, "-m", "dqn_exp.train", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=timeout,
        env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
        check=False,
    )
    return Ended(done.returncode, done.stdout, done.stderr)


def files_below(folder: Path) -> dict[str, bytes]:
    """All files of a folder, and its folders as names that end with a slash."""
    return {
        str(path.relative_to(folder)) + "/" * path.is_dir(): b""
        if path.is_dir()
        else path.read_bytes()
        for path in folder.rglob("*")
    }


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
    "episodes.csv", "evaluations.csv", "checkpoint.pt", "checkpoint.best.pt", "result.json",
    "events",
}  # fmt: skip


def table_of(folder: Path) -> list[dict[str, str]]:
    with (folder / "sweep.csv").open() as file:
        return list(csv.DictReader(file))


def check_complete(folder: Path) -> dict:
    names = {re.sub(r"events\.out.*", "events", name) for name in files_below(folder)}
    assert names == FILES
    result = json.loads((folder / "result.json").read_text())
    assert result["status"] == "completed"
    return result


def short(*arguments: str) -> list[str]:
    """A short run with further arguments, which replace those of `SHORT`."""
    keys = {argument.partition("=")[0] for argument in arguments}
    return [*(one for one in SHORT if one.partition("=")[0] not in keys), *arguments]
