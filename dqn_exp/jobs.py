"""Many Hydra jobs open at once in one process: what Hydra's `run_job` does, in separate steps."""

import copy
import os
import pickle
import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.core.utils import JobReturn, JobRuntime, JobStatus, filter_overrides
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf, open_dict, read_write

from dqn_exp.atomic_file import write_atomically
from dqn_exp.composed import hydra_config, resolved_values, without_hydra
from dqn_exp.config import to_config
from dqn_exp.errors import ConfigError
from dqn_exp.job_list import JobEntry
from dqn_exp.job_logging import log_files_of
from dqn_exp.run_log import LogFile
from dqn_exp.schema import Config


@dataclass
class Job:
    """A composed job of a sweep.

    title: what distinguishes it, as it was written on the command line.
    packed: its config with Hydra's node. As objects the configs of a large sweep would take more
        memory than what the runs learn with.
    packed_values: without that node, in plain containers with all interpolations resolved.
    environment: the variables that it sets, which a population must share.
    checked: the typed config of the run.
    directory: absolute; made by `open_job`.
    """

    num: int
    title: str
    overrides: list[str]
    packed: bytes
    packed_values: bytes
    environment: dict[str, str]
    checked: Config
    directory: Path

    @property
    def config(self) -> DictConfig:
        """A copy of the config with Hydra's node, which callbacks are given."""
        config: DictConfig = _unpack(self.packed)
        return config

    @property
    def values(self) -> dict[str, Any]:
        """The config of the run in plain containers, with all interpolations resolved."""
        values: dict[str, Any] = _unpack(self.packed_values)
        return values

    def value_of(self, key: str) -> str:
        """Returns the value that the job gives to a swept key, as it was written."""
        values = [o.partition("=")[2] for o in self.overrides if key_of(o) == key]
        return re.sub(r"\\(.)", r"\1", values[-1]).strip("'\"") if values else ""


def compose_job(
    loader: ConfigLoader, master: DictConfig, overrides: Sequence[str], num: int
) -> Job:
    """Composes one job as Hydra's launchers do.

    Raises:
        ConfigError: with what is wrong with its config.
        HydraException: where Hydra itself finds the problem.
    """
    config = loader.load_sweep_config(master, list(overrides))
    _set_number(config, num)
    with hydra_config(config):
        # The directory is resolved once: its name may hold the time.
        directory = Path(config.hydra.sweep.dir, str(config.hydra.sweep.subdir)).absolute()
        if config.hydra.job.chdir:
            raise ConfigError(["hydra.job.chdir: expected false: the runs share a process."])
        variables: Any = OmegaConf.to_container(config.hydra.job.env_set, resolve=True)
    _set_directory(config, directory)
    title = title_of(overrides, OmegaConf.select(config, "hydra.sweeper.swept"))
    values = resolved_values(config)
    environment = {key: str(value) for key, value in variables.items()}
    return Job(
        num=num,
        title=title,
        overrides=list(overrides),
        packed=_pack(config),
        packed_values=_pack(values),
        environment=environment,
        checked=to_config(values),
        directory=directory,
    )


def to_entry(job: Job, sweep_directory: Path, swept: Sequence[str]) -> JobEntry:
    """Returns what the list of a sweep's jobs says of a job."""
    return JobEntry(
        num=job.num,
        directory=os.path.relpath(job.directory, sweep_directory),
        title=job.title,
        overrides=job.overrides,
        swept={key: job.value_of(key) for key in swept},
        environment=job.environment,
        config=job.values,
    )


def entry_of_run(config: DictConfig, overrides: list[str]) -> JobEntry:
    """Returns a single run as the only job of a list, its directory that of the list.

    Args:
        config: of the run, with Hydra's node.
        overrides: with which it was composed.
    """
    with hydra_config(config):
        variables: Any = OmegaConf.to_container(config.hydra.job.env_set, resolve=True)
    environment = {key: str(value) for key, value in variables.items()}
    return JobEntry(
        0, ".", " ".join(overrides), overrides, {}, environment, resolved_values(config)
    )


