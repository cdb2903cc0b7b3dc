"""Training of a batch of Hydra jobs, in as few populations as their structures allow."""

import itertools
import logging
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from hydra.core.utils import JobReturn, JobStatus, configure_log, setup_globals
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf

from dqn_exp.config.schema import Config
from dqn_exp.core.devices import usable_memory
from dqn_exp.core.errors import ConfigError, RunError, last_line_of
from dqn_exp.core.wording import quantity
from dqn_exp.files import sweep_table
from dqn_exp.files.directories import problems_of_old_sweep, quote, shorten
from dqn_exp.files.job_list import add_to_job_list, begin_job_list
from dqn_exp.files.job_names import naming_jobs
from dqn_exp.files.lock import lock_directory
from dqn_exp.files.sweep_table import NoTable, SweepTable
from dqn_exp.sweep.compose import compose_jobs
from dqn_exp.sweep.dispatcher import Dispatcher
from dqn_exp.sweep.executor import Executor
from dqn_exp.sweep.hydra_internals import configure_console, swept_keys
from dqn_exp.sweep.job import Job, key_of, to_entry
from dqn_exp.sweep.launcher_options import InProcessOptions, to_options
from dqn_exp.sweep.signals import deferred_interrupts
from dqn_exp.sweep.sweep_context import SweepContext
from dqn_exp.training.memory_estimate import to_text
from dqn_exp.training.preflight import memory_of
from dqn_exp.training.progress import make_progress

log = logging.getLogger(__name__)


class Launcher(Protocol):
    """The attributes of the launcher plugin.

    Attributes:
        hydra_context: of Hydra.
        task_function: of Hydra.
        config: of the sweep.
        options: of the launcher.
        table: of the sweep, once there is one.
    """

    hydra_context: HydraContext
    task_function: TaskFunction
    config: DictConfig
    options: dict[str, Any]
    table: SweepTable | NoTable | None


def launch_overrides(
    launcher: Launcher, job_overrides: Sequence[Sequence[str]], first: int
) -> list[JobReturn]:
    """Composes, checks and trains the jobs of a batch, as any sweeper passes them.

    Raises:
        ConfigError: With every problem of every job, before any of them trains.
    """
    setup_globals()
    options = to_options(launcher.options)
    context, config = launcher.hydra_context, launcher.config
    has_begun = launcher.table is not None
    directory = Path(config.hydra.sweep.dir).absolute()
    if not has_begun and (problems := problems_of_old_sweep(directory)):
        raise ConfigError(problems)
    swept = _swept_in(config, job_overrides[0])
    try:
        with naming_jobs(swept, None):
            jobs = compose_jobs(
                context,
                config,
                job_overrides,
                first=first,
                is_remote=options.is_remote,
                swept=swept,
            )
    except ConfigError as error:
        if has_begun:  # Runs of earlier batches have trained, so this is not status 2.
            raise RunError(str(error)) from error
        _remove_beginning(directory)
        raise
    directory.mkdir(parents=True, exist_ok=True)
    where = quote(directory)
    try:
        with lock_directory(directory, exclusive=True):
            _list_jobs(launcher, jobs)
            returns = launch_jobs(launcher, options, jobs)
    except KeyboardInterrupt:
        advice = f"Finish the runs that have begun with: python -m dqn_exp.resume {where}"
        raise KeyboardInterrupt(advice) from None
    num_completed = sum(returned.status == JobStatus.COMPLETED for returned in returns)
    log.info(
        "%d of %s completed. Results are in %s. View them with: tensorboard --logdir %s",
        num_completed,
        quantity(len(jobs), "run"),
        shorten(directory / sweep_table.NAME),
        where,
    )
    return returns


def _remove_beginning(directory: Path) -> None:
    """Removes what another sweeper has written before its first jobs were refused."""
    if [path.name for path in directory.glob("*")] == ["multirun.yaml"]:
        (directory / "multirun.yaml").unlink()
        directory.rmdir()


def launch_jobs(
    launcher: Launcher, options: InProcessOptions, jobs: Sequence[Job]
) -> list[JobReturn]:
    """Trains composed and checked jobs; returns them in the same order, failed ones included.

    Raises:
        KeyboardInterrupt: After the files of the interrupted runs have been written.
    """
    executor = make_executor(launcher, options, jobs[0].checked)
    usable = usable_bytes(options, jobs[0].checked)
    groups = list(group_jobs(jobs, options.max_population_size, executor.num_workers, usable))
    _announce(jobs, groups)
    returns = train_groups(launcher, options, executor, jobs[0], groups, len(jobs))
    return [returns[job.num] for job in jobs]


def plan_groups(options: InProcessOptions, jobs: Sequence[Job]) -> list[Sequence[Job]]:
    """Returns the populations that would train, without starting workers."""
    workers = getattr(options, "num_workers", None) or 1  # Of Ray, only its cluster knows.
    if not options.is_remote:
        workers = options.make_executor(jobs[0].checked.device, Path()).num_workers
    usable = usable_bytes(options, jobs[0].checked)
    return list(group_jobs(jobs, options.max_population_size, workers, usable))


def make_executor(launcher: Launcher, options: InProcessOptions, first: Config) -> Executor:
    """Returns the executor of a launcher, for runs on the device of the first one.

    Raises:
        RunError: If its workers cannot be started.
    """
    hydra = launcher.config.hydra
    configure_log(hydra.hydra_logging, hydra.verbose)
    try:
        return options.make_executor(first.device, Path(hydra.sweep.dir).absolute() / "submitit")
    except Exception as error:  # A cluster may raise any error.
        raise RunError(f"The workers cannot be started: {last_line_of(error)}") from error


