"""A sweep or run read from its directory, and the changes applied before it resumes."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from dqn_exp.config.conf_dir import conf_dir
from dqn_exp.config.messages import known_keys, suggest
from dqn_exp.config.schema import changes_results, keys_without_effect
from dqn_exp.config.validation import to_config
from dqn_exp.core.errors import ConfigError
from dqn_exp.files import sweep_table
from dqn_exp.files.directories import sweep_above
from dqn_exp.files.job_list import NAME, JobEntry, read_job_list
from dqn_exp.files.run_places import locate_runs
from dqn_exp.files.sweep_table import numbers_of_jobs
from dqn_exp.sweep.job import entry_of_run

BUDGETS = ("trainer.total_steps", "trainer.total_episodes")
"""Keys that may grow when a run resumes."""

LAUNCHER = "hydra_plugins.dqn_population.population_launcher.PopulationLauncher"


class SavedSweep(NamedTuple):
    """The content of a sweep's or run's directory.

    Attributes:
        directory: of the sweep or the single run, absolute.
        hydra: its Hydra node.
        entries: its jobs, with the directories in which their runs are.
        chosen: directory of the only run to resume; None for all.
        is_sweep: whether it has a table.
    """

    directory: Path
    hydra: DictConfig
    entries: list[JobEntry]
    chosen: str | None
    is_sweep: bool


def read_saved_sweep(directory: Path) -> SavedSweep:
    """Returns the content of an absolute directory.

    Raises:
        ConfigError: If it is not the directory of a sweep, of a run of one, or of a single run.
    """
    try:
        if (directory / NAME).exists():
            return _read_sweep(directory, None)
        # Most runs of a sweep are directly below it, but hydra.sweep.subdir may differ.
        if (sweep := sweep_above(directory)) is not None:
            return _read_sweep(sweep, str(directory.relative_to(sweep)))
        return _read_run(directory)
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise ConfigError([str(error)]) from error


def split_changes(
    launcher: DictConfig, overrides: Sequence[str], also: Sequence[str] = ()
) -> tuple[DictConfig, dict[str, Any]]:
    """Returns the options of the launcher and the changed keys that overrides ask for.

    Args:
        launcher: saved options.
        overrides: of keys that do not change results.
        also: keys that may change as well, for error messages.

    Raises:
        ConfigError: If an override would change results, or names an unknown option.
    """
    is_ours = launcher.get("_target_") == LAUNCHER  # Hydra's own launchers cannot resume.
    options = launcher if is_ours else _launcher_node("population")
    changes: dict[str, Any] = {}
    # The launcher comes first, since the options are its own.
    for override in sorted(overrides, key=lambda one: not one.startswith("hydra/launcher=")):
        key, _, text = override.removeprefix("+").partition("=")
        if key == "hydra/launcher":
            options = _launcher_node(text)
        elif key.startswith("hydra.launcher."):
            name = key.removeprefix("hydra.launcher.")
            if name.split(".")[0] not in options:
                raise ConfigError([f"{key}: expected one of {', '.join(map(str, options))}."])
            OmegaConf.update(options, name, value_of(override), force_add=True)
        elif key not in known_keys():
            raise ConfigError([f"{key}: unknown key.{suggest(key)}"])
        elif changes_results(key):
            free = keys_without_effect()
            names = ", ".join(("hydra/launcher", "hydra.launcher.*", *free, *also))
            raise ConfigError([f"{key}: would change the results; expected one of {names}."])
        else:
            changes[key] = value_of(override)
    return options, changes


def split_budgets(overrides: Sequence[str]) -> tuple[list[str], dict[str, Any]]:
    """Returns the overrides without those of budgets, and the new budgets by key."""
    is_budget = {one: one.partition("=")[0] in BUDGETS for one in overrides}
    budgets = {one.partition("=")[0]: value_of(one) for one in overrides if is_budget[one]}
    return [one for one in overrides if not is_budget[one]], budgets


def value_of(override: str) -> Any:
    """Returns the value of an override, as Hydra or else YAML reads it, but 1e5 as an integer.

    Raises:
        ConfigError: If neither can read it.
    """
    text = override.partition("=")[2]
    try:
        parsed = OverridesParser.create().parse_override(override)
        value: Any = text if parsed.is_sweep_override() else parsed.value()
    except HydraException:
        value = text
    try:  # YAML has more words for true and false, as in report=no.
        value = yaml.safe_load(text) if isinstance(value, str) else value
    except yaml.YAMLError as error:
        reason = " ".join(str(error).split())
        raise ConfigError([f"{override}: cannot be read: {reason}"]) from error
    return int(value) if isinstance(value, float) and value.is_integer() else value


def with_changes(config: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a config in plain containers with new values for some dotted keys."""
    if not changes:
        return dict(config)
    node = OmegaConf.create(dict(config))
    for key, value in changes.items():
        OmegaConf.update(node, key, value, force_add=True)
    values: Any = OmegaConf.to_container(node)
    plain: dict[str, Any] = values
    return plain


def _read_sweep(directory: Path, chosen: str | None) -> SavedSweep:
    hydra, entries = read_job_list(directory)
    if lost := sorted(numbers_of_jobs(directory) - {entry.num for entry in entries}):
        raise ValueError(
            f"{directory / NAME}: expected the jobs of {sweep_table.NAME}, but job {lost[0]} is "
            "missing: a part of the file was lost."
        )
    hydra["sweep"]["dir"] = str(directory)  # The directory may have been moved.
    entries = locate_runs(directory, entries, _hash_of)
    if chosen not in (None, *(entry.directory for entry in entries)):
        raise ValueError(f"{directory / NAME}: it lists no run in {chosen}.")
    return SavedSweep(directory, OmegaConf.create(hydra), entries, chosen, is_sweep=True)


def _hash_of(entry: JobEntry) -> str:
    return to_config(entry.config).hash()


def _read_run(directory: Path) -> SavedSweep:
    folder = directory / ".hydra"
    if not (folder / "config.yaml").exists():
        raise ValueError(
            f"{directory}: expected the directory of a run or of a sweep, with .hydra/config.yaml "
            f"or {NAME}, but it has neither."
        )
    try:
        names = ("hydra.yaml", "config.yaml", "overrides.yaml")
        hydra, own, given = (OmegaConf.load(folder / name) for name in names)
        config = OmegaConf.merge(hydra, own)
        assert isinstance(config, DictConfig)
        config.hydra.run.dir = config.hydra.sweep.dir = str(directory)
        overrides: Any = OmegaConf.to_container(given)
        entry = entry_of_run(config, overrides)
        to_config(entry.config)
    except ConfigError as error:
        raise ConfigError([f"{folder / 'config.yaml'}: {one}" for one in error.problems]) from error
    except (OmegaConfBaseException, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"{folder}: expected the files that Hydra wrote, got {reason}") from error
    return SavedSweep(directory, config.hydra, [entry], None, is_sweep=False)


def _launcher_node(name: str) -> DictConfig:
    """Returns the options of a launcher, with the defaults of its YAML files."""
    folder = conf_dir() / "hydra/launcher"
    names = sorted(path.stem for path in folder.glob("population*.yaml"))
    if name not in names:
        raise ConfigError([f"hydra/launcher={name}: expected one of {', '.join(names)}."])
    node = OmegaConf.merge(
        OmegaConf.load(folder / "population.yaml"), OmegaConf.load(folder / f"{name}.yaml")
    )
    assert isinstance(node, DictConfig)
    node.pop("defaults", None)
    return node
