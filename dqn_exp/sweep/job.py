"""Jobs of a sweep, composed or read from the list of jobs."""

import copy
import os
import pickle
import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra.core.utils import filter_overrides
from omegaconf import DictConfig, OmegaConf

from dqn_exp.config.schema import Config
from dqn_exp.files.job_list import JobEntry
from dqn_exp.sweep.hydra_internals import env_variables, resolved_values, set_job


@dataclass
class Job:
    """A composed job of a sweep.

    Attributes:
        num: number of the job.
        title: overrides that distinguish it, as they were written.
        overrides: of the job.
        packed: its config with Hydra's node; as objects, the configs of a large sweep would take
            more memory than training.
        packed_values: the config without that node, in plain containers, resolved.
        environment: environment variables that it sets, which a population must share.
        checked: typed config of the run.
        directory: absolute.
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
        """A copy of the config with Hydra's node, which callbacks take."""
        config: DictConfig = _unpack(self.packed)
        return config

    @property
    def values(self) -> dict[str, Any]:
        """The config of the run in plain containers, resolved."""
        values: dict[str, Any] = _unpack(self.packed_values)
        return values

    def value_of(self, key: str) -> str:
        """Returns the value that the job gives to a swept key, as it was written."""
        values = [o.partition("=")[2] for o in self.overrides if key_of(o) == key]
        return re.sub(r"\\(.)", r"\1", values[-1]).strip("'\"") if values else ""


def make_job(
    config: DictConfig,
    *,
    entry: JobEntry,
    checked: Config,
    directory: Path,
) -> Job:
    """Returns a job with a composed config.

    Args:
        config: with Hydra's node.
        entry: of the list of jobs; its directory is ignored.
        checked: typed config of the run.
        directory: absolute.
    """
    set_job(config, entry.num, directory)
    return Job(
        num=entry.num,
        title=entry.title,
        overrides=entry.overrides,
        packed=_pack(config),
        packed_values=_pack(entry.config),
        environment=entry.environment,
        checked=checked,
        directory=directory,
    )


def to_entry(job: Job, sweep_directory: Path, swept: Sequence[str]) -> JobEntry:
    """Returns the entry of a job in the list of a sweep's jobs."""
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
    """Returns a single run as the only job of a list, in the directory of the list.

    Args:
        config: of the run, with Hydra's node.
        overrides: with which it was composed.
    """
    title = " ".join(overrides)
    return JobEntry(0, ".", title, overrides, {}, env_variables(config), resolved_values(config))


def to_job(entry: JobEntry, checked: Config, hydra: DictConfig, sweep_directory: Path) -> Job:
    """Returns a job from the list of a sweep's jobs, without composing it again.

    Args:
        entry: of the list.
        checked: typed config of the entry.
        hydra: Hydra's node of the sweep.
        sweep_directory: absolute.
    """
    directory = Path(os.path.normpath(sweep_directory / entry.directory))
    config = OmegaConf.create({**entry.config, "hydra": copy.deepcopy(hydra)})
    config.hydra.overrides.task = filter_overrides(entry.overrides)
    return make_job(config, entry=entry, checked=checked, directory=directory)


def title_of(overrides: Sequence[str], swept: Sequence[str]) -> str:
    """Returns the overrides of the swept keys."""
    return " ".join(override for override in overrides if key_of(override) in swept)


def key_of(override: str) -> str:
    """Returns the key of an override, such as agent.gamma of +agent.gamma=0.9."""
    return override.partition("=")[0].lstrip("+~")


def _pack(value: Any) -> bytes:
    return zlib.compress(pickle.dumps(value), level=1)


def _unpack(packed: bytes) -> Any:
    return pickle.loads(zlib.decompress(packed))
