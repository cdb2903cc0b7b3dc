"""Begins a search in a new directory, carries it out, and tells how it ended."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import optuna
from hydra.core.utils import setup_globals
from omegaconf import OmegaConf

from dqn_exp.core.dry_run import is_dry_run
from dqn_exp.core.errors import ConfigError, RunError, describe_error
from dqn_exp.core.extras import import_extra
from dqn_exp.core.wording import quantity
from dqn_exp.files import sweep_table
from dqn_exp.files.directories import (
    make_directory,
    problems_of_sweep_directory,
    shorten,
)
from dqn_exp.files.job_list import (
    add_to_job_list,
    begin_job_list,
)
from dqn_exp.files.lock import lock_directory
from dqn_exp.files.sweep_table import SweepTable, rebuild_table
from dqn_exp.search.finalists import confirm_finalists
from dqn_exp.search.options import SearchOptions, to_search_options
from dqn_exp.search.request import Request
from dqn_exp.search.search import Search, SearchParts, describe_best, describe_trials
from dqn_exp.search.space import read_space
from dqn_exp.search.study import Budget, best_trials, open_study
from dqn_exp.sweep.dry_run import end_with_plan
from dqn_exp.sweep.job import Job, to_entry
from dqn_exp.sweep.launcher import Launcher, group_jobs, make_executor, train_groups, usable_bytes
from dqn_exp.sweep.launcher_options import to_options
from dqn_exp.sweep.sweeper import advice_after_interruption

log = logging.getLogger(__name__)


def search(sweeper: Any, arguments: Sequence[str]) -> None:
    """Carries out a search in a new directory.

    Args:
        sweeper: the plugin.
        arguments: overrides of the command.

    Raises:
        ConfigError: If it cannot begin; nothing has been created.
        RunError: If no trial has completed.
    """
    setup_globals()
    request = to_request(sweeper, arguments)
    directory = request.directory
    if problems := problems_of_sweep_directory(directory, "hydra.sweep.dir"):
        raise ConfigError(problems)
    first = check_corners(request)
    if is_dry_run():
        jobs = [first] * request.options.seeds
        usable = usable_bytes(request.launching, first.checked)
        groups = [[job.checked for job in group] for group in _split(request, usable, jobs)]
        remote = request.launching.is_remote
        end_with_plan(groups, is_remote=remote, num_trials=request.options.n_trials)
    make_directory(directory, "hydra.sweep.dir")
    with lock_directory(directory, exclusive=True):
        if problems := problems_of_sweep_directory(directory, "hydra.sweep.dir"):
            raise ConfigError(problems)  # Another process created this sweep meanwhile.
        config = request.launcher.config
        hydra: Any = OmegaConf.to_container(config.hydra, resolve=False, enum_to_str=True)
        OmegaConf.save(config, directory / "multirun.yaml")
        open_study(directory, request.options, budget_of(first))  # By it, a search is recognized.
        begin_job_list(directory, hydra, [])
        carry_out(request, first)


def to_request(sweeper: Any, arguments: Sequence[str]) -> Request:
    """Returns what a command asks for.

    Raises:
        ConfigError: If an option or a range is invalid.
        MissingExtraError: If the sampler needs a package that is not installed.
    """
    if not hasattr(sweeper.launcher, "options"):
        raise ConfigError(["hydra/launcher: a search needs one of population, population_*."])
    options = to_search_options(sweeper.options)
    if options.sampler == "cmaes":
        import_extra("cmaes", "search")
    return Request(
        sweeper.launcher,
        to_options(sweeper.launcher.options),
        options,
        read_space(sweeper.params, arguments),
    )


def check_corners(request: Request) -> Job:
    """Checks the runs at the ends of all ranges; returns one of them.

    Raises:
        ConfigError: With a line for each problem.
    """
    problems: list[str] = []
    jobs: list[Job] = []
    for values in request.space.corners():
        try:
            # A number beyond those of the trials, whose directories may exist.
            last = max([request.options.n_trials * request.options.seeds, *request.entries]) + 1
            one, is_remote = _one_seed(request.options), request.launching.is_remote
            jobs += request._replace(options=one).compose(values, last, is_remote=is_remote)
        except ConfigError as error:
            told = [problem.replace(f"(job {last}: ", "(") for problem in error.problems]
            problems += [problem for problem in told if problem not in problems]
    if not problems:
        problems = [*_problems_of(request, jobs[0])]
    if problems:
        raise ConfigError(problems)
    return jobs[0]


def carry_out(request: Request, first: Job) -> None:
    """Trains trials until the search ends, in the locked directory of its sweep.

    Args:
        request: of the search.
        first: a job whose device, logging and evaluations hold for all.
    """
    directory, options, launcher = request.directory, request.options, request.launcher
    budget = budget_of(first)
    study = open_study(directory, options, budget)
    table, results = rebuild_table(directory, request.swept, [*request.entries.values()])
    launcher.table = table
    executor = make_executor(launcher, request.launching, first.checked)
    usable = usable_bytes(request.launching, first.checked) / executor.num_workers
    num_before = len(best_trials(study))
    parts = SearchParts(
        directory=directory,
        options=options,
        space=request.space,
        budget=budget,
        study=study,
        make_jobs=partial(_make_jobs, request, table),
        split=partial(_split, request, usable),
    )
    runs = Search(parts, results)
    trials, each = quantity(options.n_trials, "trial"), quantity(options.seeds, "run")
    log.info("Searching with up to %s of %s.", trials, each)
    try:
        train_groups(
            launcher,
            request.launching,
            executor,
            first,
            runs.groups(),
            options.n_trials * options.seeds,
            on_end=runs.end_job,
            make_monitor=runs.make_monitor,
        )
        conclude(request, study)
        counts, task = (num_before, len(best_trials(study))), launcher.task_function
        confirm_finalists(directory, options, list(request.changes), task, *counts)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(advice_after_interruption(directory)) from None
    except OSError as error:  # Such as of a full disk.
        reason = describe_error(error)
        raise RunError(f"{reason}. {advice_after_interruption(directory)}") from error
    except (ConfigError, RunError) as error:
        if best_trials(study):  # Of the confirmation: the search has a report.
            report(launcher)
        if isinstance(error, RunError):
            raise
        problems = " ".join(error.problems)
        raise RunError(f"The confirmation cannot begin: {problems}") from error


def report(launcher: Launcher) -> None:
    """Writes the report of a search, as Hydra does if no error leaves the sweeper."""
    config, name = launcher.config, launcher.config.hydra.job.config_name
    launcher.hydra_context.callbacks.on_multirun_end(config=config, config_name=name)


def conclude(request: Request, study: optuna.Study) -> None:
    """Logs how a search ended.

    Raises:
        RunError: If no trial has completed.
    """
    best, options = best_trials(study), request.options
    log.info(describe_trials(study.get_trials(deepcopy=False)))
    for line in describe_best(best, options.statistic, options.seeds):
        log.info(line)
    where = shorten(request.directory / sweep_table.NAME)
    advice = f"Results are in {where}."
    if not best:
        raise RunError(f"No trial has completed. {advice}")
    log.info(advice)


def budget_of(job: Job) -> Budget:
    """Returns the evaluations of a run."""
    last = job.checked.trainer.total_steps
    assert last is not None
    every = job.checked.eval.every_steps
    return Budget(min(every or last, last), last, job.checked.eval.episodes)


def _one_seed(options: SearchOptions) -> SearchOptions:
    return options.model_copy(update={"seeds": 1})


def _problems_of(request: Request, job: Job) -> Iterator[str]:
    """Yields why the trials of a search could not be compared."""
    for key in request.space.distributions:
        if key in ("env", "experiment") or key.startswith(("trainer.", "eval.", "env.")):
            yield f"{key}: expected one value, since trials are compared at equal evaluations."
    if job.checked.trainer.total_steps is None:
        yield "trainer.total_steps: expected the steps of a run, which a search needs, got null."
    if request.options.pruner != "none" and job.checked.eval.every_steps is None:
        yield (
            "eval.every_steps: expected a number of steps, since trials are pruned at "
            "evaluations, got null. Set it, or hydra.sweeper.pruner=none."
        )


def _make_jobs(
    request: Request, table: SweepTable, number: int, values: Mapping[str, object]
) -> list[Job]:
    """Returns the jobs of a trial, and lists those that are not listed yet."""
    directory, known = request.directory, request.saved(number)
    if len(known) == request.options.seeds:
        return known
    new = request.compose(values, number, skip=len(known))
    add_to_job_list(directory, [to_entry(job, directory, request.swept) for job in new])
    for job in new:
        table.add(job.num, job.directory, [job.value_of(key) for key in request.swept])
    table.write()
    return [*known, *new]


def _split(request: Request, usable: float, jobs: Sequence[Job]) -> Iterator[Sequence[Job]]:
    limit = request.launching.max_population_size
    yield from group_jobs(jobs, limit, 1, usable)
