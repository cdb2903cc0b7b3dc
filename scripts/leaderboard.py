"""Trains the runs of docs/leaderboard.md, or resumes them, and writes its tables.

    python scripts/leaderboard.py                      # everything: many hours of two cores
    python scripts/leaderboard.py minatar acrobot      # some boards
    python scripts/leaderboard.py --only-write         # the tables of what has completed so far

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
FAMILY = (
    *("cartpole", "double", "dueling", "n_step", "prioritized", "noisy", "c51", "qr_dqn"),
    *("munchausen", "dqn_2015", "rainbow"),
)
TASKS = {
    "cartpole": ("trainer.total_steps=100_000", "agent.learning_rate_decay_steps=100_000"),
    "acrobot": (
        *("env=acrobot", "trainer.total_steps=100_000", "agent.learning_rate_decay_steps=100_000"),
    ),
    "mountain_car": (
        *("env=mountain_car", "env.max_episode_steps=1_000", "agent.normalize_observations=true"),
        *("trainer.total_steps=100_000", "agent.learning_rate_decay_steps=100_000"),
    ),
    "lunar_lander": (
        *("env.id=LunarLander-v3", "network.hidden_sizes=[64,64]", "agent.batch_size=32"),
        *("trainer.total_steps=1_500_000", "agent.target_update_period=200"),
        *("agent.learning_rate=1e-4", "agent.learning_rate_end=null"),
        *("agent.learning_rate_decay_steps=null",),
    ),
}
"""What differs from the recipes of CartPole."""

SUPPORT = {
    "acrobot": ("agent.value.v_min=-100", "agent.value.v_max=0"),
    "mountain_car": ("agent.value.v_min=-100", "agent.value.v_max=0"),
    "lunar_lander": ("agent.value.v_min=-200", "agent.value.v_max=200"),
}
"""Of the distributions of C51, on tasks that differ from CartPole."""

SHARE = 0.1
"""Of the steps of a run, at its end, whose training episodes count."""

COMMON = ("log.progress=false", "log.tensorboard=false", "report=false")
SHORT = (*COMMON, "seed=range(30)", "eval.every_steps=null", "eval.episodes=100")


class Board(NamedTuple):
    """A table of the leaderboard.

    Attributes:
        title: of the table.
        sweeps: overrides of the sweep of each agent, by its name.
        key: that names the task of a run.
        solved: return of the final evaluation from which on the task counts as solved, as
            Gymnasium registers it; None if it does not.
    """

    title: str
    sweeps: dict[str, tuple[str, ...]]
    key: str
    solved: float | None = None


def _minatar() -> dict[str, tuple[str, ...]]:
    swept = (f"env.game={','.join(GAMES)}", "seed=range(10)", *COMMON)
    return {name: (f"experiment={name}", *swept) for name in ("minatar_dqn", "minatar_rainbow")}


def _family(task: str) -> dict[str, tuple[str, ...]]:
    """Returns the sweeps of the recipes of CartPole on a task."""
    supports = dict.fromkeys(("c51", "rainbow"), SUPPORT.get(task, ()))
    return {
        f"{task}_{name}": (f"experiment={name}", *TASKS[task], *supports.get(name, ()), *SHORT)
        for name in FAMILY
    }


BOARDS = {
    "minatar": Board("MinAtar", _minatar(), "env.game"),
    "cartpole": Board("CartPole-v1, 100,000 steps", _family("cartpole"), "env.id", 475),
    "acrobot": Board("Acrobot-v1, 100,000 steps", _family("acrobot"), "env.id", -100),
    "mountain_car": Board(
        "MountainCar-v0 with 1,000 frames, 100,000 steps", _family("mountain_car"), "env.id", -110
    ),
    "lunar_lander": Board(
        "LunarLander-v3, 1,500,000 steps", _family("lunar_lander"), "env.id", 200
    ),
}


class Row(NamedTuple):
    """Values of a completed run."""

    board: str
    agent: str
    task: str
    seed: int
    steps: int
    training_return: float
    evaluation_return: float


def main() -> None:
    """Trains what is missing, and writes the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("boards", nargs="*", help=f"of {', '.join(BOARDS)}; default: all")
    parser.add_argument("--folder", type=Path, default=ROOT / "outputs/leaderboard")
    parser.add_argument("--only-write", action="store_true", help="train nothing")
    options = parser.parse_args()
    if unknown := set(options.boards) - set(BOARDS):
        parser.error(f"expected boards of {', '.join(BOARDS)}, got {', '.join(sorted(unknown))}")
    for name in () if options.only_write else options.boards or BOARDS:
        for agent, overrides in BOARDS[name].sweeps.items():
            train(overrides, options.folder / agent)
    write([row for name in BOARDS for row in rows_of(name, options.folder)])


