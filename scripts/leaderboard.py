"""Trains the runs of docs/leaderboard.md, or resumes them, and writes its tables.

    python scripts/leaderboard.py                      # everything: many hours of two cores
    python scripts/leaderboard.py minatar acrobot      # some boards
    python scripts/leaderboard.py acrobot --agents c51 # some agents
    python scripts/leaderboard.py --only-write         # the tables of what has completed so far

A sweep is an agent on a task, in outputs/leaderboard, or another --folder. Interrupted ones are
resumed; those whose runs are all in the tables are left out, unless --again is given. A row has
the interquartile mean over the seeds, with its 95% bootstrap interval, of the mean return of the
training episodes that end in the last tenth of a run, and of its final evaluation. The values of
all runs are in docs/leaderboard/runs.csv.gz.
"""

import argparse
import csv
import gzip
import io
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
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
        "network.hidden_sizes=[128,128]",
    ),
    "mountain_car": (
        *("env=mountain_car", "env.max_episode_steps=1_000", "agent.normalize_observations=true"),
        *("trainer.total_steps=100_000", "agent.learning_rate_decay_steps=100_000"),
        *("network.hidden_sizes=[64,64]", "network.activation=tanh"),
        *("agent.learning_rate=2e-3", "agent.target_update_period=100"),
    ),
    "lunar_lander": (
        *("env.id=LunarLander-v3", "trainer.total_steps=1_500_000", "buffer.capacity=100_000"),
        *("network.hidden_sizes=[128,128]", "agent.batch_size=64", "agent.train_every=4"),
        *("agent.learning_rate=1e-3", "agent.learning_rate_decay_steps=1_500_000"),
        "agent.target_update_period=100",
        "hydra/launcher=population_processes",  # Box2D steps one environment at a time.
    ),
}
"""What differs from the recipes of CartPole."""

SUPPORT = {
    "acrobot": ("agent.value.v_min=-100", "agent.value.v_max=0"),
    "mountain_car": ("agent.value.v_min=-100", "agent.value.v_max=0"),
    "lunar_lander": ("agent.value.v_min=-200", "agent.value.v_max=200"),
}
"""Of the distributions of C51, on tasks that differ from CartPole."""

LOSS = dict.fromkeys(("mountain_car", "lunar_lander"), ("agent/value=scalar",))
"""Of the agents with neither distributions nor quantiles: squared error instead of Huber loss."""

OWN = {
    ("c51", "acrobot"): ("agent.learning_rate=5e-4",),
    ("noisy", "acrobot"): ("agent.learning_rate=1e-3",),
    ("noisy", "mountain_car"): (
        *("network.hidden_sizes=[128]", "network.activation=relu", "network.noisy_sigma=1.0"),
        *("agent.learning_rate=8e-3", "agent.target_update_period=20"),
    ),
    ("rainbow", "mountain_car"): (
        *("network.hidden_sizes=[128]", "network.activation=relu", "network.noisy_sigma=1.0"),
        "agent.learning_rate=4e-3",
    ),
    ("dqn_2015", "mountain_car"): (
        *("network.hidden_sizes=[128,128]", "network.activation=relu", "agent.learning_rate=1e-3"),
    ),
    ("dqn_2015", "lunar_lander"): ("agent.reward_clip=null",),
    ("qr_dqn", "lunar_lander"): ("agent.huber_delta=10",),
    ("noisy", "lunar_lander"): ("network.noisy_sigma=0.2",),
    ("prioritized", "lunar_lander"): ("buffer.importance_exponent_decay_steps=1_500_000",),
    ("rainbow", "lunar_lander"): ("buffer.importance_exponent_decay_steps=1_500_000",),
}
"""Of an agent on a task."""

SHARE = 0.1
"""Of the steps of a run, at its end, whose training episodes count."""

COMMON = ("log.progress=false", "log.tensorboard=false", "report=false")
SHORT = (*COMMON, "seed=range(30)", "eval.every_steps=null", "eval.episodes=100")


