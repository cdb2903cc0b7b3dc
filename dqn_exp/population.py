"""Trains N runs as one population and leaves their files, whatever happens."""

import json
import logging
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from dqn_exp.assembly import make_trainer  # isort: skip  (It must be imported before torch.)
import torch
import yaml

from dqn_exp import __version__
from dqn_exp.env import describe
from dqn_exp.interruption import deferred_interrupts
from dqn_exp.progress import make_progress
from dqn_exp.recorder import Result, RunRecord, Status
from dqn_exp.schema import Config

log = logging.getLogger(__name__)

LIBRARIES = ("torch", "gymnasium", "numpy")


@dataclass(frozen=True)
class Run:
    """One run to be trained.

    directory: exists, and belongs to this run alone.
    hparams: the run's columns in TensorBoard's table of hyperparameters.
    """

    config: Config
    directory: Path
    hparams: Mapping[str, Any]


def train_population(runs: Sequence[Run], tell: Callable[[Sequence[Result]], None]) -> list[Result]:
    """Trains runs of equal structure as one set of tensors and leaves their files.

    Args:
        runs: at least one.
        tell: called with all results, in the order of `runs`, at the start and whenever runs
            have ended.

    Returns:
        The results, in the order of `runs`. A run that fails or diverges is one of them.

    Raises:
        KeyboardInterrupt: after the interrupted runs' files have been written.
    """
    records: list[RunRecord] = []
    progress = make_progress(runs[0].config.log.progress)
    with deferred_interrupts() as interruption:
        try:
            for run in runs:
                records.append(_make_record(run))
            tell([record.result for record in records])
            _train(
                [run.config for run in runs],
                records,
                on_end=lambda: tell([record.result for record in records]),
                progress=progress,
                should_stop=lambda: interruption.is_asked,
            )
        except Exception as error:
            log.exception("The population has failed.")
            _finish_running(records, "failed", f"{type(error).__name__}: {error}")
            if len(records) < len(runs):
                raise
        except KeyboardInterrupt:  # The user has asked twice, and does not wait for the step.
            _finish_running(records, "interrupted", None)
            raise
        finally:
            progress.close()
            tell([record.result for record in records])
    if interruption.is_asked:
        raise KeyboardInterrupt
    return [record.result for record in records]


def check_machine(config: Config) -> list[str]:
    """Returns what is wrong with a config on this machine: its environment or device."""
    return list(_machine_problems(json.dumps(config.env.model_dump()), config.device))


@cache
def _machine_problems(env: str, device: str) -> tuple[str, ...]:
    # The jobs of a sweep mostly share an environment, and making one may be slow.
    problems = []
    try:
        settings = json.loads(env)
        describe(settings["id"], settings["max_episode_steps"], settings["kwargs"] or {})
    except ValueError as error:
        problems.append(str(error))
    try:
        torch.zeros(1, device=device).cpu()
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        problems.append(f"device: expected a device of this machine, got {device!r}: {reason}")
    return tuple(problems)


def _train(configs: Sequence[Config], records: Sequence[RunRecord], **arguments: Any) -> None:
    trainer = make_trainer(configs, records, **arguments)
    try:
        trainer.train()
    except Exception as error:
        trainer.abort(f"{type(error).__name__}: {error}")
        raise
    finally:
        trainer.close()


@cache
def _versions() -> dict[str, str]:
    libraries = {name: version(name) for name in LIBRARIES}
    return {"python": platform.python_version(), "dqn_exp": __version__, **libraries}


def _make_record(run: Run) -> RunRecord:
    config = run.config
    result = Result("running", config.seed, config.hash(), versions=_versions())
    record = RunRecord(run.directory, result, config.log.tensorboard)
    hparams = {
        key: value if isinstance(value, bool | int | float) else str(value)
        for key, value in run.hparams.items()
    }
    record.describe(yaml.safe_dump(config.model_dump(), sort_keys=False), hparams)
    return record


def _finish_running(records: Sequence[RunRecord], status: Status, error: str | None) -> None:
    for record in records:
        if record.result.status == "running":
            record.finish(status, error)
