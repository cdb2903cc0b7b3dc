"""Trains N runs as one population, and leaves complete files however training ends."""

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
import yaml

from dqn_exp.config.engine_choice import explain_engine
from dqn_exp.config.schema import Config
from dqn_exp.core.arrays import Float64Array
from dqn_exp.core.errors import describe_error
from dqn_exp.files.atomic_file import remove_remains
from dqn_exp.files.checkpoint import BEST, NEWEST, checkpoints_of
from dqn_exp.files.ownership import OwnershipError, check_ownership
from dqn_exp.files.result import Result, Status
from dqn_exp.files.run_record import RunRecord
from dqn_exp.files.tags import CHARTS, FINAL_METRICS, MOST_SELECTED, VIDEO
from dqn_exp.training import provenance
from dqn_exp.training.build_trainer import make_trainer
from dqn_exp.training.callbacks import Callbacks, RunInfo
from dqn_exp.training.monitor import NO_MONITOR, Monitor
from dqn_exp.training.preflight import notes_on, shape_of, with_engine
from dqn_exp.training.progress import Progress
from dqn_exp.training.resume_point import ResumePoint, find_resume_point, set_aside_refused
from dqn_exp.training.trained_policy import film_episode

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Run:
    """One run to be trained.

    Attributes:
        config: of the run.
        directory: an existing directory of this run alone. If it holds a checkpoint, the run
            resumes from it; if it holds the result of a run that has ended, the run is skipped.
        hparams: columns of the run in TensorBoard's table of hyperparameters.
        token: of the worker that owns the run; None outside workers.
        num_in_sweep: runs of its sweep, beside which TensorBoard shows it.
    """

    config: Config
    directory: Path
    hparams: Mapping[str, Any]
    token: str | None = None
    num_in_sweep: int = 1


@dataclass
class _OpenRun:
    """A run whose files are open.

    Attributes:
        result: so far.
        record: None where the run is not trained.
        load: returns the state to resume from; None to begin at step 0.
    """

    result: Result
    record: RunRecord | None = None
    load: Callable[[], dict[str, Any]] | None = None


class _Numbered:
    """A monitor of the runs that are trained, which numbers them as in the whole population."""

    def __init__(self, monitor: Monitor, numbers: Sequence[int]) -> None:
        self._monitor, self._numbers = monitor, numbers

    @property
    def pruned(self) -> Collection[int]:
        pruned = self._monitor.pruned
        return [index for index, number in enumerate(self._numbers) if number in pruned]

    def add_evaluation(self, run: int, step: int, returns: Float64Array) -> None:
        self._monitor.add_evaluation(self._numbers[run], step, returns)


def train_population(
    runs: Sequence[Run],
    report: Callable[[Sequence[Result]], None],
    should_stop: Callable[[], bool],
    progress: Progress,
    monitor: Monitor = NO_MONITOR,
) -> list[Result]:
    """Trains runs of equal structure and leaves their files.

    Args:
        runs: at least one.
        report: called with all results, in the order of `runs`, at the start and whenever runs
            have ended.
        should_stop: called about once a second or more often; if it returns true, the runs are
            interrupted.
        progress: shows the progress; closed at the end.
        monitor: takes the evaluations of the runs, numbered as in `runs`, and prunes runs.

    Returns:
        The results, in the order of `runs`, also of runs that failed, diverged or were
        interrupted.
    """
    runs = [replace(run, config=with_engine(run.config)) for run in runs]
    opened = [_open(run) for run in runs]
    results = [one.result for one in opened]
    trained = [(run, one) for run, one in zip(runs, opened, strict=True) if one.record]
    try:
        report(results)
        if trained:
            watching = _Numbered(monitor, [runs.index(run) for run, _ in trained])
            _train(trained, lambda: report(results), progress, should_stop, watching)
            _film(trained, should_stop)
    except Exception as error:
        log.exception("The population failed.")
        _finish_running(opened, "failed", describe_error(error))
    except BaseException:  # A second interrupt does not wait for the end of a step.
        _finish_running(opened, "interrupted", None)
        raise
    finally:
        progress.close()
        report(results)
    return results


def _train(
    trained: Sequence[tuple[Run, _OpenRun]],
    on_end: Callable[[], None],
    progress: Progress,
    should_stop: Callable[[], bool],
    monitor: Monitor,
) -> None:
    first = trained[0][0].config
    shape = shape_of(first)
    log.info(explain_engine(first, shape.num_features, shape.num_actions))
    for note in notes_on(first):
        log.info(note)
    num_threads = torch.get_num_threads()
    trainer = make_trainer(
        [run.config for run, _ in trained],
        [one.record for _, one in trained if one.record],
        on_end=on_end,
        progress=progress,
        should_stop=should_stop,
        monitor=monitor,
    )
    try:
        trainer.restore([one.load for _, one in trained])
        trainer.train()
    except Exception as error:
        trainer.end_all("failed", describe_error(error))
        raise
    finally:
        trainer.close()
        torch.set_num_threads(num_threads)


