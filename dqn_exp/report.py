"""Makes the report of a sweep: `python -m dqn_exp.report DIR`."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from dqn_exp.command import run_command
from dqn_exp.directories import shorten

DESCRIPTION = """\
Makes the report of a sweep, unfinished ones included: which setting is best and how sure that is,
a table of all settings, learning curves, sensitivities. Seeds are what is repeated. Runs of
further directories are taken together with those of the first, as further seeds or settings. The
report is written into report/ of the first, in the place of what is there, or to --output."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Writes a report, and ends the process with status 2 if that cannot be."""
    parser = argparse.ArgumentParser("python -m dqn_exp.report", description=DESCRIPTION)
    parser.add_argument("directories", nargs="+", type=Path, help="of sweeps or runs")
    parser.add_argument(
        "--threshold",
        type=float,
        help="return whose first step is told; default: that of the environment's registration",
    )
    parser.add_argument("--output", type=Path, help="directory of the report")
    options = parser.parse_args(arguments)
    run_command(lambda: report(options.directories, options.threshold, options.output))


def report(directories: Sequence[Path], threshold: float | None, output: Path | None) -> None:
    """Writes a report and says where it is."""
    from dqn_exp.reporting import write_report

    page = write_report(directories, threshold, output)
    print(f"The report is in {shorten(page)}.")  # noqa: T201  (This is what was asked for.)


if __name__ == "__main__":
    main()
