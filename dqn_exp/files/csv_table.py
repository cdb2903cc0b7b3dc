"""CSV tables of a run, which grow and can be truncated to an earlier state."""

import os
import zlib
from pathlib import Path
from typing import Any, NamedTuple

TABLES = {
    "episodes": ("step", "episode", "return", "length", "terminated"),
    "evaluations": ("step", "episode", "seed", "return", "length"),
}
"""The tables of a run and their columns."""


class Mark(NamedTuple):
    """The state of a file at one moment.

    Attributes:
        size: in bytes.
        checksum: CRC-32 of these bytes.
    """

    size: int
    checksum: int


class CsvTable:
    """Collects rows in memory and appends them to a file on `flush`."""

    def __init__(self, path: Path, header: str, mark: Mark | None = None) -> None:
        """Creates the file, or truncates it to an earlier state.

        Args:
            path: of the file.
            header: its first line.
            mark: state to truncate the file to; None for a new file.

        Raises:
            OSError: If the file cannot be written.
            ValueError: If the file does not begin with its earlier content.
        """
        self._path = path
        self._pending: list[str] = []
        self._is_durable = False
        if mark is None:
            path.write_bytes(b"")
            self.mark = Mark(0, 0)
            self._pending.append(header)
            self.flush()
        else:
            if problem := problem_of(path, mark):
                raise ValueError(problem)
            os.truncate(path, mark.size)
            self.mark = mark

    def add(self, *values: Any) -> None:
        """Adds a row; floats are written so that they read back as the same numbers."""
        self._pending.append(",".join(map(str, values)))

    def flush(self, *, is_durable: bool = False) -> None:
        """Appends the collected rows to the file.

        Args:
            is_durable: whether to wait until they are on disk.

        Raises:
            OSError: If the file cannot be written; no partial row remains then.
        """
        if not self._pending and (self._is_durable or not is_durable):
            return
        content = "".join(f"{row}\n" for row in self._pending).encode()
        # Opened without O_CREAT: a file that has vanished has lost its earlier rows.
        descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND)
        try:
            _write(descriptor, content, self.mark.size)
            if is_durable:
                os.fsync(descriptor)
        finally:
            os.close(descriptor)
        self._is_durable = is_durable
        self.mark = Mark(self.mark.size + len(content), zlib.crc32(content, self.mark.checksum))
        self._pending.clear()


def problem_of(path: Path, mark: Mark) -> str | None:
    """Returns why a file cannot be truncated to a mark, or None if it can."""
    try:
        with path.open("rb") as file:
            content = file.read(mark.size)
    except OSError as error:
        return f"{path}: expected a file of at least {mark.size} bytes: {error.strerror}."
    if len(content) < mark.size:
        return (
            f"{path}: expected at least the {mark.size} bytes of the last checkpoint, found "
            f"{len(content)}: rows are missing."
        )
    if zlib.crc32(content) != mark.checksum:
        return f"{path}: its first {mark.size} bytes differ from those of the last checkpoint."
    return None


def _write(descriptor: int, content: bytes, size: int) -> None:
    rest = memoryview(content)
    try:
        while rest:
            rest = rest[os.write(descriptor, rest) :]
    except OSError:
        os.ftruncate(descriptor, size)
        raise
