"""Overlays runs and sweeps in one page: `python -m dqn_exp.compare A B`."""

import argparse
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from dqn_exp.command import run_command
from dqn_exp.directories import shorten

DESCRIPTION = """\
Overlays runs, sweeps and their settings of several directories in one page, with the statistics of
a report. The same setting in two directories is two settings here."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Writes a comparison, and ends the process with status 2 if that cannot be."""
    parser = argparse.ArgumentParser("python -m dqn_exp.compare", description=DESCRIPTION)
    parser.add_argument("directories", nargs="+", type=Path, help="of runs or sweeps")
    parser.add_argument(
        "--output", type=Path, help="directory of the page; default: outputs/comparisons/TIME"
    )
    parser.add_argument("--threshold", type=float, help="as in dqn_exp.report")
    options = parser.parse_args(arguments)
    output = options.output or Path(f"outputs/comparisons/{datetime.now():%Y-%m-%d_%H-%M-%S}")
    run_command(lambda: compare(options.directories, output, options.threshold))


def compare(directories: Sequence[Path], output: Path, threshold: float | None) -> None:
    """Writes a comparison and says where it is."""
    from dqn_exp.reporting import write_comparison

    page = write_comparison(directories, output, threshold)
    print(f"The comparison is in {shorten(page)}.")  # noqa: T201  (This is what was asked for.)


if __name__ == "__main__":
    main()
