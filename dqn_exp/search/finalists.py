"""The best settings of a search, trained again with fresh seeds."""

import logging
from pathlib import Path

from hydra.types import TaskFunction

from dqn_exp.files.directories import shorten
from dqn_exp.files.job_list import CONFIRMATION, read_job_list
from dqn_exp.search.options import SearchOptions
from dqn_exp.sweep.confirm import confirm, is_confirmed
from dqn_exp.sweep.resume import ResumeRequest, resume_sweep

log = logging.getLogger(__name__)

NOT_AGAIN = (
    "Not confirmed again: %s keeps the settings and seeds that were chosen when it began. To "
    "confirm again, move it away and resume."
)


def confirm_finalists(
    directory: Path,
    options: SearchOptions,
    overrides: list[str],
    task: TaskFunction,
    num_before: int,
    num_now: int,
) -> None:
    """Confirms the best settings of a search that has ended, or resumes an earlier confirmation.

    Args:
        directory: of the search.
        options: of the search.
        overrides: changes of the launcher and of keys that do not change results.
        task: of Hydra.
        num_before: completed trials when the search began or was resumed.
        num_now: completed trials.

    Raises:
        ConfigError: If it cannot begin.
        RunError: If a run has not completed.
        KeyboardInterrupt: If it is interrupted.
    """
    if not is_confirmed(directory):
        if options.finalists:
            confirm(directory, options.finalists, options.fresh_seeds, overrides, task)
        return
    folder = directory / CONFIRMATION
    asked = min(options.finalists, num_before), options.fresh_seeds
    if options.finalists and (num_now > num_before or _count(folder) != asked):
        log.warning(NOT_AGAIN, shorten(folder))
    resume_sweep(ResumeRequest(folder, overrides, False), task)


def _count(folder: Path) -> tuple[int, int]:
    """Returns the settings of a confirmation, and the seeds of each."""
    jobs = read_job_list(folder)[1]
    num_seeds = len({job.config["seed"] for job in jobs})
    return len(jobs) // num_seeds, num_seeds
