"""A whole sweep: expanded, checked before anything is created, launched, summed up."""

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.core.utils import JobReturn, JobStatus
from omegaconf import OmegaConf

from dqn_exp.directories import problems_of_sweep_directory
from dqn_exp.errors import ConfigError, RunError
from dqn_exp.jobs import Job
from dqn_exp.launch import check_launcher, compose_jobs
from dqn_exp.sweep_table import SweepTable

log = logging.getLogger(__name__)


def sweep(sweeper: BasicSweeper, arguments: Sequence[str]) -> list[Sequence[JobReturn]]:
    """Runs a sweep; returns the jobs of each batch.

    Raises:
        ConfigError: with every problem of every job; nothing has been created.
        RunError: at the end, if a run has not completed; all others have.
    """
    assert sweeper.config is not None and sweeper.hydra_context is not None
    context, config = sweeper.hydra_context, sweeper.config
    directory = Path(config.hydra.sweep.dir).absolute()
    if problems := problems_of_sweep_directory(directory, "hydra.sweep.dir"):
        raise ConfigError(problems)
    check_launcher(sweeper.launcher)
    overrides, swept = _expand(sweeper, arguments)
    jobs = compose_jobs(context, config, overrides, 0, swept)
    directory.mkdir(parents=True, exist_ok=True)
    OmegaConf.save(config, directory / "multirun.yaml")
    table = SweepTable(directory, swept)
    for job in jobs:
        table.add(job.num, job.directory, [job.value_of(key) for key in swept])
    table.write()
    size = sweeper.max_batch_size or len(jobs)
    batches = [jobs[begin : begin + size] for begin in range(0, len(jobs), size)]
    returns = [_launch(sweeper.launcher, batch, table) for batch in batches]
    failures = list(_failures(jobs, returns))
    log.info("%d of %d runs completed.", len(jobs) - len(failures), len(jobs))
    where = _short(directory)
    if failures:
        # Hydra tells this to the callbacks only if no exception leaves the sweeper.
        name = config.hydra.job.config_name
        context.callbacks.on_multirun_end(config=config, config_name=name)
        raise RunError("\n".join([*failures, _next(where)]))
    log.info(_next(where))
    return returns


def _expand(sweeper: BasicSweeper, arguments: Sequence[str]) -> tuple[list[list[str]], list[str]]:
    """Returns the overrides of each job and the keys that are swept."""
    assert sweeper.hydra_context is not None
    if sweeper.max_batch_size is not None and sweeper.max_batch_size < 1:
        raise ConfigError(
            [f"hydra.sweeper.max_batch_size: expected at least 1, got {sweeper.max_batch_size}."]
        )
    parser = OverridesParser.create(config_loader=sweeper.hydra_context.config_loader)
    declared = [f"{key}={value}" for key, value in sweeper.params.items()]
    # The command line comes later and takes the place of what a recipe declares.
    by_key: dict[str, Override] = {
        override.get_key_element(): override
        for override in parser.parse_overrides([*declared, *arguments])
    }
    swept = [key.lstrip("+") for key, override in by_key.items() if override.is_sweep_override()]
    note = f"hydra.sweeper.swept=[{','.join(swept)}]"
    (overrides,) = sweeper.split_arguments(list(by_key.values()), None)
    return [[*job, note] for job in overrides], swept


def _launch(launcher: Any, jobs: Sequence[Job], table: SweepTable) -> Sequence[JobReturn]:
    if hasattr(launcher, "launch_jobs"):
        launcher.table = table
        returns: Sequence[JobReturn] = launcher.launch_jobs(jobs)
        return returns
    try:
        returns = launcher.launch([job.overrides for job in jobs], initial_job_idx=jobs[0].num)
    except Exception as error:  # A batch that fails never stops the next.
        log.exception("A batch of %d runs has failed.", len(jobs))
        returns = [JobReturn(status=JobStatus.FAILED, _return_value=error) for _ in jobs]
    for job, returned in zip(jobs, returns, strict=True):
        is_done = returned.status == JobStatus.COMPLETED
        value = returned.return_value if is_done else None
        table.update(job.num, "completed" if is_done else "failed", value)
    table.write()
    return returns


def _failures(jobs: Sequence[Job], returns: Sequence[Sequence[JobReturn]]) -> Iterator[str]:
    for job, returned in zip(jobs, (one for batch in returns for one in batch), strict=True):
        if returned.status != JobStatus.COMPLETED:
            reason = str(returned._return_value).splitlines()[0]
            folder = _short(job.directory)
            yield f"Run {job.num} ({job.title}) {reason} See {folder / 'train.log'}."


def _next(directory: Path) -> str:
    return (
        f"Results are in {directory / 'sweep.csv'}. "
        f"Look at them with: tensorboard --logdir {directory}"
    )


def _short(path: Path) -> Path:
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
