"""Measures the final returns of the recipes on CartPole with 500 frames, for docs/benchmarks.md.

Each recipe trains several seeds as one sweep. A run counts with its objective, the mean return of
the final evaluation; the table has the mean over the seeds with its 95 % bootstrap interval.

    python scripts/learning.py                        # all recipes of CartPole, seeds 0 to 9
    python scripts/learning.py --recipes rainbow c51 --seeds 100 110
    python scripts/learning.py --folder outputs/learning   # shows or completes existing results

It needs scipy, which comes with `pip install -e .[bench]`.
"""

import argparse
import csv
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy.stats import bootstrap

RECIPES = (
    *("cartpole", "double", "dueling", "n_step", "prioritized", "noisy", "c51", "qr_dqn"),
    *("munchausen", "dqn_2015", "rainbow"),
)


def train(recipe: str, seeds: Sequence[int], folder: Path, overrides: Sequence[str]) -> None:
    """Trains a recipe over seeds, unless its folder is already there."""
    if (folder / "sweep.csv").exists():
        return
    first, end = seeds
    own = [f"experiment={recipe}", f"seed=range({first},{end})", f"hydra.sweep.dir={folder}"]
    command = [sys.executable, "-m", "dqn_exp.train", "-m", *own, *overrides]
    subprocess.run(command, check=True)


def objectives(folder: Path) -> list[float]:
    """Returns the final mean return of each run of a sweep; 0 for one that has diverged."""
    with (folder / "sweep.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    unfinished = [row["dir"] for row in rows if row["status"] not in ("completed", "diverged")]
    if unfinished:
        raise SystemExit(f"{folder}: expected finished runs, but {unfinished} are not.")
    return [float(row["objective"] or 0.0) for row in rows]


def to_row(recipe: str, values: Sequence[float]) -> str:
    """Returns a line of the table: mean, interval, lowest run, runs that reach 475."""
    interval = bootstrap(
        (values,), np.mean, n_resamples=10_000, method="percentile", rng=np.random.default_rng(0)
    ).confidence_interval
    solved = sum(value >= 475 for value in values)
    return (
        f"| `{recipe}` | {np.mean(values):.1f} | {interval.low:.1f} to {interval.high:.1f} "
        f"| {min(values):.1f} | {solved} of {len(values)} |"
    )


def main() -> None:
    """Trains what is missing and prints the table."""
    parser = argparse.ArgumentParser(description="Measures how well the recipes learn.")
    parser.add_argument("--recipes", nargs="+", default=RECIPES)
    parser.add_argument("--seeds", type=int, nargs=2, default=(0, 10), metavar=("FIRST", "END"))
    parser.add_argument("--folder", type=Path, default=Path("outputs/learning"))
    parser.add_argument("--overrides", nargs="*", default=(), help="such as num_threads=1")
    options = parser.parse_args()
    rows = []
    for recipe in options.recipes:
        folder = options.folder.absolute() / f"{recipe}_{options.seeds[0]}_{options.seeds[1]}"
        train(recipe, options.seeds, folder, options.overrides)
        rows.append(to_row(recipe, objectives(folder)))
    print("| recipe | mean return | 95 % interval | lowest run | runs of at least 475 |")
    print("|---|---|---|---|---|")
    print("\n".join(rows))


if __name__ == "__main__":
    main()
