"""Registration with Hydra and exit statuses, shared by the commands."""

import logging
import os
import signal
import sys
from collections.abc import Callable

import yaml
from hydra.core.plugins import Plugins
from hydra.errors import HydraException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from dqn_exp.core.errors import RunError
from dqn_exp.core.extras import MissingExtraError
from dqn_exp.core.module_search import search_in_current_folder
from dqn_exp.files.directories import remembered_origin
from dqn_exp.files.job_names import job_directory_name
from dqn_exp.sweep.callbacks import BadInputExit
from dqn_exp.sweep.hydra_internals import share_config_store
from dqn_exp.sweep.hydra_messages import explain
from dqn_exp.sweep.signals import raise_at_termination
from hydra_plugins.dqn_population.population_launcher import PopulationLauncher
from hydra_plugins.dqn_population.population_sweeper import PopulationSweeper
from hydra_plugins.dqn_population.search_sweeper import SearchSweeper

BAD_INPUT = (
    *(HydraException, OmegaConfBaseException, yaml.YAMLError),
    *(OSError, ValueError, MissingExtraError),
)
"""Errors that the user can mend."""


def run_command(command: Callable[[], object]) -> None:
    """Runs a command, and exits with a status unless it is 0.

    1: a run failed or diverged. 2: bad input; nothing was created. 130: interrupted.
    """
    # A reader that has gone, as in `| head`, is no error to tell of.
    logging.raiseExceptions = False
    try:
        prepare()
        raise_at_termination()
        with remembered_origin():
            command()
        if sys.stdout is not None:  # It may have been closed, as in `>&-`.
            sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(128 + signal.SIGPIPE) from None
    except RunError as error:
        _exit(1, str(error))
    except KeyboardInterrupt as error:
        _exit(130, f"Interrupted. {error}".strip())
    except BadInputExit as error:
        _exit(2, "\n".join(error.problems))
    except BAD_INPUT as error:
        _exit(2, explain(error))


def prepare() -> None:
    """Prepares this process for Hydra."""
    # Makes Hydra raise its errors instead of printing them with a traceback.
    os.environ["HYDRA_FULL_ERROR"] = "1"
    search_in_current_folder()
    _register()
    share_config_store()


def _register() -> None:
    OmegaConf.register_new_resolver("job_directory_name", job_directory_name, replace=True)
    OmegaConf.register_new_resolver("name_or", lambda name, time: name or time, replace=True)
    # Hydra 1.3 does not find plugins in every kind of editable installation.
    plugins = Plugins.instance()
    plugins.register(PopulationLauncher)
    plugins.register(PopulationSweeper)
    plugins.register(SearchSweeper)


def _exit(status: int, message: str) -> None:
    sys.stderr.write(message + "\n")
    # If executed text was interrupted, as a dataclass defines methods, `python -m` would end by
    # SIGINT whatever the status. Executing something else clears that.
    exec("")
    raise SystemExit(status)
