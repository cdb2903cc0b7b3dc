"""Compares runs and sweeps on one page: `python -m dqn_exp.compare A B`."""

import argparse
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from dqn_exp.cli import run_command
from dqn_exp.report import add_rank_by, finite, write

DESCRIPTION = """\
Compares runs and sweeps of several directories on one page, with the statistics of a report. Equal
settings in two directories count as two settings. Runs of different environments, budgets or
evaluations are shown apart, each group with a ranking of its own."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Writes a comparison, and exits with status 2 if that is impossible."""
    parser = argparse.ArgumentParser("python -m dqn_exp.compare", description=DESCRIPTION)
    parser.add_argument("directories", nargs="+", type=Path, help="directories of runs or sweeps")
    parser.add_argument(
        "--output", type=Path, help="directory of the page; default: outputs/comparisons/TIME"
    )
    parser.add_argument("--threshold", type=finite, help="as in dqn_exp.report")
    add_rank_by(parser)
    options = parser.parse_args(arguments)
    output = options.output or Path(f"outputs/comparisons/{datetime.now():%Y-%m-%d_%H-%M-%S}")
    run_command(lambda: write(options, output, compares=True))


if __name__ == "__main__":
    main()