def to_job(entry: JobEntry, hydra: DictConfig, sweep_directory: Path) -> Job:
    """Returns a job that is on the list of a sweep's jobs, without composing it again.

    Args:
        entry: what the list says.
        hydra: Hydra's node of the sweep.
        sweep_directory: absolute.

    Raises:
        ConfigError: if its config is not one of this version.
    """
    directory = Path(os.path.normpath(sweep_directory / entry.directory))
    config = OmegaConf.create({**entry.config, "hydra": copy.deepcopy(hydra)})
    _set_number(config, entry.num)
    _set_directory(config, directory)
    config.hydra.overrides.task = filter_overrides(entry.overrides)
    return Job(
        num=entry.num,
        title=entry.title,
        overrides=entry.overrides,
        packed=_pack(config),
        packed_values=_pack(entry.config),
        environment=entry.environment,
        checked=to_config(entry.config),
        directory=directory,
    )


def title_of(overrides: Sequence[str], swept: Sequence[str] | None) -> str:
    """Returns the overrides of the swept keys, or all but Hydra's own where those are unknown."""
    if swept is None:
        return " ".join(filter_overrides(overrides))
    return " ".join(override for override in overrides if key_of(override) in swept)


def open_job(
    job: Job, context: HydraContext, task: TaskFunction
) -> tuple[JobReturn, list[LogFile]]:
    """Makes a job's directory with `.hydra/`, unless it is there, and tells the callbacks.

    Returns:
        What is to be filled in at its end, and the files into which it wants its log.
    """
    config, directory = job.config, job.directory
    with hydra_config(config):
        directory.mkdir(parents=True, exist_ok=True)
        plain_overrides: Any = OmegaConf.to_container(config.hydra.overrides.task)
        returned = JobReturn(
            overrides=plain_overrides,
            cfg=without_hydra(config),
            hydra_cfg=OmegaConf.masked_copy(config, "hydra"),
            working_dir=os.getcwd(),
            task_name=JobRuntime.instance().get("name"),
        )
        if config.hydra.output_subdir is not None:
            folder = directory / config.hydra.output_subdir
            folder.mkdir(exist_ok=True)
            _save(returned.cfg, folder / "config.yaml")
            _save(returned.hydra_cfg, folder / "hydra.yaml")
            _save(config.hydra.overrides.task, folder / "overrides.yaml")
        context.callbacks.on_job_start(config=config, task_function=task)
    return returned, log_files_of(config)


def close_job(
    job: Job, returned: JobReturn, value: float | Exception, context: HydraContext
) -> None:
    """Gives a job its value, or the error it has ended with, and tells the callbacks."""
    config = job.config
    is_failed = isinstance(value, Exception)
    returned.return_value = value
    returned.status = JobStatus.FAILED if is_failed else JobStatus.COMPLETED
    with hydra_config(config):
        context.callbacks.on_job_end(config=config, job_return=returned)


def _save(config: Any, path: Path) -> None:
    # What is there already may be all that is known of a run that goes on.
    if not path.exists():
        write_atomically(path, OmegaConf.to_yaml(config).encode())


def _set_number(config: DictConfig, num: int) -> None:
    with open_dict(config):
        config.hydra.job.id = str(num)
        config.hydra.job.num = num


def _set_directory(config: DictConfig, directory: Path) -> None:
    with read_write(config.hydra.runtime), open_dict(config.hydra.runtime):
        config.hydra.runtime.output_dir = str(directory)


def _pack(value: Any) -> bytes:
    return zlib.compress(pickle.dumps(value), level=1)


def _unpack(packed: bytes) -> Any:
    return pickle.loads(zlib.decompress(packed))


def key_of(override: str) -> str:
    """Returns the key of an override, such as agent.gamma of +agent.gamma=0.9."""
    return override.partition("=")[0].lstrip("+~")
