"""What a command or a saved search asks for."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from dqn_exp.config.validation import to_config
from dqn_exp.files.job_list import JobEntry
from dqn_exp.files.job_names import naming_jobs
from dqn_exp.search.options import SearchOptions
from dqn_exp.search.space import Space
from dqn_exp.sweep.compose import compose_jobs
from dqn_exp.sweep.job import Job, to_job
from dqn_exp.sweep.launcher import Launcher
from dqn_exp.sweep.launcher_options import InProcessOptions


class Request(NamedTuple):
    """A search, as a command or a saved one asks for it.

    Attributes:
        launcher: trains the runs.
        launching: its options.
        options: of the search.
        space: of the settings.
        entries: jobs of earlier sessions, by number.
        changes: overrides of the launcher and of keys that do not change results, when resumed.
    """

    launcher: Launcher
    launching: InProcessOptions
    options: SearchOptions
    space: Space
    entries: Mapping[int, JobEntry] = MappingProxyType({})
    changes: Sequence[str] = ()

    @property
    def directory(self) -> Path:
        """Directory of the sweep."""
        return Path(self.launcher.config.hydra.sweep.dir).absolute()

    @property
    def swept(self) -> list[str]:
        """Keys that distinguish the runs."""
        return [*self.space.distributions, "seed"]

    def saved(self, number: int) -> list[Job]:
        """Returns the jobs of a trial that are listed already, by seed."""
        first, hydra = number * self.options.seeds, self.launcher.config.hydra
        entries = [self.entries.get(first + seed) for seed in range(self.options.seeds)]
        return [
            to_job(entry, to_config(entry.config), hydra, self.directory)
            for entry in entries
            if entry is not None
        ]

    def compose(
        self, values: Mapping[str, object], number: int, skip: int = 0, *, is_remote: bool = True
    ) -> list[Job]:
        """Returns the jobs of a trial, by seed, without the first ones.

        Raises:
            ConfigError: With what is wrong with them, on this machine unless `is_remote`: a trial
                does not depend on the memory that is free now.
        """
        seeds = self.options.seeds
        with naming_jobs(self.swept, self.options.n_trials * seeds):
            return compose_jobs(
                self.launcher.hydra_context,
                self.launcher.config,
                [self.space.overrides(values, seed) for seed in range(skip, seeds)],
                first=number * seeds + skip,
                is_remote=is_remote,
                swept=self.swept,
            )
