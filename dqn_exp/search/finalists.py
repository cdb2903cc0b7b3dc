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
    "Not confirmed again: %s has the settings that were the best when it began. To choose again, "
    "move it away and resume."
)


def confirm_finalists(
    directory: Path, options: SearchOptions, task: TaskFunction, *, has_new: bool
) -> None:
    """Confirms the best settings of a search that has ended, or resumes that.

    Args:
        directory: of the search.
        options: of the search.
        task: of Hydra.
        has_new: whether trials have completed since the search was resumed.

    Raises:
        RunError: If a run has not completed.
        KeyboardInterrupt: If it is interrupted.
    """
    if not is_confirmed(directory):
        if options.finalists:
            confirm(directory, options.finalists, options.fresh_seeds, [], task)
        return
    folder = directory / CONFIRMATION
    if has_new or _num_seeds(folder) != options.fresh_seeds:
        log.warning(NOT_AGAIN, shorten(folder))
    resume_sweep(ResumeRequest(folder, [], False), task)


def _num_seeds(folder: Path) -> int:
    """Returns the seeds of each setting in a confirmation."""
    return len({job.config["seed"] for job in read_job_list(folder)[1]})
