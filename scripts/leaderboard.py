"""Trains the runs of docs/leaderboard.md, or resumes them, and writes its tables.

    python scripts/leaderboard.py                 # everything: many hours of two cores
    python scripts/leaderboard.py minatar_dqn     # one recipe
    python scripts/leaderboard.py --only-write    # the tables of what has completed so far

The sweeps are in outputs/leaderboard, or another --folder. Interrupted ones are resumed. A row has
the interquartile mean over the seeds, with its 95 % bootstrap interval, of the mean return of the
training episodes that end in the last tenth of a run, and of its final evaluation. The values of
all runs are in docs/leaderboard/runs.csv.gz.
"""

import argparse
import csv
import gzip
import io
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from dqn_exp.analysis.statistics import estimate_iqm

ROOT = Path(__file__).parent.parent
PAGE, RUNS = ROOT / "docs/leaderboard.md", ROOT / "docs/leaderboard/runs.csv.gz"
MARK = "<!-- Written by scripts/leaderboard.py. -->"

GAMES = ("asterix", "breakout", "freeway", "seaquest", "space_invaders")
NUM_SEEDS = 10
SHARE = 0.1
"""Of the steps of a run, at its end, whose training episodes count."""

COMMON = ("log.progress=false", "log.tensorboard=false", "report=false")


class Sweep(NamedTuple):
    """A sweep of the leaderboard.

    Attributes:
        recipe: option of experiment.
        overrides: what is swept, and what differs from the recipe.
        key: that names the task of a run.
    """

    recipe: str
    overrides: tuple[str, ...]
    key: str


MINATAR = (f"env.game={','.join(GAMES)}", f"seed=range({NUM_SEEDS})")
SWEEPS = tuple(Sweep(recipe, MINATAR, "env.game") for recipe in ("minatar_dqn", "minatar_rainbow"))


class Row(NamedTuple):
    """Values of a completed run."""

    recipe: str
    task: str
    seed: int
    steps: int
    training_return: float
    evaluation_return: float


def main() -> None:
    """Trains what is missing, and writes the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    names = [sweep.recipe for sweep in SWEEPS]
    parser.add_argument("recipes", nargs="*", help=f"of {', '.join(names)}; default: all")
    parser.add_argument("--folder", type=Path, default=ROOT / "outputs/leaderboard")
    parser.add_argument("--only-write", action="store_true", help="train nothing")
    options = parser.parse_args()
    if unknown := set(options.recipes) - set(names):
        parser.error(f"expected recipes of {', '.join(names)}, got {', '.join(sorted(unknown))}")
    chosen = [sweep for sweep in SWEEPS if sweep.recipe in (options.recipes or names)]
    for sweep in () if options.only_write else chosen:
        train(sweep, options.folder / sweep.recipe)
    write([row for sweep in SWEEPS for row in rows_of(sweep, options.folder / sweep.recipe)])


def train(sweep: Sweep, folder: Path) -> None:
    """Trains a sweep, or resumes it."""
    command = [sys.executable, "-m"]
    if (folder / "jobs.jsonl").exists():
        command += ["dqn_exp.resume", str(folder)]
    else:
        own = (f"experiment={sweep.recipe}", *sweep.overrides, f"hydra.sweep.dir={folder}")
        command += ["dqn_exp.train", "-m", *own, *COMMON]
    subprocess.run(command, check=True)


def rows_of(sweep: Sweep, folder: Path) -> Iterator[Row]:
    """Yields the values of the completed runs of a sweep."""
    if not (folder / "sweep.csv").exists():
        return
    with (folder / "sweep.csv").open(encoding="utf-8") as file:
        for run in csv.DictReader(file):
            if run["status"] == "completed":
                steps, training_return = _end_of_training(folder / run["dir"])
                yield Row(
                    sweep.recipe,
                    run[sweep.key],
                    int(run["seed"]),
                    steps,
                    training_return,
                    float(run["objective"]),
                )


def _end_of_training(run: Path) -> tuple[int, float]:
    """Returns the steps of a run, and the mean return of its last training episodes."""
    episodes = np.loadtxt(run / "episodes.csv", delimiter=",", skiprows=1, usecols=(0, 2))
    ends, returns = np.atleast_2d(episodes).T
    with (run / "evaluations.csv").open(encoding="utf-8") as file:
        steps = max(int(row["step"]) for row in csv.DictReader(file))
    return steps, float(returns[ends > steps * (1 - SHARE)].mean())


def write(rows: Sequence[Row]) -> None:
    """Writes the table of the page, and the values of all runs."""
    page = PAGE.read_text(encoding="utf-8")
    before, mark, _ = page.partition(MARK)
    if not mark:
        raise SystemExit(f"{PAGE}: expected the line {MARK}, after which the table is written.")
    PAGE.write_text(f"{before}{MARK}\n\n{to_table(rows)}", encoding="utf-8")
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(Row._fields)
    writer.writerows(rows)
    # No time of writing, so that the same values make the same bytes.
    RUNS.write_bytes(gzip.compress(text.getvalue().encode(), mtime=0))


def to_table(rows: Sequence[Row]) -> str:
    """Returns the table as Markdown."""
    lines = [
        "| recipe | task | steps | seeds | return in training | return of the final evaluation |",
        "|---|---|---|---|---|---|",
    ]
    for recipe, task, steps in dict.fromkeys((row.recipe, row.task, row.steps) for row in rows):
        own = [row for row in rows if (row.recipe, row.task, row.steps) == (recipe, task, steps)]
        training = _to_text([row.training_return for row in own])
        evaluation = _to_text([row.evaluation_return for row in own])
        lines.append(
            f"| `{recipe}` | {task} | {steps:,} | {len(own)} | {training} | {evaluation} |"
        )
    return "\n".join(lines) + "\n"


def _to_text(values: Sequence[float]) -> str:
    estimate = estimate_iqm([np.array(values)])
    if not estimate.has_interval:
        return f"{estimate.value:.1f}"
    return f"{estimate.value:.1f} ({estimate.low:.1f} to {estimate.high:.1f})"


if __name__ == "__main__":
    main()
