"""What all jobs of a sweep share."""

from dataclasses import dataclass
from pathlib import Path

from hydra.types import HydraContext, TaskFunction

from dqn_exp.files.sweep_table import NoTable, SweepTable


@dataclass(frozen=True)
class SweepContext:
    """Directory, executor and other values that all jobs of a sweep share.

    Attributes:
        context: of Hydra.
        task_function: of Hydra.
        directory: absolute.
        table: kept up to date.
        max_resubmissions: restarts of a run whose worker died while it trained nothing else.
        num_threads: of populations whose config does not set it; None for one per core.
    """

    context: HydraContext
    task_function: TaskFunction
    directory: Path
    table: SweepTable | NoTable
    max_resubmissions: int
    num_threads: int | None
