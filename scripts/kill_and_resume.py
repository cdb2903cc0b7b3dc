"""Kills and resumes a sweep repeatedly, and compares it with an uninterrupted one.

    python scripts/kill_and_resume.py --kills 50

Each kill is SIGKILL, SIGTERM or SIGINT at a random moment. At the end every `episodes.csv`,
`evaluations.csv` and final checkpoint must have the same bytes as in the uninterrupted sweep. If a
sweep ends before all kills were made, another one starts.
"""

import argparse
import csv
import random
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

SWEEP = (
    "seed=range(3)",
    "agent.n_step=1,3",
    "buffer=uniform,prioritized",
    "env=cartpole_v0,acrobot",
)
COMMON = (
    "checkpoint.every_steps=100",
    "eval.every_steps=1000",
    "log.every_steps=500",
    "log.progress=false",
    "num_threads=1",
    "report=false",
)
FILES = ("episodes.csv", "evaluations.csv", "checkpoint.pt")
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)


def main() -> None:
    """Runs the experiment; exits with status 1 if a byte differs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--steps", type=int, default=4_000, help="of each run")
    parser.add_argument("--seed", type=int, default=0, help="of the moments and the signals")
    parser.add_argument("--longest", type=float, default=12.0, help="seconds before a kill")
    parser.add_argument("--launcher", default="population")
    parser.add_argument("sweep", nargs="*", default=SWEEP, help="swept keys, instead of 24 runs")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        arguments = [*options.sweep, *COMMON, f"trainer.total_steps={options.steps}"]
        launcher = f"hydra/launcher={options.launcher}"
        finish(start("train", "-m", *arguments, "hydra.sweep.dir=peace", folder=folder))
        dice, kills, sweeps = random.Random(options.seed), Counter[str](), 0
        while kills.total() < options.kills:
            killed = folder / f"killed_{sweeps}"
            began = ("train", "-m", *arguments, launcher, f"hydra.sweep.dir={killed}")
            kill_until_done(killed, began, options.kills, options.longest, dice, kills)
            sweeps += 1
            compare(folder / "peace", killed)
    told = ", ".join(f"{count} {what}" for what, count in sorted(kills.items()))
    print(f"{kills.total()} kills ({told}) of {sweeps} sweeps changed no byte.")


def kill_until_done(
    directory: Path,
    began: Sequence[str],
    most: int,
    longest: float,
    dice: random.Random,
    kills: Counter[str],
) -> None:
    """Starts a sweep, and kills and resumes it until it ends, at most `most` times."""
    while True:
        # Until its jobs are on the disk there is no sweep to go on with.
        command = ("resume", str(directory)) if (directory / "jobs.jsonl").exists() else began
        process = start(*command, folder=directory.parent)
        if kills.total() >= most:
            return finish(process)
        try:
            if process.wait(dice.uniform(0, longest)) == 0:
                return None
            raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
        except subprocess.TimeoutExpired:
            chosen = dice.choice(SIGNALS)
            process.send_signal(chosen)
            process.wait()
            kills[chosen.name] += 1
            print(f"{kills.total()}: {chosen.name} after {progress_of(directory)}", flush=True)


def start(module: str, *arguments: str, folder: Path) -> subprocess.Popen[bytes]:
    """Starts a command of the package."""
    return subprocess.Popen(
        [sys.executable, "-m", f"dqn_exp.{module}", *arguments],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def finish(process: subprocess.Popen[bytes]) -> None:
    """Waits for a command that must succeed."""
    if status := process.wait():
        raise SystemExit(f"{process.args!r} ended with {status}")


def progress_of(directory: Path) -> str:
    """Returns the number of runs of a sweep by status."""
    try:
        with (directory / "sweep.csv").open() as file:
            statuses = Counter(row["status"] for row in csv.DictReader(file))
    except FileNotFoundError:
        return "nothing"
    return ", ".join(f"{count} {status}" for status, count in sorted(statuses.items()))


def compare(first: Path, second: Path) -> None:
    """Ends the script if a file of a run differs between two sweeps."""
    with (second / "sweep.csv").open() as file:
        rows = list(csv.DictReader(file))
    wrong = [row["dir"] for row in rows if row["status"] != "completed"]
    wrong += [
        f"{row['dir']}/{name}"
        for row in rows
        for name in FILES
        if (first / row["dir"] / name).read_bytes() != (second / row["dir"] / name).read_bytes()
    ]
    if wrong or (first / "sweep.csv").read_bytes() != (second / "sweep.csv").read_bytes():
        raise SystemExit(f"{second}: not as in the sweep left in peace: {wrong or 'sweep.csv'}")
    print(f"{len(rows)} runs are the same, byte for byte.")


if __name__ == "__main__":
    main()
