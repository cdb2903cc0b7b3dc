"""Trains a batch of Hydra jobs, in as few populations as their structures allow."""

import itertools
import logging
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Protocol

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.utils import JobReturn, JobStatus, configure_log, setup_globals
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf

from dqn_exp.directories import (
    duplicates,
    problems_of_old_sweep,
    problems_of_run_directory,
    shorten,
)
from dqn_exp.dispatch import Dispatch, Sweep
from dqn_exp.errors import ConfigError, RunError, last_line_of
from dqn_exp.executors import IN_PROCESS, Settings, check_settings, is_remote, make_executor
from dqn_exp.interruption import deferred_interrupts
from dqn_exp.job_list import add_to_job_list, begin_job_list
from dqn_exp.job_logging import configure_console
from dqn_exp.jobs import Job, compose_job, key_of, title_of, to_entry
from dqn_exp.lock import at_work
from dqn_exp.progress import make_progress
from dqn_exp.reading_once import reading_once
from dqn_exp.sweep_table import SweepTable

log = logging.getLogger(__name__)


class Launcher(Protocol):
    """What is read of the launcher plugin; `table` is that of the sweep, once there is one."""

    hydra_context: HydraContext
    task_function: TaskFunction
    config: DictConfig
    settings: dict[str, Any]
    table: SweepTable | None


def launch_overrides(
    launcher: Launcher, job_overrides: Sequence[Sequence[str]], first: int
) -> list[JobReturn]:
    """Composes and checks the jobs of a batch, as any sweeper hands them over, and trains them.

    Raises:
        ConfigError: with every problem of every job, before any of them trains.
    """
    setup_globals()
    check_settings(launcher.settings)
    context, config = launcher.hydra_context, launcher.config
    has_begun = launcher.table is not None
    directory = Path(config.hydra.sweep.dir).absolute()
    if not has_begun and (problems := problems_of_old_sweep(directory)):
        raise ConfigError(problems)
    try:
        jobs = compose_jobs(context, config, launcher.settings, job_overrides, first)
    except ConfigError as error:
        if has_begun:  # Runs of earlier batches have trained: this is not status 2 any more.
            raise RunError(str(error)) from error
        raise
    directory.mkdir(parents=True, exist_ok=True)
    where = shorten(directory)
    try:
        with at_work(directory, is_alone=True):
            _list_jobs(launcher, jobs)
            returns = launch_jobs(launcher, jobs)
    except KeyboardInterrupt:
        advice = f"Let the runs that have begun end with: python -m dqn_exp.resume {where}"
        raise KeyboardInterrupt(advice) from None
    num_completed = sum(returned.status == JobStatus.COMPLETED for returned in returns)
    log.info(
        "%d of %d runs completed. Results are in %s. Look at them with: tensorboard --logdir %s",
        num_completed,
        len(jobs),
        where / "sweep.csv",
        where,
    )
    return returns


def _list_jobs(launcher: Launcher, jobs: Sequence[Job]) -> None:
    config = launcher.config
    directory = Path(config.hydra.sweep.dir).absolute()
    if launcher.table is None:
        if problems := problems_of_old_sweep(directory):
            raise ConfigError(problems)  # Somebody was faster.
        launcher.table = begin_sweep(config, _swept_keys(config, jobs[0].overrides), jobs)
    else:
        add_to_job_list(directory, [to_entry(job, directory, launcher.table.swept) for job in jobs])
        add_jobs(launcher.table, jobs)


def begin_sweep(config: DictConfig, swept: Sequence[str], jobs: Sequence[Job]) -> SweepTable:
    """Makes the list of a sweep's first jobs in its directory; returns its table."""
    directory = Path(config.hydra.sweep.dir).absolute()
    hydra: Any = OmegaConf.to_container(config.hydra, resolve=False, enum_to_str=True)
    begin_job_list(directory, hydra, [to_entry(job, directory, swept) for job in jobs])
    table = SweepTable(directory, swept)
    add_jobs(table, jobs)
    return table


def add_jobs(table: SweepTable, jobs: Sequence[Job]) -> None:
    """Writes jobs that are about to begin to the table, as pending."""
    for job in jobs:
        table.add(job.num, job.directory, [job.value_of(key) for key in table.swept])
    table.write()


def compose_jobs(
    context: HydraContext,
    master: DictConfig,
    settings: Settings,
    job_overrides: Sequence[Sequence[str]],
    first: int,
    swept: Sequence[str] | None = None,
) -> list[Job]:
    """Composes jobs, each once, and checks them, their directories and this machine.

    Args:
        context: of Hydra.
        master: the config of the sweep.
        settings: options of the launcher.
        job_overrides: of each job.
        first: number of the first job.
        swept: keys by which a problem's job is named; None for all.

    Raises:
        ConfigError: with every problem of every job.
    """
    jobs: list[Job] = []
    found: list[tuple[str, int]] = []
    with reading_once(context.config_loader):
        for num, overrides in enumerate(job_overrides, first):
            try:
                jobs.append(compose_job(context.config_loader, master, overrides, num))
            except ConfigError as error:
                found += [(problem, num) for problem in error.problems]
    if not found:
        repeated = duplicates(job.directory for job in jobs)
        for job in jobs:
            problems = check_machine(settings, job)
            problems += problems_of_run_directory(job.directory, "hydra.sweep.subdir")
            if job.directory in repeated:
                problems.append(
                    f"hydra.sweep.subdir: expected a directory for each job, but {job.directory} "
                    "is that of several; put ${hydra.job.num} into it."
                )
            found += [(problem, job.num) for problem in problems]
    if found:
        titles = [title_of(overrides, swept) for overrides in job_overrides]
        raise ConfigError(_merge(found, titles, first))
    return jobs


