"""Directories of runs and sweeps: their names, and whether they can be used."""

import os
import shlex
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from dqn_exp.core.errors import ConfigError
from dqn_exp.files import job_list, sweep_table
from dqn_exp.files.result import read_result

MAX_PATH_LENGTH = 4_000
"""In bytes, with room for the files of a run; Linux allows 4,096."""


MOST_LEVELS = 3
"""Folders between the directory of a sweep and that of a run in it, and one."""


def problems_of_run_directory(directory: Path, key: str) -> list[str]:
    """Returns why a run cannot use a directory, which must not hold another run.

    Args:
        directory: absolute.
        key: that sets the directory.
    """
    if problems := _problems_of_creation(directory, key):
        return problems
    if (directory / "result.json").exists():
        return [f"{key}: {directory} already holds {_describe_run(directory)}"]
    return problems_of_old_sweep(directory, key)


def _describe_run(directory: Path) -> str:
    again = f"python -m dqn_exp.resume {quote(directory)}"
    try:
        result = read_result(directory)
    except (OSError, ValueError):
        return "a result.json that is not of dqn_exp. Choose another directory."
    if result is not None and result.has_ended:
        longer = f"{again} trainer.total_steps=N"
        return (
            f"a run that has ended ({result.status}). Choose another directory, or let a completed "
            f"run go on to N steps with: {longer}"
        )
    return f"an unfinished run. Choose another directory, or resume it with: {again}"


def problems_of_depth(directory: Path, sweep: Path) -> list[str]:
    """Returns a problem if a run lies too deep in its sweep for `sweep_above` to find that."""
    if not directory.is_relative_to(sweep):
        return []
    depth = len(directory.relative_to(sweep).parts)
    if depth <= MOST_LEVELS:
        return []
    return [
        f"hydra.sweep.subdir: expected at most {MOST_LEVELS} levels of folders, got {depth}: "
        f"{directory.relative_to(sweep)}."
    ]


def sweep_above(directory: Path) -> Path | None:
    """Returns the nearest directory above that holds a sweep, if any."""
    parents = directory.parents[:MOST_LEVELS]
    return next((one for one in parents if (one / job_list.NAME).exists()), None)


def problems_of_nesting(directory: Path, key: str) -> list[str]:
    """Returns a problem if a run would lie in the directory of a sweep, whose run it is not."""
    if _problems_of_creation(directory, key):
        return []
    if (sweep := sweep_above(directory)) is None:
        return []
    return [
        f"{key}: {directory} is inside {sweep}, which holds a sweep. Choose a directory outside it."
    ]


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
    if not any((directory / name).exists() for name in (job_list.NAME, sweep_table.NAME)):
        return []
    return [
        f"{key}: {directory} already holds a sweep. Choose another directory, or resume the sweep "
        f"with: python -m dqn_exp.resume {quote(directory)}"
    ]


_ORIGIN: list[Path] = []


@contextmanager
def remembered_origin() -> Iterator[None]:
    """Makes `shorten` relative to the current folder, even if the process changes to another."""
    _ORIGIN.append(Path.cwd())
    try:
        yield
    finally:
        _ORIGIN.pop()


def make_directory(directory: Path, key: str) -> None:
    """Makes a directory with its parents, unless it exists.

    Raises:
        ConfigError: If that is impossible, with the key that sets it.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = error.strerror or str(error)
        raise ConfigError([f"{key}: {directory} cannot be created: {reason}."]) from error


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


def _problems_of_creation(directory: Path, key: str) -> list[str]:
    if len(os.fsencode(directory)) > MAX_PATH_LENGTH:
        return [
            f"{key}: expected a path of at most {MAX_PATH_LENGTH} bytes, got "
            f"{len(os.fsencode(directory))}."
        ]
    too_long = [part for part in directory.parts if len(os.fsencode(part)) > 255]
    if too_long:
        return [
            f"{key}: expected names of at most 255 bytes, got {too_long[0][:20]!r}... of "
            f"{len(os.fsencode(too_long[0]))}."
        ]
    existing = next(path for path in (directory, *directory.parents) if os.path.lexists(path))
    if not existing.is_dir():
        return [f"{key}: {directory} cannot be created: {existing} is not a directory."]
    if not os.access(existing, os.W_OK | os.X_OK):
        return [f"{key}: {directory} cannot be created: {existing} is not writable."]
    return []
