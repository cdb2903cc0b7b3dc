"""Trains N runs as one population and leaves their files, whatever happens."""

import json
import logging
import platform
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from dqn_exp.assembly import make_trainer  # isort: skip  (It must be imported before torch.)
import torch
import yaml

from dqn_exp import __version__
from dqn_exp.atomic_file import remove_remains
from dqn_exp.checkpoint import NEWEST
from dqn_exp.engine_choice import explain_engine
from dqn_exp.gymnasium_env import describe
from dqn_exp.lease import LeaseError, check_lease
from dqn_exp.playing import check_visible
from dqn_exp.progress import Progress
from dqn_exp.recorder import RunRecord, describe_error
from dqn_exp.restoration import Standing, find_standing, set_aside_refused
from dqn_exp.result import Result, Status
from dqn_exp.schema import Config
from dqn_exp.trained import film_episode

log = logging.getLogger(__name__)

LIBRARIES = ("torch", "gymnasium", "numpy")


@dataclass(frozen=True)
class Run:
    """One run to be trained.

    directory: exists, and belongs to this run alone. Where it holds a checkpoint, the run goes on
        from that; where it holds the result of a run that has ended, the run is left as it is.
    hparams: the run's columns in TensorBoard's table of hyperparameters.
    lease: token of the worker that the run belongs to; None where no worker trains it.
    """

    config: Config
    directory: Path
    hparams: Mapping[str, Any]
    lease: str | None = None


@dataclass
class _Opened:
    """A run whose files are open.

    record: None where the run is not trained.
    load: gives the state that it goes on from; None for the beginning.
    """

    result: Result
    record: RunRecord | None = None
    load: Callable[[], Mapping[str, Any]] | None = None


def train_population(
    runs: Sequence[Run],
    tell: Callable[[Sequence[Result]], None],
    should_stop: Callable[[], bool],
    progress: Progress,
) -> list[Result]:
    """Trains runs of equal structure as one set of tensors and leaves their files.

    Args:
        runs: at least one.
        tell: called with all results, in the order of `runs`, at the start and whenever runs
            have ended.
        should_stop: asked every tick; the runs are then interrupted.
        progress: where it is shown; closed at the end.

    Returns:
        The results, in the order of `runs`. A run that fails, diverges or is interrupted is one
        of them.
    """
    opened = [_open(run) for run in runs]
    results = [one.result for one in opened]
    trained = [(run, one) for run, one in zip(runs, opened, strict=True) if one.record]
    try:
        tell(results)
        if trained:
            _train(trained, lambda: tell(results), progress, should_stop)
            _film(trained, should_stop)
    except Exception as error:
        log.exception("The population has failed.")
        _finish_running(opened, "failed", describe_error(error))
    except BaseException:  # Somebody does not wait for the step.
        _finish_running(opened, "interrupted", None)
        raise
    finally:
        progress.close()
        tell(results)
    return results


def check_env(config: Config) -> list[str]:
    """Returns what is wrong with the environment of a config on this machine."""
    return list(_problems_of_env(json.dumps(config.env.model_dump()), config.log.video))


@cache
def check_device(device: str) -> list[str]:
    """Returns what is wrong with a device on this machine."""
    try:
        torch.zeros(1, device=device).cpu()
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        return [f"device: expected a device of this machine, got {device!r}: {reason}"]
    return []


@cache
def _problems_of_env(env: str, is_filmed: bool) -> tuple[str, ...]:
    # The jobs of a sweep mostly share an environment, and making one may be slow.
    settings = json.loads(env)
    try:
        arguments = (settings["id"], settings["max_episode_steps"], settings["kwargs"] or {})
        describe(*arguments)
        if is_filmed:
            check_visible(*arguments)
    except ValueError as error:
        return (str(error),)
    return ()


def _train(
    trained: Sequence[tuple[Run, _Opened]],
    on_end: Callable[[], None],
    progress: Progress,
    should_stop: Callable[[], bool],
) -> None:
    log.info(explain_engine(trained[0][0].config))
    trainer = make_trainer(
        [run.config for run, _ in trained],
        [one.record for _, one in trained if one.record],
        on_end=on_end,
        progress=progress,
        should_stop=should_stop,
    )
    try:
        trainer.restore([one.load for _, one in trained])
        trainer.train()
    except Exception as error:
        trainer.abort(describe_error(error))
        raise
    finally:
        trainer.close()


def _film(trained: Sequence[tuple[Run, _Opened]], should_stop: Callable[[], bool]) -> None:
    """Adds a film of an episode to the records of completed runs that are to have one."""
    for run, one in trained:
        if should_stop():
            return
        if not run.config.log.video or one.record is None or one.result.status != "completed":
            continue
        try:
            gif = film_episode(run.directory)
            one.record.add_gif("policy/greedy", gif.to_bytes(), gif.size)
            one.record.flush()
        except Exception as error:  # What has been trained is there all the same.
            log.warning("%s cannot be filmed: %s", run.directory, describe_error(error))


@cache
def _versions() -> dict[str, str]:
    libraries = {name: version(name) for name in LIBRARIES}
    return {"python": platform.python_version(), "dqn_exp": __version__, **libraries}


def _open(run: Run) -> _Opened:
    """Opens the files of a run where it is to be trained."""
    result = Result("running", run.config.seed, run.config.hash(), versions=_versions())
    try:
        check_lease(run.directory, run.lease)
        standing = find_standing(run.directory, result.config_hash)
        if standing.result is not None:
            if standing.result.has_ended:
                return _Opened(standing.result)
            result.seconds = standing.result.seconds
        return _restore(run, result, standing)
    except LeaseError as error:  # This worker was given up; it touches nothing any more.
        return _Opened(replace(result, status="failed", error=str(error)))
    except Exception as error:  # The other runs of the population begin.
        failed = replace(result, status="failed", error=describe_error(error))
        log.error("%s: %s", run.directory, failed.error)
        # What is there may be the result of another run, or tell of more than this one does.
        if run.directory.is_dir() and not (run.directory / "result.json").exists():
            with suppress(OSError):
                failed.write(run.directory)
        return _Opened(failed)


def _restore(run: Run, result: Result, standing: Standing) -> _Opened:
    for name in (NEWEST, "result.json"):
        remove_remains(run.directory / name)
    set_aside_refused(run.directory, standing)
    has_events = run.config.log.tensorboard
    record = RunRecord(run.directory, result, has_events, standing.records, run.lease)
    for reason in standing.refused:
        record.log("A checkpoint is not used. %s", reason)
    if standing.path is None:
        hparams = {
            key: value if isinstance(value, bool | int | float) else str(value)
            for key, value in run.hparams.items()
        }
        record.describe(yaml.safe_dump(run.config.model_dump(), sort_keys=False), hparams)
        return _Opened(result, record)
    record.log("Goes on from the checkpoint at step %d.", result.steps)
    return _Opened(result, record, standing.load)


def _finish_running(opened: Sequence[_Opened], status: Status, error: str | None) -> None:
    for one in opened:
        if one.record is not None and one.result.status == "running":
            one.record.finish(status, error)
