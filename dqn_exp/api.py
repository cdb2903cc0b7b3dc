"""The Python API: trains with overrides, and reads results as tables."""

import json
import signal
import subprocess
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from dqn_exp.analysis.run_tables import read_tables
from dqn_exp.core.errors import ConfigError, RunError

if TYPE_CHECKING:
    import pandas as pd

BAD_INPUT = 2
LOG_PREFIXES = ("[", "Error executing job")


class Runs(NamedTuple):
    """Tables of runs; `run` is the index of the first and a column of the others.

    Attributes:
        runs: one row per run: its directory, its config by dotted key, and its result.
        episodes: one row per finished training episode.
        evaluations: one row per episode of an evaluation.
    """

    runs: "pd.DataFrame"
    episodes: "pd.DataFrame"
    evaluations: "pd.DataFrame"


def run(
    overrides: Sequence[str] = (),
    *,
    sweep: bool = False,
    directory: str | Path | None = None,
    quiet: bool = False,
) -> Path:
    """Trains as `python -m dqn_exp.train` does, in a separate process; returns the directory.

    Args:
        overrides: as on the command line, such as `agent.gamma=0.99`; with `sweep`, also
            `agent.gamma=0.95,0.99`.
        sweep: whether to train all combinations of several values, as with `-m`.
        directory: new directory of the results; None for one in `outputs/` named after the time.
        quiet: whether to print nothing.

    Raises:
        ConfigError: If the input is invalid; nothing has been created.
        RunError: If a run failed or diverged; all others have completed.
        TypeError: If the overrides are not a list of strings.
        KeyboardInterrupt: If it is interrupted; the runs have been saved, and can be resumed.
    """
    if isinstance(overrides, str) or not all(isinstance(one, str) for one in overrides):
        kind = type(overrides).__name__
        raise TypeError(f"overrides: expected a list of strings such as 'seed=1', got {kind}.")
    if directory is None:
        directory = f"outputs/{datetime.now():%Y-%m-%d/%H-%M-%S-%f}"
    path = Path(directory).absolute()
    key = "hydra.sweep.dir" if sweep else "hydra.run.dir"
    # Hydra reads quoted strings as JSON writes them.
    place = f"{key}={json.dumps(str(path), ensure_ascii=False)}"
    command = [sys.executable, "-m", "dqn_exp.train", *(["-m"] if sweep else []), *overrides, place]
    status, lines = _run_aloud(command, quiet)
    problems = [line for line in lines if not line.startswith(LOG_PREFIXES)][-20:]
    if status == BAD_INPUT:
        if not sweep and any("add -m" in line for line in problems):
            problems.append("In Python, that is dqn_exp.run(..., sweep=True).")
        raise ConfigError(problems)
    if status:
        raise RunError("\n".join(problems))
    return path


def load_runs(directory: str | Path, *more: str | Path) -> Runs:
    """Returns the tables of all runs in the directories of runs or sweeps.

    Raises:
        ConfigError: If a directory is not that of a run or a sweep.
        ImportError: If pandas is not installed.
    """
    return Runs(**read_tables([Path(one) for one in (directory, *more)]))


def _run_aloud(command: Sequence[str], quiet: bool) -> tuple[int, list[str]]:
    """Runs a command and prints its output as it comes; returns its status and output lines."""
    # In a session of its own, so that only this process interrupts it, and only once.
    lines: list[str] = []
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            _listen(process, lines, quiet)
        except KeyboardInterrupt:
            process.send_signal(signal.SIGINT)
            _listen(process, lines, quiet)
            process.wait()
            raise KeyboardInterrupt(lines[-1] if lines else "") from None
        return process.wait(), lines


def _listen(process: "subprocess.Popen[str]", lines: list[str], quiet: bool) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        lines.append(line.rstrip("\n"))
        if not quiet:
            print(lines[-1], flush=True)  # noqa: T201  (A notebook shows it.)