class Board(NamedTuple):
    """A table of the leaderboard.

    Attributes:
        title: of the table.
        sweeps: overrides of the sweep of each agent and task, all of whose runs have that task.
        seeds: runs of a sweep.
        solved: return of the final evaluation from which on the task counts as solved, as
            Gymnasium registers it; None if it does not.
    """

    title: str
    sweeps: Mapping[tuple[str, str], tuple[str, ...]]
    seeds: int
    solved: float | None = None


def _minatar() -> Board:
    games = {"minatar_dqn": GAMES, "minatar_rainbow": GAMES, "minatar_dqn_2019": ("breakout",)}
    sweeps = {
        (agent, game): (f"experiment={agent}", f"env.game={game}", "seed=range(10)", *COMMON)
        for agent in games
        for game in games[agent]
    }
    return Board("MinAtar", sweeps, seeds=10)


def _family(task: str, title: str, solved: float) -> Board:
    """Returns the board of the recipes of CartPole on a task."""
    heads: dict[str, tuple[str, ...]] = dict.fromkeys(FAMILY, LOSS.get(task, ()))
    heads |= {name: SUPPORT.get(task, ()) for name in ("c51", "rainbow")} | {"qr_dqn": ()}
    own = {name: (*heads[name], *OWN.get((name, task), ())) for name in FAMILY}
    sweeps = {
        (name, task): (f"experiment={name}", *TASKS[task], *own[name], *SHORT) for name in FAMILY
    }
    return Board(title, sweeps, seeds=30, solved=solved)


