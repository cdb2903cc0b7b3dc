"""Log files of many runs, none of which stays open."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

RUN_LOGGER = "dqn_exp.run"
"""Logger of messages that concern a single run; records carry its directory as `directory`."""


def log_of_run(
    directory: Path, message: str, *values: object, error: BaseException | None = None
) -> None:
    """Logs a message that concerns a single run; an error with its traceback."""
    level = logging.INFO if error is None else logging.ERROR
    logging.getLogger(RUN_LOGGER).log(
        level, message, *values, exc_info=error, extra={"directory": directory}
    )


class LogFile(NamedTuple):
    """A log file of a run.

    Attributes:
        path: of the file.
        formatter: of its records.
        level: lowest level that is written.
    """

    path: Path
    formatter: logging.Formatter
    level: int


class RunLogs(logging.Handler):
    """Writes a record that names a run to the log of that run, and any other to all logs."""

    def __init__(self) -> None:
        """Starts without files."""
        super().__init__()
        self._files: dict[Path, Sequence[LogFile]] = {}

    def add(self, directory: Path, files: Sequence[LogFile]) -> None:
        """Adds the log files of the run in a directory."""
        self._files[directory] = files

    def remove(self, directory: Path) -> None:
        """Removes the log files of the run in a directory."""
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
    # A run whose directory has vanished or is full fails, and says so elsewhere.
    with suppress(OSError), path.open("a", encoding="utf-8") as file:
        file.write(text)


@contextmanager
def run_logs(*, on_console: bool = False) -> Iterator[RunLogs]:
    """Provides the logs of many runs.

    Args:
        on_console: whether their messages also appear on the console meanwhile.
    """
    handler, root, of_runs = RunLogs(), logging.getLogger(), logging.getLogger(RUN_LOGGER)
    loggers = [root] if on_console else [root, of_runs]
    for logger in loggers:
        logger.addHandler(handler)
    of_runs.propagate = on_console
    try:
        yield handler
    finally:
        of_runs.propagate = True
        for logger in loggers:
            logger.removeHandler(handler)
