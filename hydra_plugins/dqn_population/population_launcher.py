"""The launcher that trains a batch of jobs as populations.

Every Hydra app of the environment imports this module at its start: it must stay light.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


@dataclass
class PopulationLauncherConf:
    """Options of `hydra/launcher=population`, which trains in the process of the command."""

    _target_: str = "hydra_plugins.dqn_population.population_launcher.PopulationLauncher"
    executor: str = "in_process"
    max_population_size: int | None = None  # The most runs of a population.
    max_resubmissions: int = 2  # How often a run, alone with a worker that dies, gets another.


@dataclass
class ProcessesLauncherConf(PopulationLauncherConf):
    """Options of `hydra/launcher=population_processes`: workers are processes of this machine."""

    executor: str = "processes"
    num_workers: int | None = None  # Null: one a GPU with device=cuda, else one a core.


@dataclass
class SlurmLauncherConf(PopulationLauncherConf):
    """Options of `hydra/launcher=population_slurm`: workers are jobs of SLURM."""

    executor: str = "slurm"
    num_workers: int = 4  # Jobs at once, into which a sweep is split.
    cluster: str = "slurm"  # Or local, for processes of this machine.
    timeout_min: int = 240  # Of a job, in minutes; it is then submitted again.
    cpus_per_task: int = 2
    gpus_per_node: int = 0
    mem_gb: int | None = None
    # Whatever else submitit's AutoExecutor takes, such as slurm_partition.
    parameters: dict[str, Any] = field(default_factory=dict)


@dataclass
class RayLauncherConf(PopulationLauncherConf):
    """Options of `hydra/launcher=population_ray`: workers are tasks of Ray."""

    executor: str = "ray"
    num_workers: int | None = None  # Tasks at once; null: as many as the cluster has room for.
    address: str | None = None  # Of the cluster, such as auto; null: one of this machine alone.
    num_cpus: int = 1
    num_gpus: int = 0


for name, node in {
    "population": PopulationLauncherConf,
    "population_processes": ProcessesLauncherConf,
    "population_slurm": SlurmLauncherConf,
    "population_ray": RayLauncherConf,
}.items():
    ConfigStore.instance().store(group="hydra/launcher", name=name, node=node, provider="dqn_exp")


class PopulationLauncher(Launcher):
    """Opens all jobs of a batch, trains those of equal structure together, and closes them."""

    def __init__(self, **settings: Any) -> None:
        """Args: `settings`, the options of one of the groups above."""
        self.settings = {**vars(PopulationLauncherConf()), **settings}
        self.table: Any = None

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        """Keeps what Hydra gives every launcher."""
        self.hydra_context = hydra_context
        self.task_function = task_function
        self.config = config

    def launch(
        self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int
    ) -> Sequence[JobReturn]:
        """Composes, checks and trains the jobs of a batch; returns them in the same order."""
        from dqn_exp import launch

        return launch.launch_overrides(self, job_overrides, initial_job_idx)

    def launch_jobs(self, jobs: Sequence[Any]) -> Sequence[JobReturn]:
        """Trains jobs that a sweeper has already composed and checked."""
        from dqn_exp import launch

        return launch.launch_jobs(self, jobs)
