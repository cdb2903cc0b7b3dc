"""Trains a batch of Hydra jobs, in as few populations as their structures allow."""

import logging
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Protocol

from hydra.core.utils import JobReturn, JobStatus, configure_log, env_override, setup_globals
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from dqn_exp.directories import duplicates, problems_of_run_directory, shorten
from dqn_exp.errors import ConfigError, RunError
from dqn_exp.jobs import (
    Job,
    close_job,
    compose_job,
    configure_console,
    key_of,
    open_job,
    title_of,
)
from dqn_exp.recorder import Result
from dqn_exp.run_log import run_logs
from dqn_exp.sweep_table import SweepTable

log = logging.getLogger(__name__)


class Launcher(Protocol):
    """What is read of the launcher plugin; `table` is that of the sweep, once there is one."""

    hydra_context: HydraContext
    task_function: TaskFunction
    config: DictConfig
    max_population_size: int | None
    table: SweepTable | None


def launch_overrides(
    launcher: Launcher, job_overrides: Sequence[Sequence[str]], first: int
) -> list[JobReturn]:
    """Composes and checks the jobs of a batch, as any sweeper hands them over, and trains them.

    Raises:
        ConfigError: with every problem of every job, before any of them trains.
    """
    setup_globals()
    check_launcher(launcher)
    has_begun = launcher.table is not None
    directory = Path(launcher.config.hydra.sweep.dir).absolute()
    if not has_begun and (directory / "sweep.csv").exists():
        raise ConfigError([f"hydra.sweep.dir: expected no sweep in it, but {directory} has one."])
    try:
        jobs = compose_jobs(launcher.hydra_context, launcher.config, job_overrides, first)
    except ConfigError as error:
        if has_begun:  # Runs of earlier batches have trained: this is not status 2 any more.
            raise RunError(str(error)) from error
        raise
    if launcher.table is None:
        launcher.table = SweepTable(directory, _differing_keys(job_overrides))
    add_rows(launcher.table, jobs)
    return launch_jobs(launcher, jobs)


def check_launcher(launcher: object) -> None:
    """Raises ConfigError if an option of the launcher is out of range."""
    size = getattr(launcher, "max_population_size", None)
    if size is not None and size < 1:
        raise ConfigError(
            [f"hydra.launcher.max_population_size: expected at least 1 or null, got {size}."]
        )


def compose_jobs(
    context: HydraContext,
    master: DictConfig,
    job_overrides: Sequence[Sequence[str]],
    first: int,
    swept: Sequence[str] | None = None,
) -> list[Job]:
    """Composes jobs, each once, and checks them, their directories and this machine.

    Args:
        context: of Hydra.
        master: the config of the sweep.
        job_overrides: of each job.
        first: number of the first job.
        swept: keys by which a problem's job is named; None for all.

    Raises:
        ConfigError: with every problem of every job.
    """
    from dqn_exp.population import check_machine

    jobs: list[Job] = []
    found: list[tuple[str, int]] = []
    for num, overrides in enumerate(job_overrides, first):
        try:
            jobs.append(compose_job(context.config_loader, master, overrides, num))
        except ConfigError as error:
            found += [(problem, num) for problem in error.problems]
    if not found:
        repeated = duplicates(job.directory for job in jobs)
        for job in jobs:
            problems = check_machine(job.checked)
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


def launch_jobs(launcher: Launcher, jobs: Sequence[Job]) -> list[JobReturn]:
    """Trains composed and checked jobs; returns them in the same order, failed ones included."""
    config = launcher.config
    configure_log(config.hydra.hydra_logging, config.hydra.verbose)
    directory = Path(config.hydra.sweep.dir).absolute()
    directory.mkdir(parents=True, exist_ok=True)
    if launcher.table is None:
        launcher.table = SweepTable(directory, ())
    for job in jobs:
        launcher.table.add(
            job.num, job.directory, [job.value_of(key) for key in launcher.table.swept]
        )
    launcher.table.write()
    groups = list(_group(jobs, launcher.max_population_size))
    _announce(jobs, groups)
    returns: dict[int, JobReturn] = {}
    for group in groups:
        returns |= _train_group(launcher, group, launcher.table)
        configure_log(config.hydra.hydra_logging, config.hydra.verbose)
    return [returns[job.num] for job in jobs]


