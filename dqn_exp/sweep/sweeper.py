"""A whole sweep: expanded, checked before anything is created, launched, summarized."""

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from hydra.core.utils import JobReturn, JobStatus
from omegaconf import OmegaConf

from dqn_exp.core.dry_run import is_dry_run
from dqn_exp.core.errors import ConfigError, RunError
from dqn_exp.core.wording import quantity
from dqn_exp.files import sweep_table
from dqn_exp.files.directories import (
    make_directory,
    problems_of_sweep_directory,
    quote,
    shorten,
)
from dqn_exp.files.job_list import NAME
from dqn_exp.files.job_names import naming_jobs
from dqn_exp.files.lock import lock_directory
from dqn_exp.files.result import Result, read_result
from dqn_exp.files.sweep_table import SweepTable
from dqn_exp.sweep.compose import compose_jobs
from dqn_exp.sweep.dry_run import end_with_plan
from dqn_exp.sweep.expansion import expand
from dqn_exp.sweep.job import Job
from dqn_exp.sweep.launcher import begin_sweep, launch_jobs, plan_groups
from dqn_exp.sweep.launcher_options import InProcessOptions, to_options
from hydra_plugins.dqn_population.population_sweeper import PopulationSweeper

log = logging.getLogger(__name__)


def sweep(sweeper: PopulationSweeper, arguments: Sequence[str]) -> list[Sequence[JobReturn]]:
    """Runs a sweep; returns the jobs of each batch.

    Raises:
        ConfigError: With every problem of every job; nothing has been created.
        RunError: At the end, if a run has not completed; all others have.
    """
    assert sweeper.config is not None and sweeper.hydra_context is not None
    config, launcher = sweeper.config, sweeper.launcher
    directory = Path(config.hydra.sweep.dir).absolute()
    if problems := problems_of_sweep_directory(directory, "hydra.sweep.dir"):
        raise ConfigError(problems)
    options = to_options(getattr(launcher, "options", {}))
    overrides, swept = expand(sweeper, arguments)
    with naming_jobs(swept, len(overrides)):
        jobs = compose_jobs(
            sweeper.hydra_context,
            config,
            overrides,
            first=0,
            is_remote=options.is_remote,
            swept=swept,
        )
    if is_dry_run():
        end_with_plan(
            [[job.checked for job in group] for group in plan_groups(options, jobs)],
            is_remote=options.is_remote,
        )
    make_directory(directory, "hydra.sweep.dir")
    with lock_directory(directory, exclusive=True), naming_jobs(swept, len(overrides)):
        if problems := problems_of_sweep_directory(directory, "hydra.sweep.dir"):
            raise ConfigError(problems)  # Another process created this sweep meanwhile.
        size = sweeper.max_batch_size or len(jobs)
        batches = [jobs[begin : begin + size] for begin in range(0, len(jobs), size)]
        try:
            table = begin_sweep(config, swept, jobs)
            OmegaConf.save(config, directory / "multirun.yaml")
            returns = [_launch(launcher, options, batch, table) for batch in batches]
        except KeyboardInterrupt:
            has_begun = (directory / NAME).exists()
            advice = advice_after_interruption(directory) if has_begun else ""
            raise KeyboardInterrupt(advice) from None
    failures = list(failures_of(jobs, returns))
    if failures:  # Hydra calls this callback only if no exception leaves the sweeper.
        name = config.hydra.job.config_name
        sweeper.hydra_context.callbacks.on_multirun_end(config=config, config_name=name)
    conclude(directory, failures, len(jobs), has_report=config.get("report", True))
    return returns


def conclude(directory: Path, failures: Sequence[str], num_jobs: int, *, has_report: bool) -> None:
    """Logs how a sweep ended, with the next commands.

    Args:
        directory: of the sweep.
        failures: a line for each run that has not completed.
        num_jobs: of the sweep.
        has_report: whether a report follows if all is well, which says where the results are.

    Raises:
        RunError: If a run has failed.
    """
    log.info("%d of %s completed.", num_jobs - len(failures), quantity(num_jobs, "run"))
    where, table = quote(directory), directory / sweep_table.NAME
    results = shorten(table if table.exists() else directory)
    advice = f"Results are in {results}. View them with: tensorboard --logdir {where}"
    if failures:
        again = f"Retry the failed runs with: python -m dqn_exp.resume {where} --retry-failed"
        raise RunError("\n".join([*failures, again, advice]))
    if not has_report:
        log.info(advice)


def advice_after_interruption(directory: Path) -> str:
    """Returns the next command."""
    return f"Resume with: python -m dqn_exp.resume {quote(directory)}"


def failures_of(jobs: Sequence[Job], returns: Sequence[Sequence[JobReturn]]) -> Iterator[str]:
    """Yields a line for each job that has not completed."""
    for job, returned in zip(jobs, (one for batch in returns for one in batch), strict=True):
        if returned.status != JobStatus.COMPLETED:
            error = returned._return_value
            reason = (str(error) or type(error).__name__).splitlines()[0]
            yield f"Run {job.num} ({job.title}) {reason}"


def _launch(
    launcher: Any, options: InProcessOptions, jobs: Sequence[Job], table: SweepTable
) -> Sequence[JobReturn]:
    """Trains the jobs of a batch with our launcher, or with one of Hydra's."""
    launcher.table = table
    try:
        if hasattr(launcher, "options"):
            return launch_jobs(launcher, options, jobs)
        returns: Sequence[JobReturn] = launcher.launch(
            [job.overrides for job in jobs], initial_job_idx=jobs[0].num
        )
    except Exception as error:  # A batch that fails never stops the next one.
        log.exception("A batch of %s failed.", quantity(len(jobs), "run"))
        return [_ended_before(job, error) for job in jobs]
    for job in jobs:
        result = _result_of(job)
        status, objective = (result.status, result.objective) if result else ("failed", None)
        table.update(job.num, status, objective)
    table.write()
    return returns


def _ended_before(job: Job, error: Exception) -> JobReturn:
    """Returns the outcome of a job whose batch was ended by an error."""
    result = _result_of(job)
    if result is not None and result.status == "completed":
        return JobReturn(status=JobStatus.COMPLETED, _return_value=result.objective)
    return JobReturn(status=JobStatus.FAILED, _return_value=error)


def _result_of(job: Job) -> Result | None:
    try:
        return read_result(job.directory)
    except (OSError, ValueError):
        return None
