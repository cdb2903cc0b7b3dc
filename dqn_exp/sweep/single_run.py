"""A single run of the training command: its checks, and its training."""

import json
import logging
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from dqn_exp.config.schema import Config
from dqn_exp.config.validation import to_config
from dqn_exp.core.errors import ConfigError, RunError
from dqn_exp.files.directories import problems_of_run_directory, quote, shorten
from dqn_exp.files.failure import describe_failure
from dqn_exp.files.lock import lock_directory
from dqn_exp.sweep.hydra_internals import resolved_values
from dqn_exp.sweep.signals import deferred_interrupts
from dqn_exp.training.population import Run, train_population
from dqn_exp.training.preflight import check_config
from dqn_exp.training.progress import make_progress

log = logging.getLogger(__name__)


def check_run(config: DictConfig) -> list[str]:
    """Returns the problems of a run before Hydra creates its directory.

    Args:
        config: composed, with Hydra's node.
    """
    problems = []
    if declared := config.hydra.sweeper.get("params"):
        problems.append(f"A sweep over {', '.join(declared)} is declared: add -m to run it.")
    try:
        checked = _validate(resolved_values(config))
    except ConfigError as error:
        return problems + error.problems
    problems += problems_of_run_directory(Path(config.hydra.run.dir).absolute(), "hydra.run.dir")
    return problems or check_config(checked)


def train_run(config: DictConfig) -> float:
    """Trains a run in the directory that Hydra has created; returns its objective.

    Args:
        config: composed, without Hydra's node.

    Raises:
        RunError: If the run fails or diverges.
        KeyboardInterrupt: If it is interrupted, with the command that resumes it.
    """
    values: Any = OmegaConf.to_container(config, resolve=True)
    checked = _validate(values)
    directory = Path(HydraConfig.get().runtime.output_dir)
    shown = shorten(directory)
    run = Run(checked, directory, checked.hyperparameters())
    progress = make_progress(checked.log.progress)
    with lock_directory(directory, exclusive=True), deferred_interrupts() as interruption:
        if (directory / "result.json").exists():
            raise RunError(f"Results are never overwritten, and {shown} holds a result.json.")
        (result,) = train_population(
            [run], lambda results: None, lambda: interruption.is_requested, progress
        )
    if result.status == "interrupted":
        raise KeyboardInterrupt(f"Resume with: python -m dqn_exp.resume {quote(directory)}")
    if result.objective is None or result.status != "completed":
        raise RunError(describe_failure(result, directory))
    log.info("Results are in %s. View them with: tensorboard --logdir %s", shown, quote(directory))
    return result.objective


def _validate(values: Mapping[str, Any]) -> Config:
    """Returns the typed config of a run, which is checked and then trained with the same values."""
    return _validate_json(json.dumps(values))


@lru_cache(maxsize=1)
def _validate_json(values: str) -> Config:
    return to_config(json.loads(values))
