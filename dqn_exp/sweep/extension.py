"""Larger budgets for a saved run or sweep, so that completed runs go on."""

import csv
import json
import sys
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from omegaconf import OmegaConf

from dqn_exp.config.schema import Config
from dqn_exp.config.validation import to_config
from dqn_exp.core.errors import ConfigError
from dqn_exp.files.atomic_file import write_atomically
from dqn_exp.files.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from dqn_exp.files.directories import shorten
from dqn_exp.files.job_list import JobEntry, begin_job_list
from dqn_exp.files.result import Result, read_result
from dqn_exp.sweep.saved_sweep import BUDGETS, SavedSweep, with_changes
from dqn_exp.sweep.setting_rows import to_override_value
from dqn_exp.training.resume_point import ResumePoint, find_resume_point, set_aside_refused

UNFINISHED = "extension.json"
"""File with the new budgets, as long as they are being written to the files of the runs."""

ORIGINAL = "config_before_extension.yaml"
"""Config as it was composed, with its interpolations."""


class Extension(NamedTuple):
    """A run and its config with a larger budget.

    Attributes:
        directory: of the run.
        earlier: its config until now.
        entry: of the list of jobs, with the larger budget.
        config: typed config of the entry.
        budgets: new values by key.
        point: from which the run goes on.
    """

    directory: Path
    earlier: Config
    entry: JobEntry
    config: Config
    budgets: Mapping[str, Any]
    point: ResumePoint

    @property
    def is_written(self) -> bool:
        """Whether the files of the run have this budget already."""
        return self.config.hash() == self.earlier.hash()

    def describe(self, *, retries_failed: bool) -> str:
        """Returns a line for the user."""
        result, run = read_result(self.directory), shorten(self.directory)
        if result is not None and result.status in ("failed", "diverged") and not retries_failed:
            return f"leave  {run} ({result.status}: {result.error})"
        if result is not None and result.status == "completed" and self.is_over(result):
            return f"leave  {run} (its budget is reached)"
        goal = " ".join(f"{key}={value}" for key, value in self.budgets.items())
        return f"extend {run} to {goal}"

    def is_over(self, result: Result) -> bool:
        """Returns whether the run has reached one of its new budgets."""
        trainer = self.config.trainer
        done = ((result.steps, trainer.total_steps), (result.episodes, trainer.total_episodes))
        stop, newest = trainer.stop_at_return, result.eval_return_mean
        # A longer run has no evaluation at the end of the smaller budget, unless it is due there.
        is_due = result.steps % (self.config.eval.every_steps or sys.maxsize) == 0
        is_good = is_due and stop is not None and newest is not None and newest >= stop
        return is_good or any(budget is not None and count >= budget for count, budget in done)


def plan_extension(sweep: SavedSweep, budgets: Mapping[str, Any]) -> list[Extension]:
    """Returns the runs of a sweep with larger budgets, without changing anything.

    Args:
        sweep: as it was saved.
        budgets: new values of keys of `saved_sweep.BUDGETS`.

    Raises:
        ConfigError: If a budget is smaller than what a run has done, the sweep forbids it, or the
            files of a run do not fit together.
    """
    if sweep.chosen is not None:
        raise ConfigError(
            [f"{', '.join(budgets)}: expected the directory of the sweep, {sweep.directory}: its "
             "runs have the same budget."]
        )  # fmt: skip
    for key in budgets:
        if any(key in entry.swept for entry in sweep.entries):
            raise ConfigError([f"{key}: expected a key that the sweep does not sweep over."])
    planned, problems = [], []
    for entry in sweep.entries:
        try:
            planned.append(_extend(sweep, entry, budgets))
        except ValueError as error:
            problems += str(error).splitlines()
    problems += [problem for one in planned for problem in _problems_of(one)]
    if problems:
        raise ConfigError(list(dict.fromkeys(problems)))
    return planned


def unfinished_budgets(directory: Path) -> dict[str, Any]:
    """Returns the budgets of an extension that was interrupted while it was written."""
    path = directory / UNFINISHED
    found = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    if not isinstance(found, dict) or not found.keys() <= set(BUDGETS):
        raise ConfigError([f"{path}: expected new values of {', '.join(BUDGETS)}, got {found}."])
    return found


def differences(extensions: Sequence[Extension], budgets: Mapping[str, Any]) -> list[str]:
    """Returns lines about keys that follow the budget in a single longer run, but not here."""
    found: dict[str, None] = {}
    for one in extensions:
        folder = one.directory / ".hydra"
        path = folder / (ORIGINAL if (folder / ORIGINAL).exists() else "config.yaml")
        if not path.exists():
            continue
        node: Any = OmegaConf.load(path)
        for key, value in budgets.items():
            OmegaConf.update(node, key, value)
        try:
            longer = to_config(OmegaConf.to_container(node, resolve=True))  # type: ignore[arg-type]
        except Exception:  # Interpolations of Hydra itself cannot be resolved here.
            continue
        here, there = one.config.hyperparameters(), longer.hyperparameters()
        for key in here:
            if key not in budgets and here[key] != there.get(key):
                found[
                    f"{key} stays {here[key]}; in a single run of this budget it would be "
                    f"{there.get(key)}, and the results would differ."
                ] = None
    return list(found)


