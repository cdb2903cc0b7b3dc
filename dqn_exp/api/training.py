"""Training from Python: one run, a sweep, or a search."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from dqn_exp.api.in_process import call
from dqn_exp.api.overrides import Settings, quoted, to_overrides
from dqn_exp.api.results import Results
from dqn_exp.core.errors import ConfigError, RunError
from dqn_exp.search.options import SearchOptions


def train(
    settings: Settings = (), *, directory: str | Path | None = None, quiet: bool = False
) -> Results:
    """Trains one run in this process, as `python -m dqn_exp.train` does.

    Args:
        settings: values by dotted key, such as `{"agent.gamma": 0.99, "experiment": "book"}`, or
            overrides as on the command line.
        directory: new directory of the results; None for one in `outputs/` named after the time.
        quiet: whether to print nothing.

    Raises:
        ConfigError: If the input is invalid; nothing has been created.
        RunError: If the run failed or diverged; `error.directory` holds the partial results.
        KeyboardInterrupt: If it is interrupted; it has been saved, and can be resumed.
    """
    return _train(to_overrides(settings), "hydra.run.dir", directory, quiet)


def sweep(
    settings: Settings, *, directory: str | Path | None = None, quiet: bool = False
) -> Results:
    """Trains all combinations of values in this process, as `-m` does on the command line.

    Args:
        settings: values by dotted key, where a list, a range or an array holds several, as in
            `{"agent.gamma": [0.9, 0.98], "seed": range(5)}`; or overrides.
        directory: as for `train`.
        quiet: as for `train`.

    Raises:
        ConfigError: If the input is invalid; nothing has been created.
        RunError: If a run failed or diverged; all others have completed, and its `directory` holds
            their results.
        KeyboardInterrupt: If it is interrupted; the runs have been saved, and can be resumed.
    """
    overrides = to_overrides(settings, sweeps=True)
    return _train(["-m", *overrides], "hydra.sweep.dir", directory, quiet)


def search(
    space: Settings,
    *,
    options: Mapping[str, Any] | None = None,
    directory: str | Path | None = None,
    quiet: bool = False,
) -> Results:
    """Searches for the best settings in this process, as `hydra/sweeper=search` does.

    Args:
        space: values by dotted key: a range, as from `interval(1e-4, 1e-2, log=True)`, a list of
            choices, or one value; or overrides.
        options: of the search by name, such as `{"n_trials": 50, "seeds": 5}`; docs/search.md
            lists them.
        directory: as for `train`.
        quiet: as for `train`.

    Raises:
        ConfigError: If the input is invalid; nothing has been created.
        MissingExtraError: If Optuna is not installed.
        RunError: If no trial has completed.
        KeyboardInterrupt: If it is interrupted; it can be resumed.
    """
    known = SearchOptions.model_fields
    if unknown := sorted(set(options or {}) - set(known)):
        expected = ", ".join(known)
        raise ConfigError([f"options: expected some of {expected}, got {', '.join(unknown)}."])
    named = {f"hydra.sweeper.{name}": value for name, value in (options or {}).items()}
    sweeper = "hydra/sweeper=search"
    overrides = [*to_overrides(space, sweeps=True), *to_overrides(named)]
    return _train(["-m", sweeper, *overrides], "hydra.sweep.dir", directory, quiet)


def _train(arguments: list[str], key: str, directory: str | Path | None, quiet: bool) -> Results:
    rest = [one for one in arguments if not one.startswith(f"{key}=")]
    path = Path(directory or _directory_of(arguments, key)).absolute()
    if "${" in str(path):
        raise ConfigError([f"directory: expected a name without ${{, got {path}."])
    try:
        call([*rest, f"{key}={quoted(str(path))}"], is_quiet=quiet)
    except RunError as error:
        error.directory = path
        raise
    return Results(path)


def _directory_of(arguments: Sequence[str], key: str) -> str:
    """Returns the directory that overrides name, else one named after the time."""
    values = {name: value for name, _, value in (one.partition("=") for one in arguments)}
    if key in values:
        return values[key].strip("'")
    if (name := values.get("name", "null").strip("'")) != "null":
        return f"outputs/{name}"
    return f"outputs/{datetime.now():%Y-%m-%d/%H-%M-%S-%f}"
