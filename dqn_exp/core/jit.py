"""Compilation of functions to machine code with numba, cached by content."""

import hashlib
import logging
import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import numba
from numba import config
from numba.core.event import Listener, install_listener

from dqn_exp.core.file_locks import UNSUPPORTED, is_locked_now, lock_until_exit
from dqn_exp.core.kernel_compiler import EntryCompiler, KernelCompiler

log = logging.getLogger(__name__)

Function = TypeVar("Function", bound=Callable[..., Any])

PACKAGE = Path(__file__).parent.parent

COMPILERS = frozenset({"dqn_exp.core.jit", "numba"})
"""Modules whose importers hold compiled functions."""

IMPORT = re.compile(
    r"^ *(?:from (?P<module>[\w.]+) import (?P<names>\([^)]*\)|[^\n]*)|import (?P<plain>[\w.]+))",
    re.MULTILINE,
)
NAME = re.compile(r"\w+")

IN_USE = "in_use"
"""File that each process which uses a directory locks."""

KERNEL: dict[str, Any] = {
    "error_model": "numpy",
    "nogil": True,
    "_nrt": False,  # Kernels allocate nothing, and their callers own all arrays.
    "no_cpython_wrapper": True,
    "no_cfunc_wrapper": True,
    "pipeline_class": KernelCompiler,
}
"""Options of functions that only compiled functions call."""


def kernel(function: Function) -> Function:
    """Compiles a function that is inlined into its compiled callers.

    Arithmetic of single numbers is evaluated as written, without fast-math.
    """
    compiled: Function = numba.njit(**KERNEL, forceinline=True)(function)
    return compiled


def called_kernel(function: Function) -> Function:
    """Compiles a long function that compiled functions call, as one function for all of them."""
    compiled: Function = numba.njit(**KERNEL, forceinline=False)(function)
    return compiled


def inlined_kernel(function: Function) -> Function:
    """Inlines a function whose result compiled code cannot return (e.g. a tuple with a record)."""
    compiled: Function = numba.njit(**KERNEL, inline="always")(function)
    return compiled


def cached_jit(function: Function) -> Function:
    """Compiles a function that Python calls, and caches its machine code.

    Its own operations are rounded as they are written.
    """
    directory = _directory()
    # Numba's cache checks the file of a function, but not those of the functions that it calls. So
    # there is one directory for each content of all files with compiled functions.
    before, config.CACHE_DIR = config.CACHE_DIR, str(directory)
    try:
        compiled: Function = numba.njit(
            error_model="numpy",
            nogil=True,
            cache=directory is not None,
            pipeline_class=EntryCompiler,
        )(function)
    finally:
        config.CACHE_DIR = before
    return compiled


@contextmanager
def announced_compilation(should_stop: Callable[[], bool]) -> Iterator[bool]:
    """Logs when functions are compiled in this block, and how long compilation took.

    Processes compile one after the other: the second one finds what the first has compiled, and
    numba's cache loses entries that are written at the same time.

    Args:
        should_stop: asked while another process compiles.

    Yields:
        Whether to compile: false if it should stop.
    """
    directory = _directory()
    if directory is None:
        _log_once(
            logging.WARNING,
            "Compiled code cannot be cached, so every process compiles it again. Set "
            "NUMBA_CACHE_DIR to a writable directory.",
        )
    announcement, began = _Announcement(), time.perf_counter()
    with (
        _locked(directory, should_stop) as is_free,
        install_listener("numba:compile", announcement),
    ):
        yield is_free
    if announcement.is_made:
        log.info("Compiled in %.0f s.", time.perf_counter() - began)


@contextmanager
def _locked(directory: Path | None, should_stop: Callable[[], bool]) -> Iterator[bool]:
    """Keeps other processes from compiling into a directory; yields false if it should stop."""
    if directory is None:
        yield True
        return
    with (directory / "lock").open("w") as file:
        yield _wait_for_lock(file.fileno(), should_stop)


def _wait_for_lock(descriptor: int, should_stop: Callable[[], bool]) -> bool:
    is_logged = False
    try:
        while not is_locked_now(descriptor):
            if should_stop():
                return False
            if not is_logged:
                log.info("Waiting for another process to compile.")
            is_logged = True
            time.sleep(0.1)
    except OSError as error:
        if error.errno not in UNSUPPORTED:
            raise
        # Without locks, several processes may compile the same code.
    return True


class _Announcement(Listener):  # type: ignore[misc]
    """Logs the first compilation."""

    def __init__(self) -> None:
        self.is_made = False

    def on_start(self, _event: Any) -> None:
        if not self.is_made:
            log.info("Compiling for this machine, 5 to 30 seconds; later runs reuse the code.")
        self.is_made = True

    def on_end(self, _event: Any) -> None:
        pass


@cache
def _directory() -> Path | None:
    """Returns the cache directory, the first writable candidate; None if there is none."""
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
                with suppress(OSError):  # Where there are no locks, nothing keeps it.
                    lock_until_exit(directory / IN_USE)
                return directory
        except (OSError, RuntimeError):  # RuntimeError: there is no home directory.
            continue
    return None


def _remove_stale(place: Path) -> None:
    """Removes code of earlier versions of the package, unless a process still uses it."""
    for directory in place.glob("compiled-*"):
        with suppress(OSError), (directory / IN_USE).open("a") as file:
            if is_locked_now(file.fileno()):
                shutil.rmtree(directory, ignore_errors=True)


def _digest() -> str:
    """Returns a hash of every file that compiled functions may depend on.

    These are the modules that import this module or numba, and whatever they import from the
    package: constants are compiled in.
    """
    sources = {
        _module_name(path): path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py")
    }
    imports = {name: _imported_modules(source, sources) for name, source in sources.items()}
    known = {name for name, imported in imports.items() if imported & COMPILERS}
    found: set[str] = set()
    while found != known:
        found = set(known)
        known |= {module for name in found for module in imports[name] if module in sources}
    content = "".join(sources[name] for name in sorted(known))
    return hashlib.sha256(content.encode()).hexdigest()[:16]


def _module_name(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(("dqn_exp", *parts))


def _imported_modules(source: str, known: Collection[str]) -> set[str]:
    """Returns the modules of the package that a file imports, and numba if it does."""
    found: set[str] = set()
    for match in IMPORT.finditer(source):
        module = match["module"] or match["plain"]
        # An imported name may be a module of a folder or a definition of a module.
        names = [module, *(f"{module}.{name}" for name in NAME.findall(match["names"] or ""))]
        found |= {name for name in names if name in known}
        found |= {module, module.partition(".")[0]} & COMPILERS
    return found


@cache
def _log_once(level: int, message: str) -> None:
    log.log(level, message)