class Outcomes:
    """What has become of the jobs of one population, in their order."""

    def __init__(self, jobs: Sequence[Job], table: SweepTable) -> None:
        """Args: the jobs, none of which has begun, and the table that is kept up to date."""
        self._jobs = jobs
        self._table = table
        self.values: list[float | Exception] = [RunError("It never began.") for _ in jobs]
        self._ended = [False for _ in jobs]

    def tell(self, results: Sequence[Result]) -> None:
        """Takes over the results of the runs that have begun."""
        for index, result in enumerate(results):
            self._set(index, result.status, result.objective, result.error or "It has no result.")
            self._ended[index] = result.status != "running"
        self._write()

    def fail(self, error: Exception) -> None:
        """Marks as failed whatever has not ended."""
        for index, has_ended in enumerate(self._ended):
            if not has_ended:
                self._set(index, "failed", None, f"{type(error).__name__}: {error}")
        self._write()

    def _set(self, index: int, status: str, objective: float | None, error: str) -> None:
        job = self._jobs[index]
        self._table.update(job.num, status, objective)
        if status == "completed" and objective is not None:
            self.values[index] = objective
        else:
            log_file = shorten(job.directory / "train.log")
            self.values[index] = RunError(f"{status}: {error} See {log_file}.")

    def _write(self) -> None:
        try:
            self._table.write()
        except OSError:  # The runs' own files come first; the table can be made from them.
            log.exception("The table of the sweep could not be written.")


def _train_group(
    launcher: Launcher, jobs: Sequence[Job], table: SweepTable
) -> dict[int, JobReturn]:
    from dqn_exp.population import Run, train_population

    context, outcomes = launcher.hydra_context, Outcomes(jobs, table)
    opened: dict[int, JobReturn] = {}
    configure_console(jobs[0].config)
    with run_logs() as logs, env_override(jobs[0].environment):
        try:
            for job in jobs:
                opened[job.num] = open_job(job, context, launcher.task_function, logs)
            runs = [Run(job.checked, job.directory, _hparams(job, table.swept)) for job in jobs]
            train_population(runs, outcomes.tell)
        except Exception as error:  # Whatever it is, the other populations still train.
            log.exception("A population of %d runs has failed.", len(jobs))
            outcomes.fail(error)
        finally:
            values = dict(zip((job.num for job in jobs), outcomes.values, strict=True))
            for job in jobs[: len(opened)]:
                close_job(job, opened[job.num], values[job.num], context, logs)
    return {job.num: opened.get(job.num) or _unopened(job, values[job.num]) for job in jobs}


def _unopened(job: Job, value: float | Exception) -> JobReturn:
    return JobReturn(overrides=job.overrides, status=JobStatus.FAILED, _return_value=value)


def add_rows(table: SweepTable, jobs: Sequence[Job]) -> None:
    """Adds pending jobs to the table of their sweep."""
    for job in jobs:
        table.add(job.num, job.directory, [job.value_of(key) for key in table.swept])


def _differing_keys(job_overrides: Sequence[Sequence[str]]) -> list[str]:
    """Returns the keys that some of the jobs override differently than the first does."""
    others = {override for overrides in job_overrides[1:] for override in overrides}
    common = set(job_overrides[0]).intersection(*job_overrides)
    keys = [key_of(o) for o in [*job_overrides[0], *sorted(others)] if o not in common]
    return list(dict.fromkeys(keys))


def _group(jobs: Sequence[Job], size: int | None) -> Iterable[Sequence[Job]]:
    groups: dict[tuple[str, str], list[Job]] = {}
    for job in jobs:
        key = (job.checked.structure(), repr(sorted(job.environment.items())))
        groups.setdefault(key, []).append(job)
    for group in groups.values():
        step = size or len(group)
        for begin in range(0, len(group), step):
            yield group[begin : begin + step]


def _hparams(job: Job, swept: Sequence[str]) -> dict[str, object]:
    values: dict[str, object] = job.checked.hyperparameters()
    if not swept:
        return values
    # A swept group, such as network, is no key of the config but has a name all the same.
    return {key: values.get(key, job.value_of(key)) for key in swept}


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
