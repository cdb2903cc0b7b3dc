"""Adapters to internals of Hydra 1.3.

These are jobs that stay open together, configs that are read once, and the singleton
behind `${hydra:...}`.
"""

import copy
import logging
import os
import pickle
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hydra._internal.callbacks import Callbacks
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.config_search_path_impl import ConfigSearchPathImpl
from hydra.core.config_loader import ConfigLoader
from hydra.core.config_store import ConfigStore
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.utils import JobReturn, JobRuntime, JobStatus, configure_log
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf, open_dict, read_write
from omegaconf.errors import OmegaConfBaseException

from dqn_exp.config.conf_dir import conf_dir
from dqn_exp.core.errors import ConfigError
from dqn_exp.files.atomic_file import write_atomically
from dqn_exp.files.run_log import LogFile
from dqn_exp.sweep.hydra_messages import explain_interpolation


@contextmanager
def hydra_config(config: DictConfig) -> Iterator[None]:
    """Makes `${hydra:...}` refer to a config in this block; it is global to the process."""
    singleton: Any = HydraConfig.instance()
    previous = singleton.cfg
    # Its own setter would copy Hydra's whole node, several times per job.
    singleton.cfg = config
    try:
        yield
    finally:
        singleton.cfg = previous


def resolved_values(config: DictConfig) -> dict[str, Any]:
    """Returns a composed config without Hydra's node, in plain containers.

    Raises:
        ConfigError: If an interpolation cannot be resolved.
    """
    with hydra_config(config):
        try:
            values: Any = OmegaConf.to_container(_without_hydra(config), resolve=True)
        except OmegaConfBaseException as error:
            raise ConfigError([explain_interpolation(error)]) from error
    plain: dict[str, Any] = values
    if problems := [
        _misplaced(config, name) for name in ("experiment", "without") if name in plain
    ]:
        raise ConfigError(problems)
    return plain


def _misplaced(config: DictConfig, group: str) -> str:
    """Returns the message for a recipe whose keys lie below the name of its group."""
    option = config.hydra.runtime.choices.get(group)
    sources = [source.path for source in config.hydra.runtime.config_sources]
    paths = [Path(path.removeprefix("file://"), group, f"{option}.yaml") for path in sources]
    file = next((path for path in paths if path.exists()), paths[0])
    return f"{group}={option}: the first line of {file} must be: # @package _global_"


def swept_keys(config: DictConfig) -> set[str]:
    """Returns the keys that a sweep sweeps over, on the command line or as a recipe declares."""
    given = OverridesParser.create().parse_overrides(list(config.hydra.overrides.task))
    swept = {override.get_key_element() for override in given if override.is_sweep_override()}
    declared = {str(key) for key in OmegaConf.select(config, "hydra.sweeper.params") or ()}
    return (swept | declared) - ({override.get_key_element() for override in given} - swept)


def problems_of_subdirectory(config: DictConfig) -> list[str]:
    """Returns a problem unless Hydra saves the config where runs are resumed from."""
    subdirectory = config.hydra.output_subdir
    if subdirectory == ".hydra":
        return []
    found = "null" if subdirectory is None else subdirectory
    return [f"hydra.output_subdir: expected .hydra, from which runs resume, got {found}."]


def problems_of_log_files(config: DictConfig) -> list[str]:
    """Returns a problem for each log file in a folder that does not exist."""
    logging_config: Any = OmegaConf.to_container(config.hydra.job_logging or {}, resolve=False)
    found = []
    for name, handler in (logging_config.get("handlers") or {}).items():
        path = handler.get("filename", "")
        if path and "${" not in path and not Path(path).absolute().parent.is_dir():
            found.append(
                f"hydra.job_logging.handlers.{name}.filename: expected a file in an existing "
                f"folder, got {path}."
            )
    return found


def env_variables(config: DictConfig) -> dict[str, str]:
    """Returns the environment variables that a job with this composed config sets."""
    with hydra_config(config):
        variables: Any = OmegaConf.to_container(config.hydra.job.env_set, resolve=True)
    return {key: str(value) for key, value in variables.items()}


def set_job(config: DictConfig, num: int, directory: Path | None = None) -> None:
    """Sets the number and, if given, the directory of a job in Hydra's node of its config."""
    with open_dict(config):
        config.hydra.job.id = str(num)
        config.hydra.job.num = num
    if directory is not None:
        with read_write(config.hydra.runtime), open_dict(config.hydra.runtime):
            config.hydra.runtime.output_dir = str(directory)


def make_context(config: DictConfig, loader: ConfigLoader | None) -> HydraContext:
    """Returns a context, without a loader of configs for jobs that are already composed."""
    return HydraContext(loader, Callbacks(config))  # type: ignore[arg-type]


def make_loader(config: DictConfig) -> ConfigLoader:
    """Returns a loader of the configs from which a saved one was composed."""
    path = ConfigSearchPathImpl()
    for source in config.hydra.runtime.config_sources:
        is_gone = source.provider == "main" and not Path(source.path).is_dir()
        place = conf_dir() if is_gone else source.path  # The package may have been moved.
        path.append(source.provider, f"{source.schema}://{place}")
    return ConfigLoaderImpl(path)


def share_config_store() -> None:
    """Keeps Hydra from copying all structured configs whenever it looks into a group.

    `--help` looks a hundred times. The store is a singleton, which copies do not change.
    """
    store: Any = ConfigStore
    store.__deepcopy__ = lambda self, memo: self


