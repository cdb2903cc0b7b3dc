"""Which worker a run belongs to, so that one that was given up cannot write into it any more."""

import uuid
from contextlib import suppress
from pathlib import Path

from dqn_exp.atomic_file import write_atomically

NAME = ".lease"


class LeaseError(OSError):
    """A run belongs to another worker by now."""


def new_token() -> str:
    """Returns a token that no other worker has."""
    return uuid.uuid4().hex


def grant_lease(directory: Path, token: str) -> None:
    """Gives the run in a directory to the worker with this token, and takes it from any other."""
    write_atomically(directory / NAME, token.encode())


def end_lease(directory: Path) -> None:
    """Takes the run in a directory from its worker, which has ended."""
    with suppress(OSError):
        (directory / NAME).unlink()


def check_lease(directory: Path, token: str | None) -> None:
    """Raises LeaseError if a run belongs to another worker than that with this token.

    Args:
        directory: of the run.
        token: None for the process of the command itself, which needs no lease.
    """
    try:
        if token is None or (directory / NAME).read_text() == token:
            return
    except FileNotFoundError:
        pass
    raise LeaseError(f"{directory}: the run has been given to another worker.")
