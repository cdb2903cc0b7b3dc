"""A single run of the training command: its checks, and its training."""

import logging
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from dqn_exp.config.validation import to_config
from dqn_exp.core.dotted_keys import flatten
from dqn_exp.core.errors import ConfigError, RunError
from dqn_exp.files.directories import (
    make_directory,
    problems_of_nesting,
    problems_of_run_directory,
    quote,
    shorten,
)
from dqn_exp.files.failure import describe_failure
from dqn_exp.files.lock import lock_directory
from dqn_exp.sweep.dry_run import end_with_plan
from dqn_exp.sweep.hydra_internals import (
    problems_of_log_files,
    problems_of_subdirectory,
    resolved_values,
)
from dqn_exp.sweep.signals import deferred_interrupts
from dqn_exp.training.population import Run, train_population
from dqn_exp.training.preflight import check_config
from dqn_exp.training.progress import make_progress

log = logging.getLogger(__name__)

_CLAIM = ExitStack()
"""Holds the lock of the directory between Hydra's start of a run and its training."""


def check_run(config: DictConfig) -> list[str]:
    """Returns the problems of a run before Hydra creates its directory.

    Args:
        config: composed, with Hydra's node.
    """
    problems = []
    if declared := config.hydra.sweeper.get("params"):
        problems.append(f"A sweep over {', '.join(declared)} is declared: add -m to run it.")
    try:
        checked = to_config(resolved_values(config))
    except ConfigError as error:
        return problems + error.problems
    directory = Path(config.hydra.run.dir).absolute()
    problems += problems_of_run_directory(directory, "hydra.run.dir")
    problems += problems_of_nesting(directory, "hydra.run.dir")
    problems += problems_of_subdirectory(config) + problems_of_log_files(config)
    return problems or check_config(checked)


def plan_run(config: DictConfig) -> None:
    """Prints what a run would do, and ends the process.

    Args:
        config: composed, with Hydra's node.
    """
    end_with_plan([[to_config(resolved_values(config))]], is_remote=False)


def claim_directory(config: DictConfig) -> None:
    """Makes and locks the directory of a run, before Hydra writes its config there.

    The directory stays locked until the run has been trained. Values of environment variables take
    the place of references to them, so that the run can be resumed where they are not set.

    Args:
        config: composed, with Hydra's node.

    Raises:
        ConfigError: If another process uses the directory, or it cannot be made.
    """
    directory = Path(config.hydra.run.dir).absolute()
    make_directory(directory, "hydra.run.dir")
    _CLAIM.enter_context(lock_directory(directory, exclusive=True))
    # Another process may have trained meanwhile.
    if problems := problems_of_run_directory(directory, "hydra.run.dir"):
        _CLAIM.close()
        raise ConfigError(problems)
    written: Any = OmegaConf.to_container(config, resolve=False)
    for key, value in flatten({**written, "hydra": None}).items():
        if isinstance(value, str) and "oc.env" in value:
            OmegaConf.update(config, key, OmegaConf.select(config, key))


def train_run(config: DictConfig) -> float:
    """Trains a run in the directory that Hydra has created; returns its objective.

    Args:
        config: composed, without Hydra's node.

    Raises:
        RunError: If the run fails or diverges.
        KeyboardInterrupt: If it is interrupted, with the command that resumes it.
    """
    values: Any = OmegaConf.to_container(config, resolve=True)
    checked = to_config(values)
    directory = Path(HydraConfig.get().runtime.output_dir)
    shown = shorten(directory)
    run = Run(checked, directory, checked.hyperparameters())
    progress = make_progress(checked.log.progress)
    advice = f"Resume with: python -m dqn_exp.resume {quote(directory)}"
    try:
        with _CLAIM.pop_all(), deferred_interrupts() as interruption:
            (result,) = train_population(
                [run], lambda results: None, lambda: interruption.is_requested, progress
            )
    except KeyboardInterrupt:  # A second interrupt.
        raise KeyboardInterrupt(advice) from None
    if result.status == "interrupted":
        raise KeyboardInterrupt(advice)
    if result.objective is None or result.status != "completed":
        raise RunError(describe_failure(result, directory))
    log.info("Results are in %s. View them with: tensorboard --logdir %s", shown, quote(directory))
    return result.objective
