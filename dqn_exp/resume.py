"""Resumes a run or a sweep: `python -m dqn_exp.resume DIR`.

The directory holds everything that is needed; no override of the original command is repeated.
"""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

from dqn_exp.cli import run_command
from dqn_exp.core.extras import import_extra
from dqn_exp.files.directories import sweep_above
from dqn_exp.files.job_list import JOURNAL, NAME
from dqn_exp.train import train

DESCRIPTION = """\
Resumes a run or a sweep that was interrupted or killed. Completed runs are left unchanged; the
others resume from their checkpoints and end as if they had never stopped. With a larger budget,
completed runs go on as well. Given the directory of
one run of a sweep, only that run resumes."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Resumes, and exits with a status, as `dqn_exp.train` does."""
    parser = argparse.ArgumentParser("python -m dqn_exp.resume", description=DESCRIPTION)
    parser.add_argument("directory", type=Path, help="directory of a run or a sweep")
    parser.add_argument(
        "overrides",
        nargs="*",
        help="changes: hydra/launcher=NAME, hydra.launcher.KEY=VALUE, or a key that does not "
        "change results, such as device, engine, num_threads, report, log.* or checkpoint.*; or a "
        "larger trainer.total_steps or trainer.total_episodes, with which completed runs go on",
    )
    parser.add_argument(
        "--retry-failed", action="store_true", help="train failed and diverged runs again"
    )
    parser.add_argument("--dry-run", action="store_true", help="only print what would be done")
    options = parser.parse_intermixed_args(arguments)
    run_command(lambda: resume(options))


def resume(options: argparse.Namespace) -> None:
    """Resumes the runs of a directory, or prints what would be done."""
    # Delayed, so that --help is instant.
    from dqn_exp.sweep.resume import ResumeRequest, describe_plan, resume_sweep

    directory = Path(os.path.abspath(options.directory))
    request = ResumeRequest(directory, options.overrides, options.retry_failed)
    above = sweep_above(directory)
    # A confirmation below a search is a sweep of its own.
    is_sweep = (directory / NAME).exists()
    if above is not None and not is_sweep and (above / JOURNAL).exists():
        raise ValueError(f"{directory}: a run of a search; resume the search, {above}.")
    if (directory / JOURNAL).exists():
        search = import_extra("dqn_exp.search.resume", "search")
        if options.dry_run:
            print("\n".join(search.describe_search(request, train)))  # noqa: T201  (As below.)
        else:
            search.resume_search(request, train)
    elif options.dry_run:
        print("\n".join(describe_plan(request)))  # noqa: T201  (The output of the command.)
    else:
        resume_sweep(request, train)


if __name__ == "__main__":
    main()
