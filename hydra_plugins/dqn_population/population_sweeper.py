"""The sweeper that checks all jobs of a sweep before anything is created.

Every Hydra app in the environment imports this module at its start, so it must stay light.
"""

from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper


class PopulationSweeper(BasicSweeper):
    """Expands a sweep as Hydra's basic sweeper does, and checks it as a whole."""

    def sweep(self, arguments: list[str]) -> Any:
        """Composes and checks all jobs, then launches them batch by batch."""
        from dqn_exp.sweep import sweeper  # Delayed: see the module docstring.

        return sweeper.sweep(self, arguments)
