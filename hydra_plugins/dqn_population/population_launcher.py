"""The launcher that trains a batch of jobs as populations.

Every Hydra app of the environment imports this module at its start: it must stay light.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


@dataclass
class PopulationLauncherConf:
    """Options of `hydra/launcher=population`."""

    _target_: str = "hydra_plugins.dqn_population.population_launcher.PopulationLauncher"
    max_population_size: int | None = None


ConfigStore.instance().store(
    group="hydra/launcher", name="population", node=PopulationLauncherConf, provider="dqn_exp"
)


class PopulationLauncher(Launcher):
    """Opens all jobs of a batch, trains those of equal structure together, and closes them."""

    def __init__(self, max_population_size: int | None = None) -> None:
        """Args: the most runs of one population; None for any number."""
        self.max_population_size = max_population_size
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
