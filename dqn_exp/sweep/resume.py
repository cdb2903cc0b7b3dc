"""Resumes a saved sweep or run."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from hydra.core.config_loader import ConfigLoader
from hydra.core.utils import JobRuntime, configure_log, setup_globals
from hydra.types import TaskFunction
from omegaconf import DictConfig, OmegaConf

from dqn_exp.config.validation import to_config
from dqn_exp.core.errors import ConfigError
from dqn_exp.core.module_search import search_in_sources
from dqn_exp.core.wording import quantity
from dqn_exp.files.failure import describe_failure
from dqn_exp.files.lock import lock_directory
from dqn_exp.files.sweep_table import NoTable, SweepTable, rebuild_table
from dqn_exp.sweep.extension import (
    Extension,
    differences,
    extend,
    plan_extension,
    unfinished_budgets,
)
from dqn_exp.sweep.hydra_internals import make_context
from dqn_exp.sweep.job import to_job
from dqn_exp.sweep.launcher import Launcher, launch_jobs
from dqn_exp.sweep.launcher_options import to_options
from dqn_exp.sweep.resume_plan import PlannedJob, ResumePlan, make_resume_plan, mark_for_retry
from dqn_exp.sweep.saved_sweep import (
    BUDGETS,
    SavedSweep,
    read_saved_sweep,
    split_budgets,
    split_changes,
    with_changes,
)
from dqn_exp.sweep.sweeper import advice_after_interruption, conclude, failures_of
from dqn_exp.training.preflight import check_config
from hydra_plugins.dqn_population.population_launcher import PopulationLauncher

log = logging.getLogger(__name__)


class ResumeRequest(NamedTuple):
    """A directory to resume, with the options of the command.

    Attributes:
        directory: of a sweep or run, absolute.
        overrides: changes of the launcher and of keys that do not change results.
        retries_failed: whether failed and diverged runs are trained again.
    """

    directory: Path
    overrides: Sequence[str]
    retries_failed: bool


def describe_plan(request: ResumeRequest) -> list[str]:
    """Returns what would be done, one line per run, without changing anything.

    Raises:
        ConfigError: If the sweep cannot be resumed.
    """
    if extensions := _plan_extension(request):
        plans = [one.describe(retries_failed=request.retries_failed) for one in extensions]
        num_trained = sum(plan.startswith("extend") for plan in plans)
        return [*plans, f"{num_trained} of {quantity(len(plans), 'run')} would go on."]
    sweep = _read(request)
    plan = _make_plan(sweep, request)
    num_trained = sum(job.is_trained for job in plan)
    lines = [job.describe(sweep.directory) for job in plan]
    return [*lines, f"{num_trained} of {quantity(len(plan), 'run')} would be trained."]


def resume_sweep(request: ResumeRequest, task_function: TaskFunction) -> None:
    """Resumes the runs of a directory.

    Raises:
        ConfigError: If the sweep cannot be resumed; nothing has been changed.
        RunError: At the end, if a run has not completed.
        KeyboardInterrupt: If it is interrupted again.
    """
    sweep = _read(request)
    with lock_directory(sweep.directory, exclusive=True):
        if extensions := _plan_extension(request):
            check_sweep(sweep)
            extend(read_saved_sweep(request.directory), extensions)
            sweep = _read(request)
        plan = _make_plan(sweep, request)
        _carry_out(sweep, plan, task_function)


def check_sweep(sweep: SavedSweep) -> None:
    """Raises ConfigError if this machine cannot train a sweep, before its files are changed."""
    options: Any = OmegaConf.to_container(sweep.hydra.launcher, resolve=True)
    options = {key: value for key, value in options.items() if key != "_target_"}
    is_remote = to_options(options).is_remote
    problems = {
        problem
        for entry in sweep.entries
        for problem in check_config(to_config(entry.config), is_remote=is_remote)
    }
    if problems:
        raise ConfigError(sorted(problems))


def _plan_extension(request: ResumeRequest) -> list[Extension]:
    """Returns the runs whose budgets grow, and logs in what they differ from longer runs."""
    saved = read_saved_sweep(request.directory)
    budgets = unfinished_budgets(saved.directory) | split_budgets(request.overrides)[1]
    if not budgets:
        return []
    extensions = plan_extension(saved, budgets)
    for line in differences(extensions, budgets):
        log.warning(line)
    return extensions


def _read(request: ResumeRequest) -> SavedSweep:
    """Returns the saved sweep with the requested changes, reduced to the chosen run."""
    setup_globals()
    JobRuntime.instance().set("name", "train")
    sweep = read_saved_sweep(request.directory)
    search_in_sources(sweep.hydra.runtime.config_sources)
    sweep.hydra.launcher, changes = split_changes(
        sweep.hydra.launcher, split_budgets(request.overrides)[0], BUDGETS
    )
    entries = [
        entry._replace(config=with_changes(entry.config, changes)) for entry in sweep.entries
    ]
    return sweep._replace(entries=entries)


def _make_plan(sweep: SavedSweep, request: ResumeRequest) -> ResumePlan:
    entries = [entry for entry in sweep.entries if sweep.chosen in (None, entry.directory)]
    return make_resume_plan(sweep.directory, entries, retries_failed=request.retries_failed)


def _carry_out(sweep: SavedSweep, plan: ResumePlan, task_function: TaskFunction) -> None:
    configure_log(sweep.hydra.hydra_logging, sweep.hydra.verbose)
    config = OmegaConf.create({"hydra": sweep.hydra})
    assert isinstance(config, DictConfig)
    launcher = make_launcher(config, task_function)
    options = to_options(launcher.options)
    trained = [job for job in plan if job.is_trained]
    jobs = [to_job(job.entry, job.config, sweep.hydra, sweep.directory) for job in trained]
    problems = {
        problem
        for job in jobs
        for problem in check_config(job.checked, is_remote=options.is_remote)
    }
    if problems:
        raise ConfigError(sorted(problems))
    launcher.table = _make_table(sweep)
    mark_for_retry(sweep.directory, trained)
    log.info("Training %d of %s.", len(trained), quantity(len(plan), "run"))
    try:
        returns = launch_jobs(launcher, options, jobs) if jobs else []
    except KeyboardInterrupt:
        where = sweep.directory / (sweep.chosen or "")
        raise KeyboardInterrupt(advice_after_interruption(where)) from None
    left = [_failure(job, sweep.directory) for job in plan if job.action == "leave"]
    failures = [*left, *failures_of(jobs, [returns])]
    has_report = bool(sweep.is_sweep and plan and plan[0].config.report)
    if has_report and failures:
        _report(launcher)
    conclude(sweep.directory, failures, len(plan), has_report=has_report)
    if has_report:
        _report(launcher)


def _report(launcher: Launcher) -> None:
    launcher.config.report = True
    name = launcher.config.hydra.job.config_name
    launcher.hydra_context.callbacks.on_multirun_end(config=launcher.config, config_name=name)


def make_launcher(
    config: DictConfig, task_function: TaskFunction, loader: ConfigLoader | None = None
) -> Launcher:
    """Returns the launcher of a saved sweep.

    Args:
        config: with the node `hydra` of the sweep.
        task_function: of Hydra.
        loader: of configs; None if all jobs are composed already.
    """
    options: Any = OmegaConf.to_container(config.hydra.launcher, resolve=True)
    launcher = PopulationLauncher(**{k: v for k, v in options.items() if k != "_target_"})
    context = make_context(config, loader)
    launcher.setup(hydra_context=context, task_function=task_function, config=config)
    return launcher


def _make_table(sweep: SavedSweep) -> SweepTable | NoTable:
    """Rebuilds the table of a sweep from the results of its runs."""
    if not sweep.is_sweep:
        return NoTable()
    swept = list(sweep.entries[0].swept) if sweep.entries else []
    return rebuild_table(sweep.directory, swept, sweep.entries)[0]


def _failure(job: PlannedJob, directory: Path) -> str:
    assert job.result is not None
    entry = job.entry
    reason = describe_failure(job.result, directory / entry.directory)
    return f"Run {entry.num} ({entry.title}) {reason}"
