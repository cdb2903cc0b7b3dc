"""One log file for each of many runs, none of them held open."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

RUN_LOGGER = "dqn_exp.run"
"""What single runs have to say goes to this logger, with the run's directory as `directory`."""


def log_of_run(
    directory: Path, message: str, *values: object, error: BaseException | None = None
) -> None:
    """Logs what concerns a single run, an error with its traceback."""
    level = logging.INFO if error is None else logging.ERROR
    logging.getLogger(RUN_LOGGER).log(
        level, message, *values, exc_info=error, extra={"directory": directory}
    )


class LogFile(NamedTuple):
    """A log of a run, for records from `level` on."""

    path: Path
    formatter: logging.Formatter
    level: int


class RunLogs(logging.Handler):
    """Appends a record that names a run to this run's file, and any other to all files."""

    def __init__(self) -> None:
        """Has no file yet."""
        super().__init__()
        self._files: dict[Path, Sequence[LogFile]] = {}

    def add(self, directory: Path, files: Sequence[LogFile]) -> None:
        """Gives the run with this directory its logs."""
        self._files[directory] = files

    def remove(self, directory: Path) -> None:
        """Ends the logs of the run with this directory."""
        self._files.pop(directory, None)

    def emit(self, record: logging.LogRecord) -> None:
        """Writes a record."""
        named = getattr(record, "directory", None)
        directories = list(self._files) if named is None else [named]
        files = (file for directory in directories for file in self._files.get(directory, ()))
        try:
            for path, formatter, level in files:
                if record.levelno >= level:
                    _append(path, formatter.format(record) + "\n")
        except Exception:
            self.handleError(record)


def _append(path: Path, text: str) -> None:
    # Whose directory has vanished or is full, that run fails and tells so elsewhere.
    with suppress(OSError), path.open("a", encoding="utf-8") as file:
        file.write(text)


@contextmanager
def run_logs() -> Iterator[RunLogs]:
    """Gives the logs of many runs; what single runs say is kept off the console meanwhile."""
    handler, root, of_runs = RunLogs(), logging.getLogger(), logging.getLogger(RUN_LOGGER)
    root.addHandler(handler)
    of_runs.addHandler(handler)
    of_runs.propagate = False
    try:
        yield handler
    finally:
        of_runs.propagate = True
        of_runs.removeHandler(handler)
        root.removeHandler(handler)
