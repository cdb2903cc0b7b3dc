"""A table of one run that grows, and that can be cut back to where it once stood."""

import os
import zlib
from pathlib import Path
from typing import Any, NamedTuple


class Mark(NamedTuple):
    """Where a file stood.

    size: in bytes.
    checksum: CRC-32 of these bytes.
    """

    size: int
    checksum: int


class CsvFile:
    """Rows of one run, collected in memory and appended on `flush`."""

    def __init__(self, path: Path, header: str, mark: Mark | None = None) -> None:
        """Args: where the file is, its first line, and where it stood when its run was saved.

        Without a mark the file is begun anew. With one, what came after it is cut off.

        Raises:
            OSError: if it cannot be written.
            ValueError: if the file does not begin with what it once held.
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
        """Appends what has been collected to the file.

        Args:
            is_durable: whether to wait until it is on the disk itself.

        Raises:
            OSError: if it cannot be written; then no part of a row stays behind.
        """
        if not self._pending and (self._is_durable or not is_durable):
            return
        content = "".join(f"{row}\n" for row in self._pending).encode()
        # Not made where it is not there: a file that has vanished has lost its earlier rows.
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
    """Returns why a file cannot be cut back to a mark, or None if it can."""
    try:
        with path.open("rb") as file:
            content = file.read(mark.size)
    except OSError as error:
        return f"{path}: expected a file of at least {mark.size} bytes: {error.strerror}."
    if len(content) < mark.size:
        return (
            f"{path}: expected at least the {mark.size} bytes that it had when its run was saved, "
            f"found {len(content)}: rows are missing."
        )
    if zlib.crc32(content) != mark.checksum:
        return f"{path}: its first {mark.size} bytes are not those it had when its run was saved."
    return None


def _write(descriptor: int, content: bytes, size: int) -> None:
    rest = memoryview(content)
    try:
        while rest:
            rest = rest[os.write(descriptor, rest) :]
    except OSError:
        os.ftruncate(descriptor, size)
        raise
