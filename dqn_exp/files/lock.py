"""Locks on directories, so that no two processes write the same files."""

import fcntl
import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dqn_exp.core.errors import ConfigError
from dqn_exp.core.file_locks import UNSUPPORTED, is_locked_now

log = logging.getLogger(__name__)

WAIT_SECONDS = 10.0
"""How long a command waits for the workers of a killed sweep, which end by themselves."""


@contextmanager
def lock_directory(directory: Path, *, exclusive: bool) -> Iterator[None]:
    """Locks a directory until the block or the process ends.

    The lock is on the directory itself and leaves no file behind. Workers of one sweep share it.
    On file systems without locks, nothing is locked, with a warning.

    Args:
        directory: an existing directory.
        exclusive: whether no other process may hold the lock when this one takes it.

    Raises:
        ConfigError: If another process holds the lock.
    """
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        _lock(descriptor, directory, exclusive)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int, directory: Path, exclusive: bool) -> None:
    try:
        if exclusive:
            _wait_for(descriptor, directory)
        # From here on the lock is shared, with workers of the same sweep.
        fcntl.flock(descriptor, fcntl.LOCK_SH)
    except OSError as error:
        if error.errno not in UNSUPPORTED:
            raise
        log.warning("%s cannot be locked: make sure that only one process trains there.", directory)


def _wait_for(descriptor: int, directory: Path) -> None:
    end, is_logged = time.monotonic() + WAIT_SECONDS, False
    while not is_locked_now(descriptor):
        if not is_logged:
            is_logged = True
            log.warning("Another process trains in %s; waiting for it to end.", directory)
        if time.monotonic() > end:
            raise ConfigError(
                [f"{directory}: another process trains in it. Wait for it to end, or end it."]
            )
        time.sleep(0.1)
