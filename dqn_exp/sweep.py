"""A whole sweep: expanded, checked before anything is created, launched, summed up."""

import json
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.core.utils import JobReturn, JobStatus
from omegaconf import OmegaConf

from dqn_exp.directories import problems_of_sweep_directory, shorten
from dqn_exp.errors import ConfigError, RunError
from dqn_exp.jobs import Job
from dqn_exp.launch import add_rows, check_launcher, compose_jobs
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
    add_rows(table, jobs)
    table.write()
    size = sweeper.max_batch_size or len(jobs)
    batches = [jobs[begin : begin + size] for begin in range(0, len(jobs), size)]
    where = shorten(directory)
    try:
        returns = [_launch(sweeper.launcher, batch, table) for batch in batches]
    except KeyboardInterrupt:
        raise KeyboardInterrupt(_next(where)) from None
    failures = list(_failures(jobs, returns))
    log.info("%d of %d runs completed.", len(jobs) - len(failures), len(jobs))
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
    launcher.table = table
    try:
        if hasattr(launcher, "launch_jobs"):
            returns: Sequence[JobReturn] = launcher.launch_jobs(jobs)
            return returns
        returns = launcher.launch([job.overrides for job in jobs], initial_job_idx=jobs[0].num)
    except Exception as error:  # A batch that fails never stops the next.
        log.exception("A batch of %d runs has failed.", len(jobs))
        returns = [JobReturn(status=JobStatus.FAILED, _return_value=error) for _ in jobs]
    for job in jobs:
        result = _read_result(job.directory)
        table.update(job.num, result.get("status", "failed"), result.get("objective"))
    table.write()
    return returns


def _read_result(directory: Path) -> dict[str, Any]:
    try:
        result: dict[str, Any] = json.loads((directory / "result.json").read_text())
    except (OSError, ValueError):
        return {}
    return result


def _failures(jobs: Sequence[Job], returns: Sequence[Sequence[JobReturn]]) -> Iterator[str]:
    for job, returned in zip(jobs, (one for batch in returns for one in batch), strict=True):
        if returned.status != JobStatus.COMPLETED:
            error = returned._return_value
            reason = (str(error) or type(error).__name__).splitlines()[0]
            yield f"Run {job.num} ({job.title}) {reason}"


def _next(directory: Path) -> str:
    return (
        f"Results are in {directory / 'sweep.csv'}. "
        f"Look at them with: tensorboard --logdir {directory}"
    )
