"""What commands have in common: what they make known to Hydra, and how they end."""

import os
import re
import sys
from collections.abc import Callable

import yaml
from hydra.core.plugins import Plugins
from hydra.errors import HydraException, MissingConfigException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from dqn_exp.directories import job_directory_name
from dqn_exp.errors import RunError
from dqn_exp.interruption import raise_at_termination

EXTRAS = {"optuna": "pip install 'dqn-exp[optuna]'"}
"""Options of Hydra's groups that are there once an optional extra is installed."""


def run_command(command: Callable[[], object]) -> None:
    """Runs a command, and ends the process with a status unless it is 0.

    1: a run has failed or diverged. 2: bad input, and nothing has been made. 130: interrupted.
    """
    # Hydra then raises its errors instead of printing them with a traceback.
    os.environ.setdefault("HYDRA_FULL_ERROR", "1")
    # As with `python -m`, so that env.id=my_module:MyEnv-v0 finds a module beside the user.
    if "" not in sys.path and os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    _register()
    raise_at_termination()
    try:
        command()
    except RunError as error:
        _exit(1, str(error))
    except KeyboardInterrupt as error:
        _exit(130, f"Interrupted. {error}".strip())
    except (HydraException, OmegaConfBaseException, yaml.YAMLError, OSError, ValueError) as error:
        _exit(2, _to_message(error))


def _register() -> None:
    OmegaConf.register_new_resolver("job_directory_name", job_directory_name, replace=True)
    # Hydra 1.3 does not find plugins in every kind of editable installation.
    plugins = Plugins.instance()
    from hydra_plugins.dqn_population.population_launcher import PopulationLauncher
    from hydra_plugins.dqn_population.population_sweeper import PopulationSweeper

    plugins.register(PopulationLauncher)
    plugins.register(PopulationSweeper)


def _exit(status: int, message: str) -> None:
    sys.stderr.write(message + "\n")
    raise SystemExit(status)


def _to_message(error: Exception) -> str:
    from dqn_exp.config import suggest

    text = str(error)
    if isinstance(error, MissingConfigException) and error.missing_cfg_file and error.options:
        group, _, name = error.missing_cfg_file.rpartition("/")
        hint = f" Say {EXTRAS[name]} first." if name in EXTRAS else ""
        return f"{group}={name}: expected one of {', '.join(error.options)}.{hint}"
    if "hydra/sweeper/optuna" in text:  # A recipe asks for it.
        return f"hydra/sweeper=optuna: it is not installed. Say {EXTRAS['optuna']} first."
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark:
        mark = error.problem_mark
        return f"{mark.name}:{mark.line + 1}: {error.problem}"
    if unknown := re.match(r"Could not override '(hydra\.launcher\.[^']+)'", text):
        return (
            f"{unknown[1]}: unknown key of this launcher. Others have more, such as "
            "hydra/launcher=population_processes."
        )
    if unknown := re.match(r"Could not (?:override|delete from config.*) '([^']+)'", text):
        return f"{unknown[1]}: unknown key.{suggest(unknown[1])}"
    if ambiguous := re.match(r"Ambiguous value for argument '([^']+)'", text):
        return f"{ambiguous[1]}: several values; add -m to sweep over them."
    if sweep := re.match(r"Sweep parameters '([^']+)' requires --multirun", text):
        return f"{sweep[1]}: several values; add -m to sweep over them."
    return text.strip()