def _film(trained: Sequence[tuple[Run, _OpenRun]], should_stop: Callable[[], bool]) -> None:
    """Adds a video of an episode to the records of completed runs that ask for one."""
    for run, one in trained:
        if should_stop():
            return
        if not run.config.log.video or one.record is None or one.result.status != "completed":
            continue
        try:
            gif = film_episode(run.directory)
            one.record.add_gif(VIDEO, gif.to_bytes(), gif.size)
            one.record.flush()
        except (Exception, SystemExit) as error:  # The results are complete without it.
            log.warning("%s cannot be filmed: %s", run.directory, describe_error(error))


def _new_result(config: Config) -> Result:
    return Result(
        "running",
        config.seed,
        config.hash(),
        engine=config.engine,
        cpu=provenance.cpu_model(),
        commit=provenance.commit(),
        versions=provenance.versions(config.env.id),
    )


def _open(run: Run) -> _OpenRun:
    """Opens the files of a run, if it is to be trained."""
    result = _new_result(run.config)
    try:
        check_ownership(run.directory, run.token)
        point = find_resume_point(run.directory, result.config_hash)
        if point.result is not None:
            if point.result.has_ended:
                return _OpenRun(point.result)
            result.seconds = point.result.seconds
        return _resume(run, result, point)
    except OwnershipError as error:  # This worker was given up, and must not write anything.
        return _OpenRun(replace(result, status="failed", error=str(error)))
    except Exception as error:  # The other runs of the population begin.
        failed = replace(result, status="failed", error=describe_error(error))
        log.error("%s: %s", run.directory, failed.error)
        # An existing result may belong to another run, or say more than this one.
        if run.directory.is_dir() and not (run.directory / "result.json").exists():
            with suppress(OSError):
                failed.write(run.directory)
        return _OpenRun(failed)


def _resume(run: Run, result: Result, point: ResumePoint) -> _OpenRun:
    for name in (NEWEST, BEST, "result.json"):
        remove_remains(run.directory / name)
    set_aside_refused(run.directory, point)
    config = run.config.model_dump()
    callbacks = Callbacks(run.config.callbacks, RunInfo(run.directory, config))
    record = RunRecord(run.directory, result, config, point.files, run.token, callbacks.tell)
    for reason in point.refused:
        record.log("Ignoring a checkpoint. %s", reason)
    if point.path is None:
        _describe(run, record)
        return _OpenRun(result, record)
    record.log("Resuming from the checkpoint at step %d.", result.steps)
    _log_differences(record, point)
    return _OpenRun(result, record, point.load)


def _describe(run: Run, record: RunRecord) -> None:
    """Adds what does not change to the event file of a run."""
    # TensorBoard shows the mean of the seeds of a group as one row.
    values = {key: _to_hparam(value) for key, value in run.hparams.items() if key != "seed"}
    named = ",".join(f"{key}={value}" for key, value in values.items())
    record.add_hparams(f"{run.directory.parent}: {named}", values, FINAL_METRICS)
    if run.num_in_sweep <= MOST_SELECTED:
        record.add_page(yaml.safe_dump(run.config.model_dump(), sort_keys=False), CHARTS)


def _log_differences(record: RunRecord, point: ResumePoint) -> None:
    """Logs what may change the last bits of a resumed run."""
    result = record.result
    if point.engine != result.engine:
        record.log(
            "Resuming with engine %s instead of %s: results may differ in the last bits.",
            result.engine,
            point.engine,
        )
    if point.result is not None and point.result.cpu not in (None, result.cpu):
        record.log(
            "Resuming on CPU %s instead of %s: results may differ in the last bits.",
            result.cpu,
            point.result.cpu,
        )
    for library, version in point.result.versions.items() if point.result else ():
        if result.versions.get(library) != version:
            record.log(
                "Resuming with %s %s instead of %s: results may differ.",
                library,
                result.versions.get(library),
                version,
            )


def _to_hparam(value: Any) -> bool | int | float | str:
    return value if isinstance(value, bool | int | float) else str(value)


def _finish_running(opened: Sequence[_OpenRun], status: Status, error: str | None) -> None:
    for one in opened:
        if one.record is not None and one.result.status == "running":
            if status == "interrupted" and not checkpoints_of(one.record.directory):
                one.result.steps = one.result.episodes = one.result.updates = 0
            one.record.finish(status, error)