def extend(sweep: SavedSweep, extensions: Sequence[Extension]) -> None:
    """Writes the larger budgets to the files of all runs.

    If this is killed, it can be done again: files that are already written are left as they are.
    """
    if all(one.is_written for one in extensions):
        if (sweep.directory / UNFINISHED).exists():  # It was killed as it wrote the last files.
            for one in extensions:
                _extend_hydra(one)
            (sweep.directory / UNFINISHED).unlink()
        return
    budgets = json.dumps(dict(extensions[0].budgets))
    write_atomically(sweep.directory / UNFINISHED, budgets.encode())
    for one in extensions:
        if one.is_written:
            continue
        _extend_checkpoint(one)
        _extend_result(one)
        _extend_hydra(one)
    if sweep.is_sweep:
        hydra: Any = OmegaConf.to_container(sweep.hydra, resolve=False, enum_to_str=True)
        task = hydra["overrides"]["task"]
        hydra["overrides"]["task"] = _with_budgets(task, extensions[0].budgets)
        begin_job_list(sweep.directory, hydra, [one.entry for one in extensions])
    (sweep.directory / UNFINISHED).unlink()


def _extend(sweep: SavedSweep, entry: JobEntry, budgets: Mapping[str, Any]) -> Extension:
    overrides = _with_budgets(entry.overrides, budgets)
    longer = entry._replace(config=with_changes(entry.config, budgets), overrides=overrides)
    directory, earlier = sweep.directory / entry.directory, to_config(entry.config)
    config = to_config(longer.config)
    point = find_resume_point(directory, earlier.hash(), config.hash())
    return Extension(directory, earlier, longer, config, budgets, point)


def _with_budgets(overrides: Sequence[str], budgets: Mapping[str, Any]) -> list[str]:
    """Returns overrides with new budgets instead of their own."""
    others = [one for one in overrides if one.partition("=")[0] not in budgets]
    return [*others, *(f"{key}={to_override_value(value)}" for key, value in budgets.items())]


def _problems_of(one: Extension) -> Iterator[str]:
    result = one.point.result
    if result is None:
        return
    if result.status == "completed" and one.point.path is None:
        yield f"{shorten(one.directory)}: expected a checkpoint to go on from, but there is none."
    trainer = one.config.trainer
    for name, reached in (("steps", result.steps), ("episodes", result.episodes)):
        budget = getattr(trainer, f"total_{name}")
        if budget is not None and budget < reached:
            yield (
                f"trainer.total_{name}: expected at least the {reached} {name} that "
                f"{shorten(one.directory)} has done, got {budget}."
            )


def _extend_checkpoint(one: Extension) -> None:
    if one.point.path is None:
        return
    checkpoint, result = load_checkpoint(one.point.path), one.point.result
    if checkpoint.config_hash == one.config.hash():
        return
    config = {**checkpoint.config, "trainer": one.config.trainer.model_dump()}
    longer = replace(checkpoint, config=config, config_hash=one.config.hash())
    if result is None or not one.is_over(result):
        longer = _without_last_evaluation(longer, one)
    set_aside_refused(one.directory, one.point)
    save_checkpoint(one.directory, longer, keeps_previous=False)


def _without_last_evaluation(checkpoint: Checkpoint, one: Extension) -> Checkpoint:
    """Returns a checkpoint without an evaluation that was made only because the run ended."""
    step, every = int(checkpoint.counts["steps"]), one.config.eval.every_steps
    if every is not None and step % every == 0:
        return checkpoint
    size, _ = checkpoint.tables["evaluations"]
    content = (one.directory / "evaluations.csv").read_bytes()[:size]
    lines = content.splitlines(keepends=True)
    kept = [line for line in lines if not line.startswith(f"{step},".encode())]
    end = [sum(map(len, kept)), zlib.crc32(b"".join(kept))]
    tables = {**checkpoint.tables, "evaluations": end}
    return replace(checkpoint, tables=tables, counts={**checkpoint.counts, **_newest(kept)})


def _newest(lines: Sequence[bytes]) -> dict[str, float | None]:
    """Returns the mean and standard deviation of the last evaluation in the lines of a table."""
    rows = list(csv.DictReader(line.decode() for line in lines))
    returns = np.array([float(row["return"]) for row in rows if row["step"] == rows[-1]["step"]])
    mean, std = (float(returns.mean()), float(returns.std())) if rows else (None, None)
    return {"eval_return_mean": mean, "eval_return_std": std}


def _extend_result(one: Extension) -> None:
    result = read_result(one.directory)
    if result is None or result.config_hash == one.config.hash():
        return
    longer = replace(result, config_hash=one.config.hash())
    is_over = result.status == "completed" and one.is_over(result)
    if not is_over and result.status not in ("failed", "diverged"):
        longer = replace(longer, status="interrupted", objective=None)
    longer.write(one.directory)


def _extend_hydra(one: Extension) -> None:
    folder = one.directory / ".hydra"
    if not (folder / "config.yaml").exists():
        return
    if not (folder / ORIGINAL).exists():
        write_atomically(folder / ORIGINAL, (folder / "config.yaml").read_bytes())
    # Interpolations of the budget are resolved: other keys keep their values.
    config = OmegaConf.to_yaml(OmegaConf.create(one.entry.config))
    write_atomically(folder / "config.yaml", config.encode())
    overrides = OmegaConf.to_yaml(OmegaConf.create(one.entry.overrides))
    write_atomically(folder / "overrides.yaml", overrides.encode())
    hydra: Any = OmegaConf.load(folder / "hydra.yaml")
    task: Any = OmegaConf.to_container(hydra.hydra.overrides.task, resolve=False)
    hydra.hydra.overrides.task = _with_budgets(task, one.budgets)
    write_atomically(folder / "hydra.yaml", OmegaConf.to_yaml(hydra).encode())