def train(overrides: Sequence[str], folder: Path) -> None:
    """Trains a sweep, or resumes it."""
    command = [sys.executable, "-m"]
    if (folder / "jobs.jsonl").exists():
        command += ["dqn_exp.resume", str(folder)]
    else:
        command += ["dqn_exp.train", "-m", *overrides, f"hydra.sweep.dir={folder}"]
    subprocess.run(command, check=False)  # A run that failed is missing in its table.


def rows_of(name: str, folder: Path) -> Iterator[Row]:
    """Yields the values of the completed runs of a board."""
    board = BOARDS[name]
    for agent in board.sweeps:
        directory = folder / agent
        if not (directory / "sweep.csv").exists():
            continue
        with (directory / "sweep.csv").open(encoding="utf-8") as file:
            runs = [run for run in csv.DictReader(file) if run["status"] == "completed"]
        for run in runs:
            steps, training_return = _end_of_training(directory / run["dir"])
            task, evaluation = run.get(board.key) or name, float(run["objective"])
            seed = int(run["seed"])
            yield Row(name, agent, task, seed, steps, training_return, evaluation)


def _end_of_training(run: Path) -> tuple[int, float]:
    """Returns the steps of a run, and the mean return of its last training episodes."""
    episodes = np.loadtxt(run / "episodes.csv", delimiter=",", skiprows=1, usecols=(0, 2))
    ends, returns = np.atleast_2d(episodes).T
    with (run / "evaluations.csv").open(encoding="utf-8") as file:
        steps = max(int(row["step"]) for row in csv.DictReader(file))
    return steps, float(returns[ends > steps * (1 - SHARE)].mean())


def write(rows: Sequence[Row]) -> None:
    """Writes the tables of the page, and the values of all runs."""
    page = PAGE.read_text(encoding="utf-8")
    before, mark, _ = page.partition(MARK)
    if not mark:
        raise SystemExit(f"{PAGE}: expected the line {MARK}, after which the tables are written.")
    names = dict.fromkeys(row.board for row in rows)
    tables = [to_table(BOARDS[name], [row for row in rows if row.board == name]) for name in names]
    PAGE.write_text("\n\n".join([f"{before}{MARK}", *tables]) + "\n", encoding="utf-8")
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(Row._fields)
    writer.writerows(rows)
    # No time of writing, so that the same values make the same bytes.
    RUNS.write_bytes(gzip.compress(text.getvalue().encode(), mtime=0))


def to_table(board: Board, rows: Sequence[Row]) -> str:
    """Returns the table of a board as Markdown."""
    heads = ["agent", "task", "runs", "return in training", "return of the final evaluation"]
    if board.solved is not None:
        heads[1:2] = []
        heads.append(f"runs with {board.solved:g} or more")
    prefix = f"{rows[0].board}_"
    lines = [f"### {board.title}", "", _to_line(heads), _to_line(["---"] * len(heads))]
    for agent, task in dict.fromkeys((row.agent, row.task) for row in rows):
        own = [row for row in rows if (row.agent, row.task) == (agent, task)]
        evaluations = [row.evaluation_return for row in own]
        training = _to_text([row.training_return for row in own])
        cells = [
            f"`{agent.removeprefix(prefix) if board.solved else agent}`",
            task,
            str(len(own)),
            training,
            _to_text(evaluations),
        ]
        if board.solved is not None:
            cells[1:2] = []
            cells.append(str(sum(value >= board.solved for value in evaluations)))
        lines.append(_to_line(cells))
    return "\n".join(lines)


def _to_line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _to_text(values: Sequence[float]) -> str:
    estimate = estimate_iqm([np.array(values)])
    if not estimate.has_interval:
        return f"{estimate.value:.1f}"
    return f"{estimate.value:.1f} ({estimate.low:.1f} to {estimate.high:.1f})"


if __name__ == "__main__":
    main()
