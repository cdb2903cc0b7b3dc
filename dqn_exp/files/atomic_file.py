"""Atomic and durable writing of files."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


def write_atomically(path: Path, content: bytes) -> None:
    """Replaces the content of a file; readers see the old or the new content, never a part.

    This holds after a power failure, too.

    Raises:
        OSError: If the file cannot be written; the old content then stays.
    """
    with _written_beside(path) as file:
        file.write(content)
    _temporary(path).replace(path)


@contextmanager
def replaced_durably(path: Path, previous: Path) -> Iterator[BinaryIO]:
    """Opens a file for new content, and keeps the old content as `previous`.

    At every moment one of the two files is complete on disk, also after a power failure.

    Raises:
        OSError: If the file cannot be written; both files then stay as they are.
    """
    with _written_beside(path) as file:
        yield file
    if path.exists():
        path.replace(previous)
    _temporary(path).replace(path)
    sync_directory(path.parent)


def sync_directory(directory: Path) -> None:
    """Waits until the entries of a directory are on disk."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_remains(path: Path) -> None:
    """Removes temporary files of processes that were killed while they wrote a file."""
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
