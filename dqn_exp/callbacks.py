"""Hydra callbacks."""

import logging
import sys
import traceback
from pathlib import Path
from typing import Any

from hydra.experimental.callback import Callback
from omegaconf import DictConfig

from dqn_exp.directories import problems_of_run_directory, shorten
from dqn_exp.errors import ConfigError

log = logging.getLogger(__name__)


class CheckRun(Callback):
    """Checks the config of a single run before Hydra makes its directory, and reports sweeps."""

    def on_run_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Ends the process with status 2, a line a problem, if the run cannot be."""
        # Hydra turns what a callback raises into a warning, and would train all the same.
        try:
            problems = _problems(config)
        except Exception:
            traceback.print_exc()
            raise SystemExit(1) from None
        if problems:
            sys.stderr.write("\n".join(problems) + "\n")
            raise SystemExit(2)

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        """Writes the report of a sweep, unless its config says `report=false`."""
        if not config.get("report", True):
            return
        from dqn_exp.reporting import write_report

        log.info("Writing the report.")
        try:
            page = write_report([Path(config.hydra.sweep.dir)])
        except Exception:  # What has been trained is there all the same.
            log.exception("The report could not be written.")
            return
        where = shorten(page.parent.parent)
        log.info(
            "The report is in %s. Look at the runs with: tensorboard --logdir %s",
            shorten(page),
            where,
        )


def _problems(config: DictConfig) -> list[str]:
    from dqn_exp.composed import checked_config

    problems = []
    if declared := config.hydra.sweeper.get("params"):
        problems.append(f"A sweep over {', '.join(declared)} is declared: add -m to run it.")
    try:
        checked = checked_config(config)
    except ConfigError as error:
        return problems + error.problems
    problems += problems_of_run_directory(Path(config.hydra.run.dir).absolute(), "hydra.run.dir")
    if problems:
        return problems
    from dqn_exp.population import check_device, check_env

    return check_env(checked) + check_device(checked.device)
