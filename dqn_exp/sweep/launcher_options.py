"""Typed options of the launchers, and the executor that each selects.

The YAML files in conf/hydra/launcher/ hold their defaults.
"""

import importlib.util
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from dqn_exp.config.messages import as_yaml, expectation
from dqn_exp.core.errors import ConfigError
from dqn_exp.core.extras import import_extra
from dqn_exp.core.machine import num_cores
from dqn_exp.sweep.executor import Executor, InProcessExecutor

AtLeastOne = Annotated[int, Field(ge=1, strict=True)]
AtLeastZero = Annotated[int, Field(ge=0, strict=True)]


class InProcessOptions(BaseModel):
    """Options of `hydra/launcher=population`: training in the process of the command."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    executor: Literal["in_process"] = "in_process"
    max_population_size: AtLeastOne | None = None
    max_resubmissions: AtLeastZero = 2

    @property
    def is_remote(self) -> bool:
        """Whether populations may train on other machines."""
        return False

    def problems(self) -> Iterator[str]:
        """Yields why the executor cannot be used on this machine."""
        yield from ()

    def make_executor(self, device: str, folder: Path) -> Executor:
        """Creates the executor.

        Args:
            device: of the runs.
            folder: for files of the executor.
        """
        return InProcessExecutor()


class ProcessesOptions(InProcessOptions):
    """Options of `hydra/launcher=population_processes`: processes of this machine."""

    executor: Literal["processes"]  # type: ignore[assignment]
    num_workers: AtLeastOne | None

    def problems(self) -> Iterator[str]:
        """Yields why the executor cannot be used on this machine."""
        yield from _missing("loky", "processes")

    def make_executor(self, device: str, folder: Path) -> Executor:
        """Creates the executor."""
        module = import_extra("dqn_exp.sweep.process_executor", "processes")
        executor: Executor = module.ProcessExecutor(self.num_workers, device, num_cores())
        return executor


class SlurmOptions(InProcessOptions):
    """Options of `hydra/launcher=population_slurm`: jobs of SLURM."""

    executor: Literal["slurm"]  # type: ignore[assignment]
    num_workers: AtLeastOne
    cluster: Literal["slurm", "local"]
    timeout_min: AtLeastOne
    cpus_per_task: AtLeastOne
    gpus_per_node: AtLeastZero
    mem_gb: AtLeastOne | None
    parameters: dict[str, Any]

    @property
    def is_remote(self) -> bool:
        """Whether populations may train on other machines."""
        return True

    def problems(self) -> Iterator[str]:
        """Yields why the executor cannot be used on this machine."""
        yield from _missing("submitit", "slurm")
        if self.cluster == "slurm" and shutil.which("sbatch") is None:
            yield (
                "hydra.launcher.cluster: expected a machine of a SLURM cluster, but there is no "
                "sbatch. Set it to local to start processes of this machine in the same way."
            )

    def make_executor(self, device: str, folder: Path) -> Executor:
        """Creates the executor."""
        names = {"timeout_min", "cpus_per_task", "gpus_per_node", "mem_gb"}
        parameters = self.model_dump(include=names, exclude_none=True) | self.parameters
        module = import_extra("dqn_exp.sweep.slurm_executor", "slurm")
        executor: Executor = module.SlurmExecutor(
            self.num_workers, self.cluster, folder, parameters
        )
        return executor


class RayOptions(InProcessOptions):
    """Options of `hydra/launcher=population_ray`: tasks of Ray."""

    executor: Literal["ray"]  # type: ignore[assignment]
    num_workers: AtLeastOne | None
    address: str | None
    num_cpus: AtLeastOne
    num_gpus: AtLeastZero

    @property
    def is_remote(self) -> bool:
        """Whether populations may train on other machines."""
        return True

    def problems(self) -> Iterator[str]:
        """Yields why the executor cannot be used on this machine."""
        yield from _missing("ray", "ray")

    def make_executor(self, device: str, folder: Path) -> Executor:
        """Creates the executor."""
        module = import_extra("dqn_exp.sweep.ray_executor", "ray")
        executor: Executor = module.RayExecutor(
            self.num_workers, self.address, self.num_cpus, self.num_gpus
        )
        return executor


LauncherOptions = Annotated[
    InProcessOptions | ProcessesOptions | SlurmOptions | RayOptions,
    Field(discriminator="executor"),
]


def to_options(values: Mapping[str, Any]) -> InProcessOptions:
    """Returns the typed options of a launcher.

    Args:
        values: options as Hydra composed them; none for a launcher of Hydra.

    Raises:
        ConfigError: If an option is invalid, or the executor cannot be used on this machine.
    """
    adapter: TypeAdapter[InProcessOptions] = TypeAdapter(LauncherOptions)
    try:
        options = adapter.validate_python({"executor": "in_process", **values})
    except ValidationError as error:
        raise ConfigError([_to_line(detail) for detail in error.errors()]) from None
    if problems := list(options.problems()):
        raise ConfigError(problems)
    return options


def _to_line(detail: Any) -> str:
    if detail["type"] == "union_tag_invalid":
        expected = detail["ctx"]["expected_tags"].replace("'", "")
        found = detail["ctx"]["tag"]
        return f"hydra.launcher.executor: expected one of {expected}, got {found}."
    # The first part of the location is the selected executor.
    key = ".".join(["hydra.launcher", *map(str, detail["loc"][1:])])
    if detail["type"] == "extra_forbidden":
        return f"{key}: unknown key of this launcher."
    if detail["type"] == "missing":
        return f"{key}: missing; expected a value for this key."
    return f"{key}: {expectation(detail)}, got {as_yaml(detail['input'])}."


def _missing(library: str, extra: str) -> Iterator[str]:
    if importlib.util.find_spec(library) is None:
        yield (
            f"hydra/launcher=population_{extra}: expected {library}, which is not installed. "
            f"Install it with: pip install 'dqn-exp[{extra}]'"
        )
