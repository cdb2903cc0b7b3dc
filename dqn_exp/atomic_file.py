"""Files that a reader finds whole, old or new, at every moment."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


def write_atomically(path: Path, content: bytes) -> None:
    """Replaces a file's content; a reader sees the old one or the new one, never a part.

    That holds when the power fails, too.

    Raises:
        OSError: if it cannot be written; the old content then stays.
    """
    with _written_beside(path) as file:
        file.write(content)
    _temporary(path).replace(path)


@contextmanager
def replaced_durably(path: Path, previous: Path) -> Iterator[BinaryIO]:
    """Gives a file to write the new content into, and keeps the old content as `previous`.

    At every moment one of the two is whole on the disk itself, also when the power fails.

    Raises:
        OSError: if it cannot be written; both then stay as they are.
    """
    with _written_beside(path) as file:
        yield file
    if path.exists():
        path.replace(previous)
    _temporary(path).replace(path)
    sync_directory(path.parent)


def sync_directory(directory: Path) -> None:
    """Waits until the names of a directory's files are on the disk."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_remains(path: Path) -> None:
    """Removes what processes that were killed while they wrote a file have left beside it."""
    for remains in path.parent.glob(f".{path.name}.*"):
        remains.unlink(missing_ok=True)


@contextmanager
def _written_beside(path: Path) -> Iterator[BinaryIO]:
    temporary = _temporary(path)
    try:
        with temporary.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _temporary(path: Path) -> Path:
    return path.with_name(f".{path.name}.{os.getpid()}")
