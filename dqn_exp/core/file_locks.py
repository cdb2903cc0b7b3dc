"""Locks on open files, on systems that may not have them."""

import errno
import fcntl
import os
from pathlib import Path

UNSUPPORTED = (errno.ENOLCK, errno.EOPNOTSUPP, errno.EBADF, errno.EINVAL)
"""Errors of file systems without locks, such as some network file systems."""


def is_locked_now(descriptor: int) -> bool:
    """Tries to lock an open file exclusively; returns whether it is locked now.

    Raises:
        OSError: If the file cannot be locked, with an errno of `UNSUPPORTED` if the file system has
            no locks.
    """
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def lock_until_exit(path: Path) -> None:
    """Locks a file, as several processes may, until this process ends.

    Raises:
        OSError: If it is locked exclusively, or cannot be opened or locked.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise
