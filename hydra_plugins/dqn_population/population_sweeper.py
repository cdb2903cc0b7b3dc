"""The sweeper that checks all jobs of a sweep before anything is created.

Every Hydra app in the environment imports this module at its start, so it must stay light.
"""

from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper


class PopulationSweeper(BasicSweeper):
    """Expands a sweep as Hydra's basic sweeper does, and checks it as a whole."""

    def __init__(
        self,
        max_batch_size: int | None = None,
        params: dict[str, str] | None = None,
        swept: list[str] | None = None,
    ) -> None:
        """Sets the limit of jobs per batch and the declared sweeps; `swept` is ignored."""
        del swept
        super().__init__(max_batch_size, params)

    def sweep(self, arguments: list[str]) -> Any:
        """Composes and checks all jobs, then launches them batch by batch."""
        from dqn_exp.sweep import sweeper  # Delayed: see the module docstring.

        return sweeper.sweep(self, arguments)
