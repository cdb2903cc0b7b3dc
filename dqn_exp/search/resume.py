"""Resumes a search, its sampler included."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hydra.core.utils import JobRuntime, configure_log, setup_globals
from hydra.types import TaskFunction
from omegaconf import DictConfig, OmegaConf
from optuna.trial import TrialState

from dqn_exp.core.errors import ConfigError
from dqn_exp.core.module_search import search_in_sources
from dqn_exp.files.job_list import JobEntry
from dqn_exp.files.lock import lock_directory
from dqn_exp.search.options import SearchOptions, to_search_options
from dqn_exp.search.request import Request
from dqn_exp.search.search import describe_trials
from dqn_exp.search.space import read_space
from dqn_exp.search.study import mend_journal, read_trials
from dqn_exp.search.sweeper import carry_out, check_corners, report
from dqn_exp.sweep.hydra_internals import make_loader
from dqn_exp.sweep.launcher_options import to_options
from dqn_exp.sweep.resume import ResumeRequest, make_launcher
from dqn_exp.sweep.saved_sweep import (
    SavedSweep,
    read_saved_sweep,
    split_changes,
    value_of,
    with_changes,
)
from dqn_exp.sweep.setting_rows import to_override_value

CHANGEABLE = ("n_trials", "timeout", "target", "finalists", "fresh_seeds")
"""Options of a search that may change when it resumes."""

PREFIX = "hydra.sweeper."


def resume_search(asked: ResumeRequest, task_function: TaskFunction) -> None:
    """Resumes a search.

    Args:
        asked: its directory, and changes.
        task_function: of Hydra.

    Raises:
        ConfigError: If it cannot be resumed; nothing has been changed.
        RunError: If no trial has completed.
        KeyboardInterrupt: If it is interrupted again.
    """
    setup_globals()
    JobRuntime.instance().set("name", "train")
    with lock_directory(asked.directory, exclusive=True):
        request = _read(asked, task_function)
        hydra = request.launcher.config.hydra
        configure_log(hydra.hydra_logging, hydra.verbose)
        first = check_corners(request)
        mend_journal(asked.directory)
        carry_out(request, first)
    report(request.launcher)


def describe_search(asked: ResumeRequest, task_function: TaskFunction) -> list[str]:
    """Returns what would be done, without changing anything.

    Raises:
        ConfigError: If the search cannot be resumed.
    """
    setup_globals()
    JobRuntime.instance().set("name", "train")
    request = _read(asked, task_function)
    check_corners(request)
    trials = read_trials(asked.directory)
    running = [trial for trial in trials if trial.state == TrialState.RUNNING]
    lines = [f"resume trial {trial.number}" for trial in running]
    left = max(0, request.options.n_trials - len(trials))
    return [*lines, describe_trials(trials), f"Up to {left} further trials would begin."]


def _options(saved: SavedSweep, overrides: Sequence[str]) -> tuple[SearchOptions, dict[str, str]]:
    """Returns the options of a saved search, with changes, and its declared ranges."""
    options = {str(key): value for key, value in saved.hydra.sweeper.items() if key != "_target_"}
    params = options.pop("params") or {}
    return to_search_options(options | _changed_options(overrides)), params


def _read(asked: ResumeRequest, task_function: TaskFunction) -> Request:
    """Returns the search that is saved in a directory, with changes."""
    saved = read_saved_sweep(asked.directory)
    options, params = _options(saved, asked.overrides)
    node, changes = _split(saved, asked)
    config = _saved_config(asked.directory, node, changes)
    search_in_sources(config.hydra.runtime.config_sources)
    launcher = make_launcher(config, task_function, make_loader(config))
    space = read_space(params, list(config.hydra.overrides.task))
    fixed = [*space.fixed, *(f"{key}={to_override_value(one)}" for key, one in changes.items())]
    return Request(
        launcher,
        to_options(launcher.options),
        options,
        space._replace(fixed=fixed),
        {entry.num: _changed(entry, changes) for entry in saved.entries},
        [override for override in asked.overrides if not override.startswith(PREFIX)],
    )


def _split(saved: SavedSweep, asked: ResumeRequest) -> tuple[DictConfig, dict[str, Any]]:
    """Returns the options of the launcher and the changed keys, without those of the search.

    Raises:
        ConfigError: If the search cannot be resumed with the changes.
    """
    if asked.retries_failed:
        raise ConfigError(["--retry-failed: a search does not repeat trials; begin a new one."])
    others = [override for override in asked.overrides if not override.startswith(PREFIX)]
    also = [f"{PREFIX}{name}" for name in CHANGEABLE]
    return split_changes(saved.hydra.launcher, others, also)


def _changed_options(overrides: Sequence[str]) -> dict[str, Any]:
    """Returns the new options of the search that overrides ask for."""
    changed = {}
    for override in overrides:
        key = override.partition("=")[0]
        name = key.removeprefix(PREFIX)
        if key.startswith(PREFIX):
            if name not in CHANGEABLE:
                known = ", ".join(f"{PREFIX}{one}" for one in CHANGEABLE)
                raise ConfigError([f"{key}: would change the trials; expected one of {known}."])
            changed[name] = value_of(override)
    return changed


def _saved_config(directory: Path, launcher: DictConfig, changes: Mapping[str, Any]) -> DictConfig:
    config = OmegaConf.load(directory / "multirun.yaml")
    assert isinstance(config, DictConfig)
    config.hydra.sweep.dir = str(directory)  # The directory may have been moved.
    config.hydra.launcher = launcher
    for key, value in changes.items():
        OmegaConf.update(config, key, value, force_add=True)
    return config


def _changed(entry: JobEntry, changes: Mapping[str, Any]) -> JobEntry:
    return entry._replace(config=with_changes(entry.config, changes))
