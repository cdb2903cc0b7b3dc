"""Composition and checks of the jobs of a sweep."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from hydra.core.config_loader import ConfigLoader
from hydra.types import HydraContext
from omegaconf import DictConfig

from dqn_exp.config.validation import to_config
from dqn_exp.core.errors import ConfigError
from dqn_exp.files.directories import duplicates, problems_of_depth, problems_of_run_directory
from dqn_exp.files.job_list import JobEntry
from dqn_exp.sweep.hydra_internals import (
    env_variables,
    hydra_config,
    problems_of_subdirectory,
    reading_once,
    resolved_values,
    set_job,
)
from dqn_exp.sweep.job import Job, make_job, title_of
from dqn_exp.training.preflight import check_config
from dqn_exp.training.progress import counted


def compose_jobs(
    context: HydraContext,
    master: DictConfig,
    job_overrides: Sequence[Sequence[str]],
    *,
    first: int,
    is_remote: bool,
    swept: Sequence[str],
) -> list[Job]:
    """Composes the jobs, each once, and checks them, their directories and this machine.

    Args:
        context: of Hydra.
        master: the config of the sweep.
        job_overrides: of each job.
        first: number of the first job.
        is_remote: whether the jobs may train on other machines.
        swept: keys that distinguish the jobs.

    Raises:
        ConfigError: With every problem of every job.
    """
    jobs: list[Job] = []
    found: list[tuple[str, int]] = []
    with reading_once(context.config_loader):
        for num, overrides in enumerate(counted(job_overrides, "Composing job"), first):
            try:
                jobs.append(compose_job(context.config_loader, master, overrides, num, swept))
            except ConfigError as error:
                found += [(problem, num) for problem in error.problems]
    if not found:
        found = _problems_of_jobs(jobs, Path(master.hydra.sweep.dir).absolute(), is_remote)
    if found:
        titles = [title_of(overrides, swept) for overrides in job_overrides]
        raise ConfigError(_merge(found, titles, first))
    return jobs


def compose_job(
    loader: ConfigLoader,
    master: DictConfig,
    overrides: Sequence[str],
    num: int,
    swept: Sequence[str],
) -> Job:
    """Composes one job as Hydra's launchers do.

    Raises:
        ConfigError: With the problems of its config.
        HydraException: If Hydra itself finds a problem.
    """
    config = loader.load_sweep_config(master, list(overrides))
    # The directory of a saved search may have been moved, and its name may contain the time.
    root = Path(master.hydra.sweep.dir).absolute()
    with hydra_config(config):
        if Path(config.hydra.sweep.dir).absolute() != root:
            config.hydra.sweep.dir = str(root)
    set_job(config, num)
    with hydra_config(config):
        # The directory is resolved once: its name may contain the time.
        directory = Path(config.hydra.sweep.dir, str(config.hydra.sweep.subdir)).absolute()
        if config.hydra.job.chdir:
            raise ConfigError(["hydra.job.chdir: expected false: the runs share a process."])
    problems = [*_problems_of_launcher(master, config), *_problems_of_sweeper(master, config)]
    if problems := [*problems, *problems_of_subdirectory(config)]:
        raise ConfigError(problems)
    title = title_of(overrides, swept)
    set_job(config, num, directory)
    values = resolved_values(config)
    entry = JobEntry(num, "", title, list(overrides), {}, env_variables(config), values)
    return make_job(config, entry=entry, checked=to_config(values), directory=directory)


def _problems_of_launcher(master: DictConfig, config: DictConfig) -> Iterator[str]:
    """Yields a problem if a job asks for another launcher than the sweep has."""
    name = "hydra/launcher"
    chosen, wanted = (one.hydra.runtime.choices[name] for one in (master, config))
    if chosen != wanted:
        yield (
            f"{name}: a swept recipe selects {wanted}, but the whole sweep has one launcher, "
            f"{chosen}. Select it for all: {name}={wanted}"
        )


def _problems_of_sweeper(master: DictConfig, config: DictConfig) -> Iterator[str]:
    """Yields a problem if a job asks for a sweep or a search of its own."""
    name = "hydra/sweeper"
    chosen, wanted = (one.hydra.runtime.choices[name] for one in (master, config))
    ours, theirs = (one.hydra.sweeper.get("params") or {} for one in (master, config))
    if chosen != wanted or theirs.keys() - ours.keys():
        what = f"{name}={wanted}" if chosen != wanted else f"a sweep over {', '.join(theirs)}"
        yield f"{name}: a swept recipe declares {what}. Train it in a sweep of its own."


def _problems_of_jobs(
    jobs: Sequence[Job], directory: Path, is_remote: bool
) -> list[tuple[str, int]]:
    """Returns problems of the jobs of a sweep in a directory, each with the number of its job."""
    found: list[tuple[str, int]] = []
    repeated = duplicates(job.directory for job in jobs)
    for job in jobs:
        problems = check_config(job.checked, is_remote=is_remote)
        problems += problems_of_run_directory(job.directory, "hydra.sweep.subdir")
        problems += problems_of_depth(job.directory, directory)
        if job.directory in repeated:
            problems.append(
                f"hydra.sweep.subdir: expected a directory for each job, but {job.directory} "
                "belongs to several; put ${hydra.job.num} into it."
            )
        found += [(problem, job.num) for problem in problems]
    return found


def _merge(found: Sequence[tuple[str, int]], titles: Sequence[str], first: int) -> list[str]:
    """Returns one line per problem, with the jobs that have it."""
    jobs_by_problem: dict[str, list[int]] = {}
    for problem, num in found:
        jobs_by_problem.setdefault(problem, []).append(num)
    lines = []
    for problem, nums in jobs_by_problem.items():
        title = titles[nums[0] - first]
        job = f"job {nums[0]}{': ' * bool(title)}{title}"
        where = job if len(nums) == 1 else f"in {len(nums)} jobs, the first of which is {job}"
        lines.append(f"{problem} ({where})")
    return lines
