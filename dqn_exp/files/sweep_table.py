"""The table of a sweep's runs, `sweep.csv`."""

import csv
import io
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from dqn_exp.files.atomic_file import remove_remains, write_atomically
from dqn_exp.files.job_list import JobEntry
from dqn_exp.files.result import Result, read_result

NAME = "sweep.csv"


class SweepTable:
    """One row per job, in the order of the jobs; the file is complete at every moment."""

    def __init__(self, directory: Path, swept: Sequence[str]) -> None:
        """Creates an empty table.

        Args:
            directory: of the sweep.
            swept: dotted keys that have columns.
        """
        self._path = directory / NAME
        self.swept = tuple(swept)
        self._rows: dict[int, list[str]] = {}

    def add(self, job: int, directory: Path, values: Sequence[str]) -> None:
        """Adds a pending job with the values of its swept keys."""
        folder = os.path.relpath(directory, self._path.parent)
        self._rows.setdefault(job, [str(job), folder, "pending", "", *values])

    def update(self, job: int, status: str, objective: float | None) -> bool:
        """Sets the status and the objective of a job; returns whether they changed."""
        row, new = self._rows[job], [status, "" if objective is None else repr(objective)]
        has_changed = row[2:4] != new
        row[2:4] = new
        return has_changed

    def write(self) -> None:
        """Writes the file atomically."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["job", "dir", "status", "objective", *self.swept])
        writer.writerows(row for _, row in sorted(self._rows.items()))
        write_atomically(self._path, text.getvalue().encode())


def numbers_of_jobs(directory: Path) -> set[int]:
    """Returns the numbers of the jobs in the table of a sweep, none if it cannot be read."""
    try:
        with (directory / NAME).open(encoding="utf-8", newline="") as file:
            return {int(row["job"]) for row in csv.DictReader(file)}
    except (OSError, ValueError, KeyError, TypeError):
        return set()


def rebuild_table(
    directory: Path, swept: Sequence[str], entries: Iterable[JobEntry]
) -> tuple[SweepTable, dict[int, Result]]:
    """Writes the table of a sweep anew from the files of its runs, which no process trains.

    Args:
        directory: of the sweep.
        swept: keys that distinguish the runs.
        entries: the jobs.

    Returns:
        The table, and the results of the jobs that have ended by number.
    """
    remove_remains(directory / NAME)
    table, ended = SweepTable(directory, swept), {}
    for entry in entries:
        place = directory / entry.directory
        table.add(entry.num, place, list(entry.swept.values()))
        if (result := read_result(place)) is not None:
            # The result of a killed run says that it is running.
            status = "interrupted" if result.status == "running" else result.status
            table.update(entry.num, status, result.objective)
            if result.has_ended:
                ended[entry.num] = result
    table.write()
    return table, ended


class NoTable:
    """Replaces the table of a run that belongs to no sweep."""

    swept: tuple[str, ...] = ()

    def update(self, job: int, status: str, objective: float | None) -> bool:
        """Does nothing."""
        return False

    def write(self) -> None:
        """Does nothing."""
