"""Writes the report of a sweep: `python -m dqn_exp.report DIR`."""

import argparse
import math
from collections.abc import Sequence
from pathlib import Path

from dqn_exp.cli import run_command
from dqn_exp.files.directories import shorten

DESCRIPTION = """\
Writes the report of a sweep, finished or not: the best setting and its uncertainty, a table of all
settings, learning curves and sensitivities. Runs of further directories are added to those of the
first, as further seeds or settings. The report is written to report/ of the first directory, and
replaces the one that is there, or to --output."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Writes a report, and exits with status 2 if that is impossible."""
    parser = argparse.ArgumentParser("python -m dqn_exp.report", description=DESCRIPTION)
    parser.add_argument("directories", nargs="+", type=Path, help="directories of sweeps or runs")
    parser.add_argument(
        "--threshold",
        type=finite,
        help="return to reach, for steps to threshold; default: that of the registered environment",
    )
    add_rank_by(parser)
    parser.add_argument("--output", type=Path, help="directory of the report")
    options = parser.parse_args(arguments)
    output = options.output or options.directories[0] / "report"
    run_command(lambda: write(options, output))


def finite(text: str) -> float:
    """Returns the number of an option."""
    if not math.isfinite(number := float(text)):
        raise argparse.ArgumentTypeError(f"expected a finite number, got {text}")
    return number


def add_rank_by(parser: argparse.ArgumentParser) -> None:
    """Adds the option that selects a ranking."""
    parser.add_argument(
        "--rank-by",
        choices=["iqm", "area", "steps", "min"],
        default="iqm",
        help="what settings are ranked by: the IQM of the final returns (default), the area under "
        "the learning curve, the steps to the threshold, or the worst run",
    )


def write(options: argparse.Namespace, output: Path, *, compares: bool = False) -> None:
    """Writes a report, or a comparison of the directories, and prints its path."""
    from dqn_exp.analysis.report import write_report  # Delayed, so that --help is instant.

    page = write_report(
        options.directories,
        output,
        threshold=options.threshold,
        compares=compares,
        rank_by=options.rank_by,
    )
    kind = "comparison" if compares else "report"
    print(f"The {kind} is in {shorten(page)}.")  # noqa: T201  (The output of the command.)


if __name__ == "__main__":
    main()
