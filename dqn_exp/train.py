"""The command that trains one run, or with -m a sweep: `python -m dqn_exp.train agent.gamma=0.99`.

Nothing heavy is imported before a run starts, so that `--help` and `--cfg job` are instant.
"""

import logging
import os
import re
import sys
from pathlib import Path

import hydra
import yaml
from hydra.core.hydra_config import HydraConfig
from hydra.core.plugins import Plugins
from hydra.errors import HydraException, MissingConfigException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from dqn_exp.conf_dir import conf_dir
from dqn_exp.directories import job_directory_name, shorten
from dqn_exp.errors import RunError

log = logging.getLogger(__name__)

MULTIRUN = ("-m", "--multirun")


def main() -> None:
    """Trains, and ends the process with a status.

    0: all runs have completed. 1: a run has failed or diverged. 2: the configuration is bad, and
    nothing has been made. 130: interrupted.
    """
    # Hydra then raises its errors instead of printing them with a traceback.
    os.environ.setdefault("HYDRA_FULL_ERROR", "1")
    # Hydra's parser takes flags before or after all overrides, but not between them.
    sys.argv[1:] = sorted(sys.argv[1:], key=lambda argument: argument not in MULTIRUN)
    # As with `python -m`, so that env.id=my_module:MyEnv-v0 finds a module beside the user.
    if "" not in sys.path and os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    _register()
    try:
        train()
    except RunError as error:
        _exit(1, str(error))
    except KeyboardInterrupt as error:
        _exit(130, f"Interrupted. {error}".strip())
    except (HydraException, OmegaConfBaseException, yaml.YAMLError, OSError, ValueError) as error:
        _exit(2, _to_message(error))


@hydra.main(version_base="1.3", config_path=str(conf_dir()), config_name="config")
def train(config: DictConfig) -> float:
    """Trains one run in the directory that Hydra has made; returns its objective.

    Raises:
        RunError: if it fails or diverges.
    """
    from dqn_exp.config import to_config
    from dqn_exp.population import Run, train_population

    values = OmegaConf.to_container(config, resolve=True)
    checked = to_config(values)  # type: ignore[arg-type]
    directory = Path(HydraConfig.get().runtime.output_dir)
    shown = shorten(directory)
    if (directory / "result.json").exists():
        raise RunError(f"A run is never written over, and {shown} holds a result.json.")
    try:
        run = Run(checked, directory, checked.hyperparameters())
        (result,) = train_population([run], lambda results: None)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"What it has recorded so far is in {shown}.") from None
    except Exception as error:
        log.exception("The run has failed.")
        raise RunError(f"failed: {error} See {shown / 'train.log'}.") from error
    if result.objective is None or result.status != "completed":
        raise RunError(f"{result.status}: {result.error} See {shown / 'train.log'}.")
    log.info("Results are in %s. Look at them with: tensorboard --logdir %s", shown, shown)
    return result.objective


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
        return f"{group}={name}: expected one of {', '.join(error.options)}."
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark:
        mark = error.problem_mark
        return f"{mark.name}:{mark.line + 1}: {error.problem}"
    if unknown := re.match(r"Could not (?:override|delete from config.*) '([^']+)'", text):
        return f"{unknown[1]}: unknown key.{suggest(unknown[1])}"
    if ambiguous := re.match(r"Ambiguous value for argument '([^']+)'", text):
        return f"{ambiguous[1]}: several values; add -m to sweep over them."
    if sweep := re.match(r"Sweep parameters '([^']+)' requires --multirun", text):
        return f"{sweep[1]}: several values; add -m to sweep over them."
    return text.strip()


if __name__ == "__main__":
    main()
