"""Exports results: `python -m dqn_exp.export DIR --format csv`."""

import argparse
from collections.abc import Sequence
from pathlib import Path

import dqn_exp
from dqn_exp.cli import run_command
from dqn_exp.files.directories import shorten

FORMATS = ("csv", "parquet", "latex", "wandb", "mlflow")

DESCRIPTION = """\
Exports the results of runs and sweeps: csv and parquet write the tables of settings, runs, episodes
and evaluations; latex writes the table of settings; wandb writes offline runs to upload with
`wandb sync`; mlflow writes a local tracking store to view with `mlflow ui`."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Exports, and exits with status 2 if that is impossible."""
    parser = argparse.ArgumentParser("python -m dqn_exp.export", description=DESCRIPTION)
    parser.add_argument("directories", nargs="+", type=Path, help="directories of sweeps or runs")
    parser.add_argument("--format", choices=FORMATS, default="csv", help="default: csv")
    parser.add_argument(
        "--output", type=Path, help="new or empty directory; default: export/FORMAT in the first"
    )
    options = parser.parse_args(arguments)
    run_command(lambda: export(options))


def export(options: argparse.Namespace) -> None:
    """Writes the files, and prints where they are."""
    output = options.output or options.directories[0] / "export" / options.format
    # The package imports its API when it is used, so --help is instant.
    results = dqn_exp.Results(*options.directories)
    for line in results.export(options.format, output):
        print(line)  # noqa: T201  (The output of the command.)
    print(f"The results are in {shorten(output.absolute())}.")  # noqa: T201


if __name__ == "__main__":
    main()