def settings_of(launcher: object) -> Settings:
    """Returns the options of a launcher, which may be one of Hydra's own."""
    settings: Settings = getattr(launcher, "settings", {"executor": IN_PROCESS})
    return settings


def check_machine(settings: Settings, job: Job) -> list[str]:
    """Returns what is wrong with the environment of a job, and its device where it trains here."""
    from dqn_exp.population import check_device, check_env

    problems = check_env(job.checked)
    return problems if is_remote(settings) else problems + check_device(job.checked.device)


def launch_jobs(launcher: Launcher, jobs: Sequence[Job]) -> list[JobReturn]:
    """Trains composed and checked jobs; returns them in the same order, failed ones included.

    Raises:
        KeyboardInterrupt: after the interrupted runs' files have been written.
    """
    table = launcher.table
    assert table is not None
    config = launcher.config
    directory = Path(config.hydra.sweep.dir).absolute()
    configure_log(config.hydra.hydra_logging, config.hydra.verbose)
    first = jobs[0].checked
    try:
        executor = make_executor(launcher.settings, first.device, directory / "submitit")
    except Exception as error:  # Whatever a cluster may answer.
        raise RunError(f"The workers cannot be had: {last_line_of(error)}") from error
    groups = list(_group(jobs, launcher.settings["max_population_size"], executor.num_workers))
    _announce(jobs, groups)
    sweep = Sweep(
        launcher.hydra_context,
        launcher.task_function,
        directory,
        table,
        launcher.settings["max_resubmissions"],
        executor.num_threads,
    )
    is_here = launcher.settings["executor"] == IN_PROCESS
    configure_console(jobs[0].config)
    try:
        with deferred_interrupts() as interruption:
            progress = make_progress(first.log.progress and not is_here)
            dispatch = Dispatch(sweep, executor, progress, interruption)
            dispatch.train(groups)
    finally:
        configure_log(config.hydra.hydra_logging, config.hydra.verbose)
    if interruption.is_asked:
        raise KeyboardInterrupt
    return [dispatch.returns[job.num] for job in jobs]


def _swept_keys(config: DictConfig, overrides: Sequence[str]) -> list[str]:
    """Returns the keys of a job that a sweeper which is not ours sweeps over."""
    parser = OverridesParser.create()
    given = parser.parse_overrides(list(config.hydra.overrides.task))
    swept = {override.get_key_element() for override in given if override.is_sweep_override()}
    declared = set(OmegaConf.select(config, "hydra.sweeper.params") or ())
    fixed = {override.get_key_element() for override in given} - swept
    return [key for key in map(key_of, overrides) if key in (swept | declared) - fixed]


def _group(jobs: Sequence[Job], most: int | None, num_workers: int) -> Iterable[Sequence[Job]]:
    """Splits jobs into populations: of equal structure, and enough for all workers to be busy."""
    groups: dict[tuple[str, str], list[Job]] = {}
    for job in jobs:
        key = (job.checked.structure(), repr(sorted(job.environment.items())))
        groups.setdefault(key, []).append(job)
    fair = math.ceil(len(jobs) / num_workers)
    for group in groups.values():
        count = math.ceil(len(group) / min(fair, most or fair))
        ends = [len(group) * part // count for part in range(count + 1)]
        yield from (group[begin:end] for begin, end in itertools.pairwise(ends))


def _announce(jobs: Sequence[Job], groups: Sequence[Sequence[Job]]) -> None:
    runs = "1 run" if len(jobs) == 1 else f"{len(jobs)} runs"
    populations = "1 population" if len(groups) == 1 else f"{len(groups)} populations"
    log.info("Training %s as %s.", runs, populations)


def _merge(found: Sequence[tuple[str, int]], titles: Sequence[str], first: int) -> list[str]:
    """Returns one line a problem, with the jobs that have it."""
    jobs_by_problem: dict[str, list[int]] = {}
    for problem, num in found:
        jobs_by_problem.setdefault(problem, []).append(num)
    lines = []
    for problem, nums in jobs_by_problem.items():
        others = f" and {len(nums) - 1} more" if len(nums) > 1 else ""
        title = titles[nums[0] - first]
        lines.append(f"{problem} (job {nums[0]}{others}{': ' * bool(title)}{title})")
    return lines