def usable_bytes(options: InProcessOptions, first: Config) -> float:
    """Returns the bytes that the runs of all workers may take; infinite if not known."""
    return math.inf if options.is_remote else usable_memory(first.device)


def train_groups(
    launcher: Launcher,
    options: InProcessOptions,
    executor: Executor,
    first: Job,
    groups: Iterable[Sequence[Job]],
    num_jobs: int,
    **hooks: Any,
) -> Mapping[int, JobReturn]:
    """Trains populations; returns the outcome of each job.

    Args:
        launcher: with the table of the sweep.
        options: of the launcher.
        executor: trains them.
        first: a job whose logging and progress hold for all.
        groups: the jobs of each population; the next one is taken when a worker is free.
        num_jobs: in all groups together; an estimate will do.
        hooks: further arguments of `Dispatcher`.

    Raises:
        KeyboardInterrupt: After the files of the interrupted runs have been written.
    """
    assert launcher.table is not None
    hydra = launcher.config.hydra
    sweep = SweepContext(
        launcher.hydra_context,
        launcher.task_function,
        Path(hydra.sweep.dir).absolute(),
        launcher.table,
        options.max_resubmissions,
        executor.num_threads,
    )
    configure_console(first.config)
    try:
        with deferred_interrupts() as interruption:
            progress = make_progress(first.checked.log.progress)
            dispatcher = Dispatcher(sweep, executor, progress, interruption, **hooks)
            dispatcher.train(groups, num_jobs)
    finally:
        configure_log(hydra.hydra_logging, hydra.verbose)
    if interruption.is_requested:
        raise KeyboardInterrupt
    return dispatcher.returns


def begin_sweep(config: DictConfig, swept: Sequence[str], jobs: Sequence[Job]) -> SweepTable:
    """Writes the list of a sweep's first jobs to its directory; returns its table."""
    directory = Path(config.hydra.sweep.dir).absolute()
    hydra: Any = OmegaConf.to_container(config.hydra, resolve=False, enum_to_str=True)
    begin_job_list(directory, hydra, [to_entry(job, directory, swept) for job in jobs])
    table = SweepTable(directory, swept)
    _add_jobs(table, jobs)
    return table


def group_jobs(
    jobs: Sequence[Job], max_size: int | None, num_workers: int, usable: float = math.inf
) -> Iterable[Sequence[Job]]:
    """Yields populations of equal structure, enough of them to keep all workers busy.

    Args:
        jobs: of the sweep.
        max_size: runs of a population at most; None for no limit.
        num_workers: populations that train at once.
        usable: bytes of memory that all of these may take.
    """
    groups: dict[tuple[str, str], list[Job]] = {}
    for job in jobs:
        key = (job.checked.structure(), repr(sorted(job.environment.items())))
        groups.setdefault(key, []).append(job)
    for group in groups.values():
        fitting = _fitting_size(group, usable / num_workers)
        share = math.ceil(num_workers * len(group) / len(jobs))
        least = math.ceil(len(group) / min(max_size or len(group), fitting))
        count = max(least, min(share, len(group)))
        ends = [len(group) * part // count for part in range(count + 1)]
        yield from (group[begin:end] for begin, end in itertools.pairwise(ends))


def _fitting_size(group: Sequence[Job], usable: float) -> int:
    """Returns how many runs of equal structure fit into some bytes of memory, at least 1."""
    if usable == math.inf:
        return len(group)
    one = memory_of(max((job.checked for job in group), key=lambda config: config.buffer.capacity))
    fitting = max(1, int(usable // one))
    if fitting < len(group):
        log.info(
            "%d runs would take about %s, and %s of memory are free: at most %d train at once.",
            *(len(group), to_text(len(group) * one), to_text(int(usable)), fitting),
        )
    return fitting


def _list_jobs(launcher: Launcher, jobs: Sequence[Job]) -> None:
    """Adds the jobs of a batch to the list and the table of the sweep."""
    config = launcher.config
    directory = Path(config.hydra.sweep.dir).absolute()
    if isinstance(launcher.table, SweepTable):
        add_to_job_list(directory, [to_entry(job, directory, launcher.table.swept) for job in jobs])
        _add_jobs(launcher.table, jobs)
    else:
        if problems := problems_of_old_sweep(directory):
            raise ConfigError(problems)  # Another process created this sweep meanwhile.
        launcher.table = begin_sweep(config, _swept_in(config, jobs[0].overrides), jobs)


def _add_jobs(table: SweepTable, jobs: Sequence[Job]) -> None:
    """Adds jobs that are about to begin to the table, as pending."""
    for job in jobs:
        table.add(job.num, job.directory, [job.value_of(key) for key in table.swept])
    table.write()


def _swept_in(config: DictConfig, overrides: Sequence[str]) -> list[str]:
    """Returns the keys of a job that another sweeper sweeps over, in their order."""
    swept = swept_keys(config)
    return [key for key in map(key_of, overrides) if key in swept]


def _announce(jobs: Sequence[Job], groups: Sequence[Sequence[Job]]) -> None:
    runs, populations = quantity(len(jobs), "run"), quantity(len(groups), "population")
    log.info("Training %s as %s.", runs, populations)
