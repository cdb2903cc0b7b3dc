"""The sweeper that searches for settings.

Every Hydra app in the environment imports this module at its start, so it must stay light.
"""

from typing import Any

from hydra.core.plugins import Plugins
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from dqn_exp.core.extras import import_extra


class SearchSweeper(Sweeper):
    """Searches with Optuna; a trial is a setting, trained with several seeds."""

    def __init__(self, params: dict[str, str] | None, **options: Any) -> None:
        """Takes the options of `conf/hydra/sweeper/search.yaml`.

        Args:
            params: ranges that a recipe declares, by key.
            options: all others.
        """
        self.params, self.options = dict(params or {}), options

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        """Stores what Hydra gives every sweeper, and makes the launcher."""
        self.hydra_context = hydra_context
        self.config = config
        self.launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def sweep(self, arguments: list[str]) -> Any:
        """Carries out the search."""
        # Delayed: see the module docstring.
        return import_extra("dqn_exp.search.sweeper", "search").search(self, arguments)
