"""Ownership of runs by workers, so that an abandoned worker cannot write to its runs any more."""

import uuid
from contextlib import suppress
from pathlib import Path

from dqn_exp.files.atomic_file import write_atomically

NAME = ".owner"


class OwnershipError(OSError):
    """A run belongs to another worker."""


def new_token() -> str:
    """Returns a token that no other worker has."""
    return uuid.uuid4().hex


def grant_ownership(directory: Path, token: str) -> None:
    """Gives the run in a directory to the worker with this token, and revokes any other."""
    write_atomically(directory / NAME, token.encode())


def revoke_ownership(directory: Path) -> None:
    """Revokes the ownership of the run in a directory, whose worker has ended."""
    with suppress(OSError):
        (directory / NAME).unlink()


def check_ownership(directory: Path, token: str | None) -> None:
    """Checks that a run belongs to the worker with this token.

    Args:
        directory: of the run.
        token: None for the process of the command itself, which needs none.

    Raises:
        OwnershipError: If the run belongs to another worker.
    """
    try:
        if token is None or (directory / NAME).read_text() == token:
            return
    except FileNotFoundError:
        pass
    raise OwnershipError(f"{directory}: the run was given to another worker.")