BOARDS = {
    "minatar": _minatar(),
    "cartpole": _family("cartpole", "CartPole-v1, 100,000 steps", 475),
    "acrobot": _family("acrobot", "Acrobot-v1, 100,000 steps", -100),
    "mountain_car": _family(
        "mountain_car", "MountainCar-v0 with a time limit of 1,000 steps, 100,000 steps", -110
    ),
    "lunar_lander": _family("lunar_lander", "LunarLander-v3, 1,500,000 steps", 200),
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
    """Trains what is missing, and writes the page after each sweep."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("boards", nargs="*", help=f"of {', '.join(BOARDS)}; default: all")
    parser.add_argument("--agents", nargs="+", metavar="NAME", help="recipes; default: all")
    parser.add_argument("--folder", type=Path, default=ROOT / "outputs/leaderboard")
    parser.add_argument("--only-write", action="store_true", help="train nothing")
    parser.add_argument("--again", action="store_true", help="also what the tables have already")
    options = parser.parse_args()
    if unknown := set(options.boards) - set(BOARDS):
        parser.error(f"expected boards of {', '.join(BOARDS)}, got {', '.join(sorted(unknown))}")
    names = options.boards or list(BOARDS)
    agents = {agent for name in names for agent, _ in BOARDS[name].sweeps}
    if unknown := set(options.agents or ()) - agents:
        parser.error(f"expected agents of {', '.join(sorted(agents))}, got {', '.join(unknown)}")
    write(options.folder)
    for name in () if options.only_write else names:
        for (agent, task), overrides in BOARDS[name].sweeps.items():
            done = sum(row[:3] == (name, agent, task) for row in read_rows())
            is_chosen = options.agents is None or agent in options.agents
            if is_chosen and (options.again or done < BOARDS[name].seeds):
                train(overrides, options.folder / name / agent / task)
                write(options.folder)


def train(overrides: Sequence[str], folder: Path) -> None:
    """Trains a sweep, or resumes it."""
    command = [sys.executable, "-m"]
    if (folder / "jobs.jsonl").exists():
        command += ["dqn_exp.resume", str(folder)]
    else:
        command += ["dqn_exp.train", "-m", *overrides, f"hydra.sweep.dir={folder}"]
    subprocess.run(command, check=False)  # A run that failed is missing in its table.


def write(folder: Path) -> None:
    """Writes the values of all runs and the tables: those of before, and those of a folder."""
    rows = {row[:4]: row for row in read_rows()}
    rows.update((row[:4], row) for name in BOARDS for row in rows_of(name, folder))
    places = [(name, *place) for name, board in BOARDS.items() for place in board.sweeps]
    ordered = sorted(rows.values(), key=lambda row: (places.index(row[:3]), row.seed))
    write_rows(ordered)
    write_page(ordered)


def rows_of(name: str, folder: Path) -> Iterator[Row]:
    """Yields the values of the completed runs of a board."""
    for agent, task in BOARDS[name].sweeps:
        directory = folder / name / agent / task
        if not (directory / "sweep.csv").exists():
            continue
        with (directory / "sweep.csv").open(encoding="utf-8") as file:
            runs = [run for run in csv.DictReader(file) if run["status"] == "completed"]
        for run in runs:
            steps, training_return = _end_of_training(directory / run["dir"])
            seed, evaluation = int(run["seed"]), float(run["objective"])
            yield Row(name, agent, task, seed, steps, training_return, evaluation)


def _end_of_training(run: Path) -> tuple[int, float]:
    """Returns the steps of a run, and the mean return of its last training episodes."""
    episodes = np.loadtxt(run / "episodes.csv", delimiter=",", skiprows=1, usecols=(0, 2))
    ends, returns = np.atleast_2d(episodes).T
    with (run / "evaluations.csv").open(encoding="utf-8") as file:
        steps = max(int(row["step"]) for row in csv.DictReader(file))
    return steps, float(returns[ends > steps * (1 - SHARE)].mean())


def read_rows() -> list[Row]:
    """Returns the values of the runs that the page shows."""
    with gzip.open(RUNS, "rt", encoding="utf-8") as file:
        return [
            Row(row[0], row[1], row[2], int(row[3]), int(row[4]), float(row[5]), float(row[6]))
            for row in list(csv.reader(file))[1:]
        ]


def write_rows(rows: Sequence[Row]) -> None:
    """Writes the values of all runs."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(Row._fields)
    writer.writerows(rows)
    # No time of writing, so that the same values make the same bytes.
    RUNS.write_bytes(gzip.compress(text.getvalue().encode(), mtime=0))


def write_page(rows: Sequence[Row]) -> None:
    """Writes the tables of the page."""
    page = PAGE.read_text(encoding="utf-8")
    before, mark, _ = page.partition(MARK)
    if not mark:
        raise SystemExit(f"{PAGE}: expected the line {MARK}, after which the tables are written.")
    names = dict.fromkeys(row.board for row in rows)
    tables = [to_table(BOARDS[name], [row for row in rows if row.board == name]) for name in names]
    PAGE.write_text("\n\n".join([f"{before}{MARK}", *tables]) + "\n", encoding="utf-8")


def to_table(board: Board, rows: Sequence[Row]) -> str:
    """Returns the table of a board as Markdown."""
    heads = ["agent", "task", "runs", "return in training", "return of the final evaluation"]
    if board.solved is not None:
        heads[1:2] = []
        heads.append(f"runs with {board.solved:g} or more")
    lines = [f"### {board.title}", "", _to_line(heads), _to_line(["---"] * len(heads))]
    for place in dict.fromkeys(row[1:3] for row in rows):
        lines.append(_to_cells(board, [row for row in rows if row[1:3] == place]))
    return "\n".join(lines)


def _to_cells(board: Board, rows: Sequence[Row]) -> str:
    """Returns the line of an agent on a task."""
    evaluations = [row.evaluation_return for row in rows]
    training = _to_text([row.training_return for row in rows])
    cells = [f"`{rows[0].agent}`", str(len(rows)), training, _to_text(evaluations)]
    if board.solved is None:
        return _to_line([cells[0], rows[0].task, *cells[1:]])
    return _to_line([*cells, str(sum(value >= board.solved for value in evaluations))])


def _to_line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _to_text(values: Sequence[float]) -> str:
    estimate = estimate_iqm([np.array(values)])
    if not estimate.has_interval:
        return f"{estimate.value:.1f}"
    return f"{estimate.value:.1f} ({estimate.low:.1f} to {estimate.high:.1f})"


if __name__ == "__main__":
    main()
