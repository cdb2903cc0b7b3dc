"""Directories of runs and sweeps: their names, and whether they can be used."""

import os
import re
import shlex
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

MAX_NAME_LENGTH = 120
"""In bytes; most file systems allow 255."""


def job_directory_name(num: int, overrides: Sequence[str], swept: Sequence[str] | None) -> str:
    """Returns the name of a job's directory: its number and its swept values.

    Args:
        num: number of the job.
        overrides: of the job, such as `agent.gamma=0.9`.
        swept: keys to include; None for all but the recipe.
    """
    named = [
        f"{key.rsplit('.', 1)[-1]}={_shorten_number(value)}"
        for key, _, value in (override.partition("=") for override in overrides)
        if (key != "experiment" if swept is None else key in swept)
    ]
    name = re.sub(r"[][(){}'\" ]", "", "_".join([str(num), ",".join(named)]))
    name = re.sub(r"[^\w.,=+-]", "-", name)
    return name.encode()[:MAX_NAME_LENGTH].decode(errors="ignore").rstrip("_.")


def problems_of_run_directory(directory: Path, key: str) -> list[str]:
    """Returns why a run cannot use a directory, which must not hold another run.

    Args:
        directory: absolute.
        key: that sets the directory.
    """
    if problems := _problems_of_creation(directory, key):
        return problems
    if (directory / "result.json").exists():
        return [
            f"{key}: {directory} already holds a run (it has a result.json). Choose another "
            f"directory, or resume the run with: python -m dqn_exp.resume {quote(directory)}"
        ]
    return problems_of_old_sweep(directory, key)


def problems_of_sweep_directory(directory: Path, key: str) -> list[str]:
    """Returns why a sweep cannot use a directory, which must be empty or missing."""
    if problems := _problems_of_creation(directory, key) or problems_of_old_sweep(directory, key):
        return problems
    if directory.is_dir() and any(not _is_remains(path) for path in directory.iterdir()):
        return [
            f"{key}: expected an empty or a new directory, but {directory} holds files. "
            "Choose another directory."
        ]
    return []


def problems_of_old_sweep(directory: Path, key: str = "hydra.sweep.dir") -> list[str]:
    """Returns a problem if a directory already holds a sweep."""
    if not any((directory / name).exists() for name in ("jobs.jsonl", "sweep.csv")):
        return []
    return [
        f"{key}: {directory} already holds a sweep. Choose another directory, or resume the sweep "
        f"with: python -m dqn_exp.resume {quote(directory)}"
    ]


_ORIGIN: list[Path] = []


def remember_origin() -> None:
    """Makes `shorten` relative to the current folder, even if the process changes to another."""
    _ORIGIN[:] = [Path.cwd()]


def shorten(path: Path) -> Path:
    """Returns a path relative to the folder of the command, if it is below it."""
    origin = _ORIGIN[0] if _ORIGIN else Path.cwd()
    return path.relative_to(origin) if path.is_relative_to(origin) else path


def quote(path: Path) -> str:
    """Returns a path as it is pasted into a shell, shortened."""
    return shlex.quote(str(shorten(path)))


def duplicates(directories: Iterable[Path]) -> list[Path]:
    """Returns the directories that occur more than once."""
    return [path for path, count in Counter(directories).items() if count > 1]


def _is_remains(path: Path) -> bool:
    # A sweep that was killed while it wrote its list of jobs has not begun.
    return path.name.startswith(".jobs.jsonl.")


def _shorten_number(text: str) -> str:
    # Names that become equal still differ in the number of the job.
    try:
        return f"{float(text):.4g}" if len(text) > 10 else text
    except ValueError:
        return text


def _problems_of_creation(directory: Path, key: str) -> list[str]:
    too_long = [part for part in directory.parts if len(os.fsencode(part)) > 255]
    if too_long:
        return [f"{key}: expected names of at most 255 bytes, got {too_long[0]!r}."]
    existing = next(path for path in (directory, *directory.parents) if os.path.lexists(path))
    if not existing.is_dir():
        return [f"{key}: {directory} cannot be created: {existing} is not a directory."]
    if not os.access(existing, os.W_OK | os.X_OK):
        return [f"{key}: {directory} cannot be created: {existing} is not writable."]
    return []
