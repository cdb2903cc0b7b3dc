"""The sweeper that checks all jobs of a sweep before anything is created.

Every Hydra app of the environment imports this module at its start: it must stay light.
"""

from dataclasses import dataclass, field
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.config_store import ConfigStore


@dataclass
class PopulationSweeperConf:
    """Options of `hydra/sweeper=population`; `swept` is set by the sweeper itself."""

    _target_: str = "hydra_plugins.dqn_population.population_sweeper.PopulationSweeper"
    max_batch_size: int | None = None
    params: dict[str, str] | None = None
    swept: list[str] = field(default_factory=list)


ConfigStore.instance().store(
    group="hydra/sweeper", name="population", node=PopulationSweeperConf, provider="dqn_exp"
)


class PopulationSweeper(BasicSweeper):
    """Expands a sweep as Hydra's basic sweeper does, and checks it as a whole."""

    def __init__(
        self,
        max_batch_size: int | None = None,
        params: dict[str, str] | None = None,
        swept: list[str] | None = None,
    ) -> None:
        """Args: the most jobs of a batch, and declared sweeps by key; `swept` is ignored."""
        del swept
        super().__init__(max_batch_size, params)

    def sweep(self, arguments: list[str]) -> Any:
        """Composes and checks all jobs, then launches them batch by batch."""
        from dqn_exp import sweep

        return sweep.sweep(self, arguments)
