"""Confirms the best settings of a sweep: `python -m dqn_exp.confirm DIR --top 3 --seeds 30`."""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

from dqn_exp.cli import run_command
from dqn_exp.train import train

DESCRIPTION = """\
Trains the best settings of a finished sweep or search again, with seeds that none of its runs has.
The best of many settings owes a part of its lead to luck; these runs tell how good it is."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Trains, and exits with a status, as `dqn_exp.train` does."""
    parser = argparse.ArgumentParser("python -m dqn_exp.confirm", description=DESCRIPTION)
    parser.add_argument("directory", type=Path, help="directory of a sweep or search")
    parser.add_argument("--top", type=_count, default=3, help="settings; default: 3")
    parser.add_argument("--seeds", type=_count, default=30, help="runs of each; default: 30")
    parser.add_argument(
        "overrides", nargs="*", help="changes that do not change results, as in dqn_exp.resume"
    )
    options = parser.parse_intermixed_args(arguments)
    run_command(lambda: confirm(options))


def confirm(options: argparse.Namespace) -> None:
    """Trains the best settings of a directory again."""
    # Delayed, so that --help is instant.
    from dqn_exp.sweep.confirm import confirm as confirm_sweep

    directory = Path(os.path.abspath(options.directory))
    confirm_sweep(directory, options.top, options.seeds, options.overrides, train)


def _count(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected an integer of at least 1, got {text}")
    return int(text)


if __name__ == "__main__":
    main()
