"""Who is at work in a directory, so that no two processes write the same files."""

import errno
import fcntl
import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dqn_exp.errors import ConfigError

log = logging.getLogger(__name__)

WAITING_SECONDS = 10.0
"""How long one that begins waits for workers whose sweep was killed; they end by themselves."""

UNSUPPORTED = (errno.ENOLCK, errno.EOPNOTSUPP, errno.EBADF, errno.EINVAL)
"""What file systems without locks, such as some of networks, answer."""


@contextmanager
def at_work(directory: Path, *, is_alone: bool) -> Iterator[None]:
    """Marks this process as one that works in a directory, until the block or the process ends.

    The mark is a lock on the directory itself, which leaves no file behind, whatever becomes of
    the process. Workers of one sweep share it. Where the file system has no locks, nothing is
    marked.

    Args:
        directory: exists.
        is_alone: whether no other process may be at work there when this one begins.

    Raises:
        ConfigError: if one is.
    """
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        _lock(descriptor, directory, is_alone)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int, directory: Path, is_alone: bool) -> None:
    try:
        if is_alone:
            _wait_for(descriptor, directory)
        # For a moment, one that begins holds it alone.
        fcntl.flock(descriptor, fcntl.LOCK_SH)
    except OSError as error:
        if error.errno not in UNSUPPORTED:
            raise
        log.warning("%s cannot be locked: take care that only one process trains there.", directory)


def _wait_for(descriptor: int, directory: Path) -> None:
    end, is_told = time.monotonic() + WAITING_SECONDS, False
    while True:
        try:
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if not is_told:
                is_told = True
                log.warning("Another process trains in %s; waiting for its end.", directory)
            if time.monotonic() > end:
                raise ConfigError(
                    [f"{directory}: another process trains in it. Wait for its end, or end it."]
                ) from None
            time.sleep(0.1)
