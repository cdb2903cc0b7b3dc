"""Names of the directories of a sweep's jobs."""

import re
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple

MAX_NAME_LENGTH = 120
"""In bytes; most file systems allow 255."""


UNKNOWN_DIGITS = 3
"""Digits of the number of a job where it is not known how many there will be."""


class Naming(NamedTuple):
    """Rule for the names of the directories of jobs.

    Attributes:
        swept: keys whose values are included; None for all but the recipe.
        num_digits: of the number, so that names sort.
    """

    swept: Collection[str] | None = None
    num_digits: int = 1


_NAMING: ContextVar[Naming | None] = ContextVar("naming", default=None)


def name_after(swept: Collection[str]) -> None:
    """Makes `job_directory_name` name jobs after these keys, where nothing else is known."""
    _NAMING.set(Naming(swept, UNKNOWN_DIGITS))


@contextmanager
def naming_jobs(swept: Collection[str], num_jobs: int | None) -> Iterator[None]:
    """Makes `job_directory_name` name the jobs of a sweep in this block.

    Args:
        swept: keys whose values are included.
        num_jobs: of the sweep; None if unknown.
    """
    token = _NAMING.set(
        Naming(swept, UNKNOWN_DIGITS if num_jobs is None else len(str(num_jobs - 1)))
    )
    try:
        yield
    finally:
        _NAMING.reset(token)


def job_directory_name(num: int, overrides: Sequence[str]) -> str:
    """Returns the name of a job's directory: its number and its swept values.

    Args:
        num: number of the job.
        overrides: of the job, such as `agent.gamma=0.9`.
    """
    swept, num_digits = _NAMING.get() or Naming()
    named = [
        f"{key.rsplit('.', 1)[-1]}={shorten_number(value)}"
        for key, _, value in (override.lstrip("+").partition("=") for override in overrides)
        if (key != "experiment" if swept is None else key in swept)
    ]
    name = re.sub(r"[][(){}'\" ]", "", "_".join([f"{num:0{num_digits}d}", ",".join(named)]))
    name = re.sub(r"[^\w.,=+-]", "-", name)
    return name.encode()[:MAX_NAME_LENGTH].decode(errors="ignore").rstrip("_.")


def shorten_number(text: str) -> str:
    """Returns a number with many digits, such as one that a search has sampled, with four."""
    try:
        return f"{float(text):.4g}" if len(text) > 10 else text
    except ValueError:
        return text
