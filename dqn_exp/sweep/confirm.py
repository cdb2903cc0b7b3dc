"""Trains the best settings of a sweep again with fresh seeds, as a sweep below its directory.

The best of many settings owes a part of its lead to luck; only seeds that did not choose it tell
how good it is.
"""

import copy
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra.types import TaskFunction
from omegaconf import OmegaConf

from dqn_exp.analysis.aggregates import Setting
from dqn_exp.analysis.statistics import statistic_of
from dqn_exp.analysis.summary import best_lines, ranked_settings
from dqn_exp.core.errors import ConfigError
from dqn_exp.core.module_search import search_in_sources
from dqn_exp.core.wording import quantity
from dqn_exp.files.directories import quote
from dqn_exp.files.job_list import CONFIRMATION, NAME, JobEntry, begin_job_list
from dqn_exp.files.job_names import job_directory_name, naming_jobs
from dqn_exp.files.lock import lock_directory
from dqn_exp.sweep.job import key_of, title_of
from dqn_exp.sweep.resume import ResumeRequest, check_sweep, resume_sweep
from dqn_exp.sweep.saved_sweep import (
    SavedSweep,
    read_saved_sweep,
    split_changes,
    with_changes,
)

log = logging.getLogger(__name__)

NUM_SEEDS = 2**63
"""Seeds are smaller than this."""


def confirm(
    directory: Path, top: int, num_seeds: int, overrides: Sequence[str], task: TaskFunction
) -> Path:
    """Trains the best settings of a sweep with fresh seeds; returns the directory of the new sweep.

    Args:
        directory: of a sweep, absolute.
        top: settings to train again.
        num_seeds: runs of each.
        overrides: changes of the launcher and of keys that do not change results.
        task: of Hydra.

    Raises:
        ConfigError: If the directory is not that of a sweep, no setting has completed, or the
            settings were confirmed before.
        RunError: At the end, if a run has not completed.
        KeyboardInterrupt: If it is interrupted.
    """
    saved, folder = read_saved_sweep(directory), directory / CONFIRMATION
    launcher, changes = split_changes(saved.hydra.launcher, overrides)
    if is_confirmed(directory):
        again = f"python -m dqn_exp.resume {quote(folder)}"
        raise ConfigError([f"{folder}: expected no earlier confirmation. Finish it with: {again}"])
    settings = choose_settings(directory, top, saved.hydra.sweeper.get("statistic"))
    entries = make_entries(saved, settings, num_seeds)
    changed = [one._replace(config=with_changes(one.config, changes)) for one in entries]
    hydra = copy.deepcopy(saved.hydra)
    hydra.launcher = launcher
    search_in_sources(hydra.runtime.config_sources)
    check_sweep(saved._replace(hydra=hydra, entries=changed))
    count, seeds = quantity(len(settings), "setting"), quantity(num_seeds, "fresh seed")
    log.info("Confirming %s with %s.", count, seeds)
    folder.mkdir(exist_ok=True)
    with lock_directory(folder, exclusive=True):
        begin_job_list(folder, _hydra_below(saved, folder), entries)
    resume_sweep(ResumeRequest(folder, overrides, False), task)
    if not entries[0].config["report"]:  # Where there is a report, it has been told.
        for line in best_lines(folder):
            log.info(line)
    return folder


def choose_settings(directory: Path, top: int, statistic: str | None) -> list[Setting]:
    """Returns the best settings of a sweep, of those whose runs have all completed.

    They are the best of a report or, in a search, by its statistic.

    Raises:
        ConfigError: If there is none.
    """
    ranked = ranked_settings(directory)
    whole = [one for one in ranked if not one.num_failed and not one.num_missing]
    if not whole:
        raise ConfigError([f"{directory}: expected a setting whose runs have all completed."])
    if statistic is not None:
        whole.sort(key=lambda one: statistic_of(one.scores, statistic), reverse=True)
    return whole[:top]


def is_confirmed(directory: Path) -> bool:
    """Returns whether the best settings of a sweep are, or were, trained again."""
    return (directory / CONFIRMATION / NAME).exists()


def make_entries(saved: SavedSweep, settings: Sequence[Setting], num_seeds: int) -> list[JobEntry]:
    """Returns the jobs of settings with seeds that no run of a sweep has."""
    fresh = _fresh_seeds({int(entry.config["seed"]) for entry in saved.entries}, num_seeds)
    by_place = {saved.directory / entry.directory: entry for entry in saved.entries}
    models = [by_place[setting.runs[0].directory] for setting in settings]
    count = len(models) * num_seeds
    return [
        _with_seed(model, number * num_seeds + index, seed, count)
        for number, model in enumerate(models)
        for index, seed in enumerate(fresh)
    ]


def _fresh_seeds(used: set[int], count: int) -> list[int]:
    """Returns seeds that were not used: those after the largest, or else the smallest."""
    first = 1 + max(used)
    if first + count <= NUM_SEEDS:
        return list(range(first, first + count))
    return [seed for seed in range(count + len(used)) if seed not in used][:count]


def _with_seed(model: JobEntry, num: int, seed: int, count: int) -> JobEntry:
    """Returns the job of a run with another seed."""
    swept = {**model.swept, "seed": str(seed)}
    overrides = [one for one in model.overrides if key_of(one) != "seed"] + [f"seed={seed}"]
    with naming_jobs(swept, count):
        name = job_directory_name(num, overrides)
    return JobEntry(
        num=num,
        directory=name,
        title=title_of(overrides, list(swept)),
        overrides=overrides,
        swept=swept,
        environment=model.environment,
        config={**model.config, "seed": seed},
    )


def _hydra_below(saved: SavedSweep, folder: Path) -> dict[str, Any]:
    hydra = copy.deepcopy(saved.hydra)
    hydra.sweep.dir = str(folder)
    plain: Any = OmegaConf.to_container(hydra, resolve=False, enum_to_str=True)
    values: dict[str, Any] = plain
    return values
