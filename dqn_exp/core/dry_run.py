"""Whether a command only tells what it would do."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_IS_DRY = ContextVar("is_dry", default=False)


def is_dry_run() -> bool:
    """Returns whether nothing is to be trained or created."""
    return _IS_DRY.get()


@contextmanager
def dry_run(is_dry: bool) -> Iterator[None]:
    """Sets it in this block."""
    token = _IS_DRY.set(is_dry)
    try:
        yield
    finally:
        _IS_DRY.reset(token)
