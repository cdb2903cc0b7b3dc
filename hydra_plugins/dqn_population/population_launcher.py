"""The launcher that trains a batch of jobs as populations.

Every Hydra app in the environment imports this module at its start, so it must stay light.
"""

from collections.abc import Sequence
from typing import Any

from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


class PopulationLauncher(Launcher):
    """Opens all jobs of a batch, trains those of equal structure together, and closes them."""

    def __init__(self, **options: Any) -> None:
        """Takes the options of one of `conf/hydra/launcher/population*.yaml`."""
        self.options = options
        self.table: Any = None

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        """Stores what Hydra gives every launcher."""
        self.hydra_context = hydra_context
        self.task_function = task_function
        self.config = config

    def launch(
        self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int
    ) -> Sequence[JobReturn]:
        """Composes, checks and trains the jobs of a batch; returns them in the same order."""
        from dqn_exp.sweep import launcher  # Delayed: see the module docstring.

        return launcher.launch_overrides(self, job_overrides, initial_job_idx)
