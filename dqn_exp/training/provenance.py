"""CPU model, library versions and git commit, on which the last bits of a run depend."""

import platform
import subprocess
from functools import cache
from importlib.metadata import version
from pathlib import Path

from dqn_exp import __version__

LIBRARIES = ("torch", "gymnasium", "numpy", "numba", "llvmlite")
GAMES = {"minatar": "minatar", "atari": "ale-py", "ALE": "ale-py"}
"""Libraries of games, by the namespace of their environments."""
ROOT = Path(__file__).parent.parent.parent


@cache
def versions(env_id: str) -> dict[str, str]:
    """Returns the versions of Python, this package and the libraries of a run, by name."""
    names = [*LIBRARIES, *(name for space, name in GAMES.items() if f"{space}/" in env_id)]
    libraries = {name: version(name) for name in names}
    return {"python": platform.python_version(), "dqn_exp": __version__, **libraries}


@cache
def cpu_model() -> str:
    """Returns the model of the processor.

    The code of matrix libraries and of compilers depends on it, and so do the last bits.
    """
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:  # Only Linux has this file.
        return platform.processor() or platform.machine()
    fields = (line.partition(":") for line in lines)
    parts = {name.strip(): value.strip() for name, _, value in reversed(list(fields))}
    numbers = [parts.get(name, "") for name in ("cpu family", "model", "stepping")]
    described = f"{parts.get('model name', platform.machine())} ({' '.join(numbers).strip()})"
    return described.removesuffix(" ()")


@cache
def commit() -> str | None:
    """Returns the git commit of the code, or None where it is not a git checkout."""
    if not (ROOT / ".git").exists():
        return None
    command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty", "--abbrev=40"]
    command += ["--exclude", "*"]  # Tags would replace the hash.
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
