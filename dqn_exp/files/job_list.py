"""The list of a sweep's jobs, `jobs.jsonl`, from which the sweep is resumed."""

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from dqn_exp.files.atomic_file import sync_directory, write_atomically

FORMAT = 2
NAME = "jobs.jsonl"
CONFIRMATION = "confirmation"
"""Folder of the best settings of a sweep, trained with fresh seeds."""

JOURNAL = "study.journal"
"""Journal of a search, beside the list."""


class JobEntry(NamedTuple):
    """One job of a sweep.

    Attributes:
        num: number of the job.
        directory: of its run, relative to that of the sweep.
        title: overrides that distinguish it.
        overrides: as Hydra's sweeper passed them.
        swept: values of the swept keys, as they were written.
        environment: environment variables that it sets.
        config: with all interpolations resolved.
    """

    num: int
    directory: str
    title: str
    overrides: list[str]
    swept: dict[str, str]
    environment: dict[str, str]
    config: dict[str, Any]


def begin_job_list(directory: Path, hydra: Mapping[str, Any], entries: Iterable[JobEntry]) -> None:
    """Writes the list of a sweep with its first jobs, atomically.

    Args:
        directory: of the sweep.
        hydra: Hydra's node of the sweep, in plain containers.
        entries: the jobs.
    """
    header = json.dumps({"format": FORMAT, "hydra": hydra}) + "\n"
    write_atomically(directory / NAME, (header + _to_lines(entries)).encode())
    sync_directory(directory)


def add_to_job_list(directory: Path, entries: Iterable[JobEntry]) -> None:
    """Appends jobs and waits until they are on disk.

    Raises:
        OSError: If the list cannot be written.
    """
    path = directory / NAME
    content = path.read_bytes()
    if not content.endswith(b"\n"):  # A line that was being written when its process was killed.
        os.truncate(path, content.rfind(b"\n") + 1)
    with path.open("ab") as file:
        file.write(_to_lines(entries).encode())
        file.flush()
        os.fsync(file.fileno())


def read_job_list(directory: Path) -> tuple[dict[str, Any], list[JobEntry]]:
    """Returns Hydra's node of a sweep and its jobs.

    Raises:
        ValueError: If the list is missing or damaged.
    """
    path = directory / NAME
    try:
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        # A line without an end was being written when its process was killed: no run of it began.
        complete = [json.loads(line) for line in lines if line.endswith("\n")]
        header, entries = complete[0], [JobEntry(**values) for values in complete[1:]]
        if header["format"] != FORMAT:
            raise ValueError(f"expected format {FORMAT}, got {header['format']}")
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise ValueError(f"{path}: expected the jobs of a sweep, got {reason}.") from error
    return header["hydra"], entries


def _to_lines(entries: Iterable[JobEntry]) -> str:
    return "".join(json.dumps(entry._asdict()) + "\n" for entry in entries)
