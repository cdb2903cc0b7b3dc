"""Goes on with a run or a sweep that has not come to its end: `python -m dqn_exp.resume DIR`.

Nothing of the command that began it has to be repeated: the directory holds all of it.
"""

import argparse
import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra._internal.callbacks import Callbacks
from hydra.core.utils import JobRuntime, configure_log, setup_globals
from hydra.types import HydraContext
from omegaconf import DictConfig, OmegaConf

from dqn_exp.command import run_command
from dqn_exp.directories import shorten
from dqn_exp.effects import WITHOUT_EFFECT
from dqn_exp.errors import ConfigError
from dqn_exp.resumable import Found, changed, find, split_changes

log = logging.getLogger(__name__)

DESCRIPTION = """\
Goes on with a run or a sweep that was interrupted or killed. Runs that have completed are left as
they are; the others go on from their checkpoints and end as if nothing had happened. With the
directory of one run of a sweep, only that run goes on."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Resumes, and ends the process with a status, as `dqn_exp.train` does."""
    parser = argparse.ArgumentParser("python -m dqn_exp.resume", description=DESCRIPTION)
    parser.add_argument("directory", type=Path, help="of a run or a sweep")
    parser.add_argument(
        "overrides",
        nargs="*",
        help="what is to be other than before: hydra/launcher=NAME, hydra.launcher.KEY=VALUE, "
        f"or a key of {', '.join(WITHOUT_EFFECT)}",
    )
    parser.add_argument(
        "--retry-failed", action="store_true", help="also train failed and diverged runs again"
    )
    parser.add_argument("--dry-run", action="store_true", help="only say what would be done")
    options = parser.parse_intermixed_args(arguments)
    run_command(lambda: resume(options))


def resume(options: argparse.Namespace) -> None:
    """Goes on with what is in a directory.

    Raises:
        ConfigError: if that cannot be, with the reason; nothing has been changed.
        RunError: at the end, if a run has not completed.
        KeyboardInterrupt: if somebody has interrupted it again.
    """
    from dqn_exp.lock import at_work
    from dqn_exp.plan import make_plan

    setup_globals()
    JobRuntime.instance().set("name", "train")
    found = find(Path(os.path.abspath(options.directory)))
    launcher_node, changes = split_changes(found.hydra.launcher, options.overrides)
    found.hydra.launcher = launcher_node
    entries = [
        entry._replace(config=changed(entry.config, changes))
        for entry in found.entries
        if found.chosen in (None, entry.directory)
    ]
    if options.dry_run:
        plan = make_plan(found.directory, entries, retries_failed=options.retry_failed)
        for step in plan:
            print(step.describe(found.directory))  # noqa: T201  (This is what was asked for.)
        num_to_do = sum(step.is_to_do for step in plan)
        print(f"{num_to_do} of {len(plan)} runs would be trained.")  # noqa: T201
        return
    with at_work(found.directory, is_alone=True):
        plan = make_plan(found.directory, entries, retries_failed=options.retry_failed)
        _carry_out(found, plan)


def _carry_out(found: Found, plan: Sequence[Any]) -> None:
    from dqn_exp.jobs import to_job
    from dqn_exp.launch import check_machine, launch_jobs
    from dqn_exp.plan import mark_for_retry
    from dqn_exp.sweep import advice_after_interruption, conclude, failures_of

    configure_log(found.hydra.hydra_logging, found.hydra.verbose)
    launcher = _make_launcher(found)
    to_do = [step for step in plan if step.is_to_do]
    jobs = [to_job(step.entry, found.hydra, found.directory) for step in to_do]
    problems = [problem for job in jobs for problem in check_machine(launcher.settings, job)]
    if problems:
        raise ConfigError(sorted(set(problems)))
    launcher.table = _make_table(found, plan)
    mark_for_retry(found.directory, to_do)
    log.info("%d of %d runs are to be trained.", len(to_do), len(plan))
    try:
        returns = launch_jobs(launcher, jobs) if jobs else []
    except KeyboardInterrupt:
        where = found.directory / (found.chosen or "")
        raise KeyboardInterrupt(advice_after_interruption(where)) from None
    left = [_failure(step, found.directory) for step in plan if step.action == "leave"]
    failures = [*left, *failures_of(jobs, [returns])]
    if found.is_sweep and plan:
        launcher.config.report = plan[0].entry.config.get("report", True)
        name = launcher.config.hydra.job.config_name
        launcher.hydra_context.callbacks.on_multirun_end(config=launcher.config, config_name=name)
    conclude(found.directory, failures, len(plan))


def _make_launcher(found: Found) -> Any:
    from dqn_exp.executors import check_settings
    from dqn_exp.train import train
    from hydra_plugins.dqn_population.population_launcher import PopulationLauncher

    options: Any = OmegaConf.to_container(found.hydra.launcher, resolve=True)
    launcher = PopulationLauncher(**{k: v for k, v in options.items() if k != "_target_"})
    check_settings(launcher.settings)
    config = OmegaConf.create({"hydra": found.hydra})
    assert isinstance(config, DictConfig)
    # Nothing is composed any more, so there is no need of what loads configs.
    context = HydraContext(config_loader=None, callbacks=Callbacks(config))  # type: ignore[arg-type]
    launcher.setup(hydra_context=context, task_function=train, config=config)
    return launcher


def _make_table(found: Found, plan: Sequence[Any]) -> Any:
    from dqn_exp.atomic_file import remove_remains
    from dqn_exp.result import read_result
    from dqn_exp.sweep_table import NoTable, SweepTable

    if not found.is_sweep:
        return NoTable()
    remove_remains(found.directory / "sweep.csv")
    table = SweepTable(found.directory, list(found.entries[0].swept) if found.entries else [])
    places = {step.entry.num: step.entry.directory for step in plan}
    for entry in found.entries:
        directory = found.directory / places.get(entry.num, entry.directory)
        table.add(entry.num, directory, list(entry.swept.values()))
        if (result := read_result(directory)) is not None:
            # Nobody is at work here, whatever a run that was killed has said before.
            status = "interrupted" if result.status == "running" else result.status
            table.update(entry.num, status, result.objective)
    table.write()
    return table


def _failure(step: Any, directory: Path) -> str:
    result, entry = step.result, step.entry
    where = shorten(directory / entry.directory / "train.log")
    return f"Run {entry.num} ({entry.title}) {result.status}: {result.error} See {where}."


if __name__ == "__main__":
    main()
