"""The door for notebooks: trains with overrides, and reads results as tables."""

import io
import json
import signal
import subprocess
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from dqn_exp.errors import ConfigError, RunError

if TYPE_CHECKING:
    import pandas as pd

BAD_INPUT = 2
LINES_OF_LOGS = ("[", "Error executing job")


class Runs(NamedTuple):
    """Tables of runs; `run` is the index of the first and a column of the others.

    runs: one row a run: its directory, its config by dotted key, and its result.
    episodes: one row a finished training episode.
    evaluations: one row an episode of an evaluation.
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
    """Trains as `python -m dqn_exp.train` does, in a process of its own; returns its directory.

    Args:
        overrides: as on the command line, such as `agent.gamma=0.99`, or with `sweep` also
            `agent.gamma=0.95,0.99`.
        sweep: whether all combinations of several values are trained, as with `-m`.
        directory: new one for the results; None for one in `outputs/` named after the time.
        quiet: whether nothing is printed.

    Raises:
        ConfigError: for a bad configuration; nothing has been made.
        RunError: if a run has failed or diverged; all others have completed.
        TypeError: if the overrides are no list of texts.
        KeyboardInterrupt: if it was interrupted; the runs have been saved, and can be resumed.
    """
    if isinstance(overrides, str) or not all(isinstance(one, str) for one in overrides):
        kind = type(overrides).__name__
        raise TypeError(f"overrides: expected a list of texts such as 'seed=1', got {kind}.")
    if directory is None:
        directory = f"outputs/{datetime.now():%Y-%m-%d/%H-%M-%S-%f}"
    path = Path(directory).absolute()
    key = "hydra.sweep.dir" if sweep else "hydra.run.dir"
    # As JSON writes a text, so does Hydra read one that is quoted.
    place = f"{key}={json.dumps(str(path), ensure_ascii=False)}"
    command = [sys.executable, "-m", "dqn_exp.train", *(["-m"] if sweep else []), *overrides, place]
    status, said = _run_aloud(command, quiet)
    problems = [line for line in said if not line.startswith(LINES_OF_LOGS)][-20:]
    if status == BAD_INPUT:
        if not sweep and any("add -m" in line for line in problems):
            problems.append("From Python, that is dqn_exp.run(..., sweep=True).")
        raise ConfigError(problems)
    if status:
        raise RunError("\n".join(problems))
    return path


def load_runs(directory: str | Path, *more: str | Path) -> Runs:
    """Returns the tables of all runs in the directories of runs or sweeps.

    Raises:
        ConfigError: if a directory is not that of a run or a sweep.
        ImportError: if pandas is not installed.
    """
    try:
        import pandas as pd
    except ImportError as error:
        raise ImportError("load_runs needs pandas: pip install 'dqn-exp[notebook]'.") from error
    from dqn_exp.run_files import read_sources, whole_lines
    from dqn_exp.run_tables import TABLES

    sources = read_sources([Path(one) for one in (directory, *more)])
    runs = [run for source in sources for run in source.runs]
    names = [run.name if len(sources) == 1 else f"{run.source}/{run.name}" for run in runs]
    tables = {}
    for table, columns in TABLES.items():
        lines = [whole_lines(run.directory / f"{table}.csv") for run in runs]
        text = io.StringIO("".join(line for part in lines for line in part))
        # Read as they stand: the seeds of episodes have more digits than a float can hold.
        kinds = {name: "float64" if name == "return" else "int64" for name in columns}
        frame = pd.read_csv(text, names=list(columns), dtype=kinds)
        frame.insert(0, "run", [n for n, part in zip(names, lines, strict=True) for _ in part])
        tables[table] = frame
    rows = pd.DataFrame([_row(run) for run in runs], index=pd.Index(names, name="run"))
    return Runs(rows, **tables)


def _row(run: Any) -> dict[str, Any]:
    result = {} if run.result is None else vars(run.result)
    return {
        "directory": str(run.directory),
        **run.config,
        **{key: value for key, value in result.items() if key not in ("seed", "versions")},
        "status": run.status,
    }


def _run_aloud(command: Sequence[str], quiet: bool) -> tuple[int, list[str]]:
    """Runs a command, prints what it says as it comes, and returns its status and its lines."""
    # In a session of its own: only from here is it interrupted, and only once.
    said: list[str] = []
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            _listen(process, said, quiet)
        except KeyboardInterrupt:
            process.send_signal(signal.SIGINT)
            _listen(process, said, quiet)
            process.wait()
            raise KeyboardInterrupt(said[-1] if said else "") from None
        return process.wait(), said


def _listen(process: "subprocess.Popen[str]", said: list[str], quiet: bool) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        said.append(line.rstrip("\n"))
        if not quiet:
            print(said[-1], flush=True)  # noqa: T201  (Where a notebook shows it.)
