"""Compiles functions to machine code, and keeps that code for later processes."""

import hashlib
import logging
import os
import re
import shutil
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import numba
from numba import config

log = logging.getLogger(__name__)

Function = TypeVar("Function", bound=Callable[..., Any])

PACKAGE = Path(__file__).parent

COMPILES = re.compile(r"^(?:from dqn_exp\.compiled|from numba|import numba)\b", re.MULTILINE)
IMPORTED = re.compile(r"^from dqn_exp\.(\w+) import", re.MULTILINE)

REASSOCIATING = {"reassoc", "contract", "nsz", "arcp"}
"""Sums may be added in another order, so that they can be vectorised. What is not finite keeps its
meaning: a run that diverges is found by it."""


def kernel(function: Function) -> Function:
    """Compiles a function that other compiled ones call; sums may be reordered."""
    compiled: Function = numba.njit(error_model="numpy", nogil=True, fastmath=REASSOCIATING)(
        function
    )
    return compiled


def exact_kernel(function: Function) -> Function:
    """Compiles a function that other compiled ones call; every operation is rounded as written."""
    compiled: Function = numba.njit(error_model="numpy", nogil=True)(function)
    return compiled


def entry(function: Function) -> Function:
    """Compiles a function that is called from Python, and keeps its code in the cache.

    Its own operations are rounded as they are written.
    """
    return _entry(function)


def parallel_entry(function: Function) -> Function:
    """Compiles a function as `entry` does, whose loops over `numba.prange` use several threads."""
    return _entry(function, parallel=True)


def num_threads(most: int) -> int:
    """Returns how many threads there are for compiled code, `most` at most."""
    return min(most, int(config.NUMBA_NUM_THREADS))


def tell_of_compiling(module: str) -> None:
    """Says, once a process, if the functions of a module are still to be compiled, and why."""
    directory = _directory()
    if directory is None:
        _tell(
            logging.WARNING,
            "Compiled code cannot be kept, so every process compiles it anew, which takes about "
            "a minute. Set NUMBA_CACHE_DIR to a directory that can be written.",
        )
    elif not any(directory.rglob(f"{module}.*.nbi")):
        _tell(logging.INFO, "Compiling for this machine, about a minute; it is kept for later.")


def _entry(function: Function, **options: Any) -> Function:
    directory = _directory()
    # The cache of numba looks at the file of a function alone, not at those of the functions that
    # it calls. So there is one directory for each content of all files with compiled functions.
    before, config.CACHE_DIR = config.CACHE_DIR, str(directory)
    try:
        compiled: Function = numba.njit(
            error_model="numpy", nogil=True, cache=directory is not None, **options
        )(function)
    finally:
        config.CACHE_DIR = before
    return compiled


@cache
def _directory() -> Path | None:
    """Returns where compiled code is kept, the first place that can be written; None for none."""
    given = os.environ.get("NUMBA_CACHE_DIR")
    home = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    places = [PACKAGE / "__pycache__", Path(home) / "dqn_exp"]
    for place in [Path(given), *places] if given else places:
        try:
            directory = place.expanduser() / f"compiled-{_digest()}"
            if place == PACKAGE / "__pycache__" and not directory.exists():
                _remove_stale(place)
            directory.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=directory):
                return directory
        except (OSError, RuntimeError):  # The latter where there is no home.
            continue
    return None


def _remove_stale(place: Path) -> None:
    """Removes the code of what this package was before."""
    for directory in place.glob("compiled-*"):
        shutil.rmtree(directory, ignore_errors=True)


def _digest() -> str:
    """Returns a hash of all files of the package that compiled functions may depend on.

    They are those that use this module or numba, and what these import: constants are compiled in.
    """
    contents = {path.stem: path.read_text() for path in PACKAGE.glob("*.py")}
    known = {name for name, text in contents.items() if COMPILES.search(text)}
    found: set[str] = set()
    while found != known:
        found = set(known)
        known |= {name for file in found for name in IMPORTED.findall(contents[file])}
        known &= set(contents)
    content = "".join(contents[name] for name in sorted(known))
    return hashlib.sha256(content.encode()).hexdigest()[:16]


@cache
def _tell(level: int, message: str) -> None:
    log.log(level, message)
