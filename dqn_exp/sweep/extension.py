"""Larger budgets for a saved run or sweep, so that completed runs go on."""

import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from omegaconf import OmegaConf

from dqn_exp.config.schema import Config
from dqn_exp.config.validation import to_config
from dqn_exp.core.errors import ConfigError
from dqn_exp.files.atomic_file import write_atomically
from dqn_exp.files.checkpoint import Checkpoint, checkpoints_of, load_checkpoint, save_checkpoint
from dqn_exp.files.directories import shorten
from dqn_exp.files.job_list import JobEntry, begin_job_list
from dqn_exp.files.result import read_result
from dqn_exp.sweep.saved_sweep import SavedSweep, with_changes


class Extension(NamedTuple):
    """A run and its config with a larger budget.

    Attributes:
        directory: of the run.
        earlier: its config until now.
        entry: of the list of jobs, with the larger budget.
        config: typed config of the entry.
        budgets: new values by key.
    """

    directory: Path
    earlier: Config
    entry: JobEntry
    config: Config
    budgets: Mapping[str, Any]

    def describe(self, *, retries_failed: bool) -> str:
        """Returns a line for the user."""
        result, run = read_result(self.directory), shorten(self.directory)
        if result is not None and result.status in ("failed", "diverged") and not retries_failed:
            return f"leave  {run} ({result.status}: {result.error})"
        goal = " ".join(f"{key}={value}" for key, value in self.budgets.items())
        return f"extend {run} to {goal}"


def plan_extension(sweep: SavedSweep, budgets: Mapping[str, Any]) -> list[Extension]:
    """Returns the runs of a sweep with larger budgets, without changing anything.

    Args:
        sweep: as it was saved.
        budgets: new values of keys of `saved_sweep.BUDGETS`.

    Raises:
        ConfigError: If a budget is smaller than what a run has done, or the sweep forbids it.
    """
    if sweep.chosen is not None:
        raise ConfigError(
            [f"{', '.join(budgets)}: expected the directory of the sweep, {sweep.directory}: its "
             "runs have the same budget."]
        )  # fmt: skip
    for key in budgets:
        if any(key in entry.swept for entry in sweep.entries):
            raise ConfigError([f"{key}: expected a key that the sweep does not sweep over."])
    planned = [_extend(sweep, entry, budgets) for entry in sweep.entries]
    if problems := [problem for one in planned for problem in _problems_of(one)]:
        raise ConfigError(list(dict.fromkeys(problems)))
    return planned


def differences(extensions: Sequence[Extension], budgets: Mapping[str, Any]) -> list[str]:
    """Returns lines about keys that follow the budget in a single longer run, but not here."""
    found: dict[str, None] = {}
    for one in extensions:
        path = one.directory / ".hydra/config.yaml"
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
    for one in extensions:
        if one.config.hash() == one.earlier.hash():
            continue  # Its budget is as large already.
        _extend_checkpoints(one)
        _extend_result(one)
        _extend_hydra(one)
    if sweep.is_sweep:
        hydra: Any = OmegaConf.to_container(sweep.hydra, resolve=False, enum_to_str=True)
        task, budgets = hydra["overrides"]["task"], extensions[0].budgets
        hydra["overrides"]["task"] = _with_budgets(task, budgets)
        begin_job_list(sweep.directory, hydra, [one.entry for one in extensions])


def _extend(sweep: SavedSweep, entry: JobEntry, budgets: Mapping[str, Any]) -> Extension:
    overrides = _with_budgets(entry.overrides, budgets)
    longer = entry._replace(config=with_changes(entry.config, budgets), overrides=overrides)
    directory, earlier = sweep.directory / entry.directory, to_config(entry.config)
    return Extension(directory, earlier, longer, to_config(longer.config), budgets)


def _with_budgets(overrides: Sequence[str], budgets: Mapping[str, Any]) -> list[str]:
    """Returns overrides with new budgets instead of their own."""
    others = [one for one in overrides if one.partition("=")[0] not in budgets]
    return [*others, *(f"{key}={value}" for key, value in budgets.items())]


def _problems_of(one: Extension) -> Iterator[str]:
    result = read_result(one.directory)
    if result is None:
        return
    if result.config_hash not in (one.earlier.hash(), one.config.hash()):
        yield f"{one.directory / 'result.json'}: it belongs to a run with another config."
    trainer = one.config.trainer
    for name, reached in (("steps", result.steps), ("episodes", result.episodes)):
        budget = getattr(trainer, f"total_{name}")
        if budget is not None and budget < reached:
            yield (
                f"trainer.total_{name}: expected at least the {reached} {name} that "
                f"{shorten(one.directory)} has done, got {budget}."
            )


def _extend_checkpoints(one: Extension) -> None:
    for path in checkpoints_of(one.directory)[:1]:
        checkpoint = load_checkpoint(path)
        if checkpoint.config_hash != one.earlier.hash():
            continue
        config = {**checkpoint.config, "trainer": one.config.trainer.model_dump()}
        longer = replace(checkpoint, config=config, config_hash=one.config.hash())
        save_checkpoint(one.directory, _without_last_evaluation(longer, one), keeps_previous=False)


def _without_last_evaluation(checkpoint: Checkpoint, one: Extension) -> Checkpoint:
    """Returns a checkpoint without an evaluation that was made only because the run ended."""
    step, every = int(checkpoint.counts["steps"]), one.config.eval.every_steps
    if every is not None and step % every == 0:
        return checkpoint
    size, _ = checkpoint.tables["evaluations"]
    content = (one.directory / "evaluations.csv").read_bytes()[:size]
    lines = content.splitlines(keepends=True)
    kept = b"".join(line for line in lines if not line.startswith(f"{step},".encode()))
    tables = {**checkpoint.tables, "evaluations": [len(kept), zlib.crc32(kept)]}
    return replace(checkpoint, tables=tables)


def _extend_result(one: Extension) -> None:
    result = read_result(one.directory)
    if result is None or result.config_hash == one.config.hash():
        return
    has_ended = result.status in ("failed", "diverged")
    status = result.status if has_ended else "interrupted"
    replace(result, config_hash=one.config.hash(), status=status, objective=None).write(
        one.directory
    )


def _extend_hydra(one: Extension) -> None:
    folder = one.directory / ".hydra"
    if not (folder / "config.yaml").exists():
        return
    # Interpolations of the budget are resolved: other keys keep their values.
    config = OmegaConf.to_yaml(OmegaConf.create(one.entry.config))
    write_atomically(folder / "config.yaml", config.encode())
    overrides = OmegaConf.to_yaml(OmegaConf.create(one.entry.overrides))
    write_atomically(folder / "overrides.yaml", overrides.encode())
    hydra: Any = OmegaConf.load(folder / "hydra.yaml")
    task: Any = OmegaConf.to_container(hydra.hydra.overrides.task, resolve=False)
    hydra.hydra.overrides.task = _with_budgets(task, one.budgets)
    write_atomically(folder / "hydra.yaml", OmegaConf.to_yaml(hydra).encode())
