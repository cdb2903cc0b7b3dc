"""Hydra callbacks."""

import sys
import traceback
from pathlib import Path
from typing import Any

from hydra.experimental.callback import Callback
from omegaconf import DictConfig

from dqn_exp.directories import problems_of_run_directory
from dqn_exp.errors import ConfigError


class CheckRun(Callback):
    """Checks the config of a single run before Hydra makes its directory."""

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