@contextmanager
def reading_once(loader: ConfigLoader) -> Iterator[None]:
    """Makes a loader read and merge each set of files once in this block.

    No file may change in it. Values that overrides give are set for each job.
    """
    untyped: Any = loader
    original, merge = untyped.repository, untyped._compose_config_from_defaults_list
    merged: dict[str, bytes] = {}

    def merge_once(defaults: Any, repo: Any) -> Any:
        key = repr(defaults)
        if key not in merged:
            merged[key] = pickle.dumps(merge(defaults, repo))
        return pickle.loads(merged[key])

    untyped.repository = _CachedRepository(original, {})
    untyped._compose_config_from_defaults_list = merge_once
    try:
        yield
    finally:
        untyped.repository = original
        del untyped._compose_config_from_defaults_list


class _CachedRepository:
    """Caches the files of Hydra's config repository; reading takes a third of a composition."""

    def __init__(self, delegate: Any, cached: dict[str, bytes]) -> None:
        self._delegate = delegate
        self._cached = cached

    def load_config(self, config_path: str) -> Any:
        """Returns a copy of a config, which the composition may change."""
        places = ",".join(source.path for source in self._delegate.get_sources())
        key = f"{places}:{config_path}"
        if key not in self._cached:
            self._cached[key] = pickle.dumps(self._delegate.load_config(config_path))
        return pickle.loads(self._cached[key])

    def __deepcopy__(self, memo: dict[int, Any]) -> "_CachedRepository":
        """Returns a copy for one composition, with a shared cache."""
        return _CachedRepository(copy.deepcopy(self._delegate, memo), self._cached)

    def __getattr__(self, name: str) -> Any:
        """Returns all other attributes of Hydra's repository."""
        return getattr(self._delegate, name)


def open_job(
    config: DictConfig, directory: Path, context: HydraContext, task: TaskFunction
) -> tuple[JobReturn, list[LogFile]]:
    """Creates a job's directory with `.hydra/`, and calls `on_job_start` of the callbacks.

    This and `close_job` are the two halves of Hydra's `run_job`.

    Returns:
        The return value of the job, to be completed at its end, and its log files.
    """
    with hydra_config(config):
        directory.mkdir(parents=True, exist_ok=True)
        plain_overrides: Any = OmegaConf.to_container(config.hydra.overrides.task)
        returned = JobReturn(
            overrides=plain_overrides,
            cfg=_without_hydra(config),
            hydra_cfg=OmegaConf.masked_copy(config, "hydra"),
            working_dir=os.getcwd(),
            task_name=JobRuntime.instance().get("name"),
        )
        if config.hydra.output_subdir is not None:
            folder = directory / config.hydra.output_subdir
            folder.mkdir(exist_ok=True)
            _save_once(returned.cfg, folder / "config.yaml")
            _save_once(returned.hydra_cfg, folder / "hydra.yaml")
            _save_once(config.hydra.overrides.task, folder / "overrides.yaml")
        context.callbacks.on_job_start(config=config, task_function=task)
    return returned, _log_files(config)


def close_job(
    config: DictConfig, returned: JobReturn, value: float | Exception, context: HydraContext
) -> None:
    """Sets the return value of a job, or its error, and calls `on_job_end` of the callbacks."""
    is_failed = isinstance(value, Exception)
    returned.return_value = value
    returned.status = JobStatus.FAILED if is_failed else JobStatus.COMPLETED
    with hydra_config(config):
        context.callbacks.on_job_end(config=config, job_return=returned)


def configure_console(config: DictConfig) -> None:
    """Configures logging as a job's config specifies, without its files."""
    with hydra_config(config):
        logging_config = _job_logging(config)
        if logging_config is None:
            return
        names = _file_handlers(logging_config)
        handlers = logging_config.get("handlers", {})
        logging_config["handlers"] = {k: v for k, v in handlers.items() if k not in names}
        root = logging_config["root"]
        root["handlers"] = [name for name in root.get("handlers", []) if name not in names]
        configure_log(OmegaConf.create(logging_config), config.hydra.verbose)


def _without_hydra(config: DictConfig) -> DictConfig:
    """Returns a copy without Hydra's node, which is large."""
    task_config = OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])
    OmegaConf.set_struct(task_config, True)
    return task_config


def _save_once(config: Any, path: Path) -> None:
    # An existing file may be all that is known of a run that resumes.
    if not path.exists():
        write_atomically(path, OmegaConf.to_yaml(config).encode())


def _log_files(config: DictConfig) -> list[LogFile]:
    """Returns the log files of a job with this composed config."""
    files = []
    with hydra_config(config):
        logging_config = _job_logging(config)
        if logging_config is None:
            return []
        for name in _file_handlers(logging_config):
            if name not in logging_config["root"].get("handlers", []):
                continue
            handler = logging_config["handlers"][name]
            form = logging_config.get("formatters", {}).get(handler.get("formatter"), {})
            formatter = logging.Formatter(form.get("format"), form.get("datefmt"))
            level = logging.getLevelName(handler.get("level", "NOTSET"))
            files.append(LogFile(Path(handler["filename"]), formatter, level))
    return files


def _job_logging(config: DictConfig) -> dict[str, Any] | None:
    if config.hydra.job_logging is None:
        return None
    logging_config: Any = OmegaConf.to_container(config.hydra.job_logging, resolve=True)
    return logging_config if logging_config.get("root") is not None else None


def _file_handlers(logging_config: Mapping[str, Any]) -> list[str]:
    handlers = logging_config.get("handlers", {})
    return [name for name, handler in handlers.items() if "filename" in handler]
