"""Hydra callbacks."""

import logging
import traceback
from pathlib import Path
from typing import Any

from hydra.experimental.callback import Callback
from omegaconf import DictConfig

from dqn_exp.core.dry_run import is_dry_run
from dqn_exp.core.errors import ConfigError
from dqn_exp.files.directories import problems_of_sweep_directory, quote, shorten
from dqn_exp.files.job_list import CONFIRMATION
from dqn_exp.files.job_names import name_after
from dqn_exp.sweep.hydra_internals import swept_keys

log = logging.getLogger(__name__)

OUR_SWEEPER = "hydra_plugins.dqn_population.population_sweeper.PopulationSweeper"
"""Checks the directory itself, while no other process can use it."""


OUR_SWEEPERS = (OUR_SWEEPER, "hydra_plugins.dqn_population.search_sweeper.SearchSweeper")


class BadInputExit(SystemExit):
    """Ends the process with status 2; Hydra turns other errors of a callback into warnings."""

    def __init__(self, problems: list[str]) -> None:
        """Takes a line per problem."""
        super().__init__(2)
        self.problems = problems


class CheckRun(Callback):
    """Checks a single run before Hydra creates its directory, and reports sweeps."""

    def on_run_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Ends the process with status 2 and one line per problem, if the run is invalid."""
        # Delayed: torch is slow to import.
        from dqn_exp.sweep.single_run import check_run, claim_directory, plan_run

        try:
            problems = check_run(config)
            if not problems and is_dry_run():
                plan_run(config)
            if not problems:
                claim_directory(config)
        except ConfigError as error:
            problems = error.problems
        except Exception:
            traceback.print_exc()
            raise SystemExit(1) from None
        if problems:
            raise BadInputExit(problems)

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Checks the directory of a sweep before another sweeper than ours writes to it.

        It also makes the names of job directories hold the swept values only, with every sweeper.
        """
        directory = Path(config.hydra.sweep.dir).absolute()
        if is_dry_run() and config.hydra.sweeper.get("_target_") not in OUR_SWEEPERS:
            raise BadInputExit(["--dry-run: expected hydra/sweeper=population or search."])
        if config.hydra.sweeper.get("_target_") != OUR_SWEEPER and (
            problems := problems_of_sweep_directory(directory, "hydra.sweep.dir")
        ):
            raise BadInputExit(problems)
        try:
            name_after(swept_keys(config))
        except Exception as error:  # The sweeper will tell the same.
            log.debug("The swept keys are not known: %s", error)

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        """Writes the report of a sweep, unless its config says `report=false`."""
        if not config.get("report", True):
            return
        # Delayed: matplotlib and scipy are slow to import.
        from dqn_exp.analysis import report, summary

        directory = Path(config.hydra.sweep.dir)
        try:
            # The best settings of a search were told when they were confirmed.
            told = (directory / CONFIRMATION).exists()
            for line in () if told else summary.best_lines(directory):
                log.info(line)
            log.info("Writing the report.")
            page = report.write_report([directory], directory / "report")
        except KeyboardInterrupt:
            again = f"Write the report with: python -m dqn_exp.report {quote(directory)}"
            raise KeyboardInterrupt(again) from None
        except Exception:  # The training results are complete without it.
            log.exception("The report could not be written.")
            return
        where = quote(page.parent / "tensorboard")
        log.info(
            "The report is in %s. View the settings with: tensorboard --logdir %s",
            shorten(page),
            where,
        )
