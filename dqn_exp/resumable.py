"""What can be resumed: the jobs that a directory tells of, and what may be changed of them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from hydra.core.config_store import ConfigStore
from omegaconf import DictConfig, OmegaConf

from dqn_exp.effects import WITHOUT_EFFECT, has_effect
from dqn_exp.errors import ConfigError
from dqn_exp.job_list import NAME, JobEntry, read_job_list

LAUNCHER = "hydra_plugins.dqn_population.population_launcher.PopulationLauncher"


class Found(NamedTuple):
    """What a directory holds.

    directory: of the sweep, or of the single run, absolute.
    hydra: its Hydra node.
    entries: its jobs.
    chosen: the directory of the only run that is meant; None for all.
    is_sweep: whether it has a table.
    """

    directory: Path
    hydra: DictConfig
    entries: list[JobEntry]
    chosen: str | None
    is_sweep: bool


def find(directory: Path) -> Found:
    """Returns what an absolute directory holds.

    Raises:
        ConfigError: if it is not that of a sweep, of a run of one, or of a single run.
    """
    try:
        if (directory / NAME).exists():
            return _find_sweep(directory, None)
        # Most runs of a sweep are right below it, but hydra.sweep.subdir may say otherwise.
        for parent in directory.parents[:3]:
            if (parent / NAME).exists():
                return _find_sweep(parent, str(directory.relative_to(parent)))
        return _find_run(directory)
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise ConfigError([str(error)]) from error


def _find_sweep(directory: Path, chosen: str | None) -> Found:
    hydra, entries = read_job_list(directory)
    hydra["sweep"]["dir"] = str(directory)  # It may have been moved.
    if chosen not in (None, *(entry.directory for entry in entries)):
        chosen = _home_of(directory, str(chosen), entries)
    return Found(directory, OmegaConf.create(hydra), entries, chosen, is_sweep=True)


def _home_of(directory: Path, renamed: str, entries: Sequence[JobEntry]) -> str:
    """Returns what the directory of a run was called first."""
    from dqn_exp.config import to_config
    from dqn_exp.result import read_result

    result = read_result(directory / renamed)
    for entry in entries:
        if result is not None and to_config(entry.config).hash() == result.config_hash:
            return entry.directory
    raise ValueError(f"{directory / NAME}: it tells of no run in {renamed}.")


def _find_run(directory: Path) -> Found:
    from dqn_exp.jobs import entry_of_run

    folder = directory / ".hydra"
    if not (folder / "config.yaml").exists():
        raise ValueError(
            f"{directory}: expected the directory of a run or of a sweep, with .hydra/config.yaml "
            f"or {NAME}, but it has neither."
        )
    config = OmegaConf.merge(
        OmegaConf.load(folder / "hydra.yaml"), OmegaConf.load(folder / "config.yaml")
    )
    assert isinstance(config, DictConfig)
    overrides: Any = OmegaConf.to_container(OmegaConf.load(folder / "overrides.yaml"))
    config.hydra.run.dir = config.hydra.sweep.dir = str(directory)
    entry = entry_of_run(config, overrides)
    return Found(directory, config.hydra, [entry], None, is_sweep=False)


def split_changes(
    launcher: DictConfig, overrides: Sequence[str]
) -> tuple[DictConfig, dict[str, Any]]:
    """Returns the launcher's options and the changes of keys that overrides ask for."""
    is_ours = launcher.get("_target_") == LAUNCHER  # One of Hydra's own could not go on.
    node = _launcher_node(_name_of(launcher.executor) if is_ours else "population")
    launcher = OmegaConf.merge(node, launcher) if is_ours else node  # type: ignore[assignment]
    changes: dict[str, Any] = {}
    for override in overrides:
        key, _, text = override.partition("=")
        value = yaml.safe_load(text)
        if key == "hydra/launcher":
            launcher = _launcher_node(text)
        elif key.startswith("hydra.launcher."):
            name = key.removeprefix("hydra.launcher.")
            if name.split(".")[0] not in launcher:
                raise ConfigError([f"{key}: expected one of {', '.join(launcher)}."])
            OmegaConf.update(launcher, name, value)
        elif not has_effect(key):
            changes[key] = value
        else:
            names = ", ".join(("hydra/launcher", "hydra.launcher.*", *WITHOUT_EFFECT))
            raise ConfigError([f"{key}: what a run learns cannot be changed; expected {names}."])
    return launcher, changes


def _launcher_node(name: str) -> DictConfig:
    groups = ConfigStore.instance().list("hydra/launcher")
    names = [group.removesuffix(".yaml") for group in groups if group.startswith("population")]
    if name not in names:
        raise ConfigError([f"hydra/launcher={name}: expected one of {', '.join(sorted(names))}."])
    # With the types of its options, which are then checked.
    node: DictConfig = ConfigStore.instance().load(f"hydra/launcher/{name}.yaml").node
    return OmegaConf.structured(node)  # type: ignore[no-any-return]


def _name_of(executor: str) -> str:
    return "population" if executor == "in_process" else f"population_{executor}"


def changed(config: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a config in plain containers with other values for some dotted keys."""
    if not changes:
        return dict(config)
    node = OmegaConf.create(dict(config))
    for key, value in changes.items():
        OmegaConf.update(node, key, value, force_add=True)
    values: Any = OmegaConf.to_container(node)
    plain: dict[str, Any] = values
    return plain
