"""The sweeper that checks all jobs of a sweep before anything is created.

Every Hydra app in the environment imports this module at its start, so it must stay light.
"""

from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper


class PopulationSweeper(BasicSweeper):
    """Expands a sweep as Hydra's basic sweeper does, and checks it as a whole."""

    def __init__(self, mode: str = "product", settings: str | None = None, **options: Any) -> None:
        """Takes the options of `conf/hydra/sweeper/population.yaml`.

        Args:
            mode: product of the values of all swept keys, or zip.
            settings: file with settings; None for none.
            options: of Hydra's basic sweeper.
        """
        super().__init__(**options)
        self.mode, self.settings = mode, settings

    def sweep(self, arguments: list[str]) -> Any:
        """Composes and checks all jobs, then launches them batch by batch."""
        from dqn_exp.sweep import sweeper  # Delayed: see the module docstring.

        return sweeper.sweep(self, arguments)
