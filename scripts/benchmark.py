"""Measures how fast runs train: this project, Stable-Baselines3, rejax and the book's loop.

All do the same work: CartPole with its 500-frame limit, one hidden layer of 128, batches of 64,
one update a step, a buffer of 10,000, learning from step 500 on. They are measured in turn, in
one sitting, as whole processes: this project through its command, with its logging and
evaluation. Each contestant runs at two lengths; the difference of the times is that of the
difference in steps, without start-up, which is given too.

    python scripts/benchmark.py                    # a table, and benchmark.json
    python scripts/benchmark.py --num-runs 1 32 --repeats 5 --rejax path/to/its/python

The compiled code of this project is in its cache by then: the first process of all is not timed.
rejax prints its own seconds, without those of its compilation, and evaluates nothing.

Stable-Baselines3 comes with `pip install -e .[bench]` and is left out where it is missing.
"""

import argparse
import importlib.util
import itertools
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

CONTESTANTS = Path(__file__).parent / "benchmark_contestants.py"
REJAX = Path(__file__).parent / "benchmark_rejax.py"


@dataclass
class Contestant:
    """A program that trains runs.

    num_runs: how many at once.
    short, long: steps of each run, at both of which it learns.
    tells: whether it prints its own training time, rather than being timed as a process.
    """

    name: str
    num_runs: int
    short: int
    long: int
    command: tuple[str, ...]
    tells: bool = False

    def seconds(self, num_steps: int) -> float:
        """Returns the time from the start to the end of a process that trains this long."""
        with tempfile.TemporaryDirectory() as folder:
            command = [part.format(steps=num_steps, folder=folder) for part in self.command]
            began = time.perf_counter()
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            seconds = time.perf_counter() - began
        if done.returncode != 0:
            raise RuntimeError(f"{self.name} has failed:\n{done.stderr}")
        return float(done.stdout.split()[-1]) if self.tells else seconds


def contestants(
    num_runs: Sequence[int], engines: Sequence[str], rejax: str | None
) -> list[Contestant]:
    """Returns the contestants; `rejax` is the interpreter that has it, if any."""
    found = []
    python = (sys.executable,)
    if importlib.util.find_spec("stable_baselines3") is not None:
        command = (*python, str(CONTESTANTS), "sb3", "{steps}")
        found.append(Contestant("Stable-Baselines3", 1, 1_500, 6_500, command))
    command = (*python, str(CONTESTANTS), "book", "{steps}")
    found.append(Contestant("the book's loop", 1, 1_500, 6_500, command))
    for count in (1, 32) if rejax else ():
        command = (str(rejax), str(REJAX), str(count), "{steps}")
        found.append(Contestant("rejax", count, 1_500, 6_500, command, tells=True))
    for engine, count in itertools.product(engines, num_runs):
        long = {1: 101_500, 8: 61_500, 32: 41_500, 128: 21_500}.get(count, 11_500)
        if engine == "torch":
            long = min(long, 6_500)
        name = "dqn_exp" if engine == "auto" else f"dqn_exp, engine={engine}"
        found.append(Contestant(name, count, 1_500, long, _own_command(count, engine)))
    return found


def _own_command(num_runs: int, engine: str) -> tuple[str, ...]:
    return (
        *(sys.executable, "-m", "dqn_exp.train", "-m", f"seed=range({num_runs})"),
        *("env=cartpole_v1", "trainer.total_steps={steps}", "hydra.sweep.dir={folder}/sweep"),
        f"engine={engine}",
    )


def measure(who: Sequence[Contestant], repeats: int) -> dict[int, list[tuple[float, float]]]:
    """Returns seconds of short and long trainings by contestant, measured in turn."""
    times: dict[int, list[tuple[float, float]]] = {index: [] for index in range(len(who))}
    with tqdm(total=repeats * len(who), desc="measuring", disable=None) as bar:
        for _ in range(repeats):
            for index, contestant in enumerate(who):
                short = contestant.seconds(contestant.short)
                times[index].append((short, contestant.seconds(contestant.long)))
                bar.update()
    return times


def summarise(contestant: Contestant, times: Sequence[tuple[float, float]]) -> dict[str, object]:
    """Returns the medians of one contestant."""
    steps = contestant.num_runs * (contestant.long - contestant.short)
    rates = [steps / (long - short) for short, long in times]
    rate = statistics.median(rates)
    learned = contestant.num_runs * contestant.short / rate
    return {
        "name": contestant.name,
        "num_runs": contestant.num_runs,
        "run_steps_per_second": rate,
        "lowest": min(rates),
        "highest": max(rates),
        "startup_seconds": max(statistics.median(short for short, _ in times) - learned, 0.0),
        "seconds": [list(pair) for pair in times],
    }


def to_table(rows: Sequence[dict[str, object]]) -> str:
    """Returns the rows as a table in Markdown."""
    first = rows[0]["run_steps_per_second"]
    lines = [
        "| program | runs at once | steps/s of all runs (lowest to highest) | relative "
        "| start-up, s |",
        "|---|---|---|---|---|",
    ]
    for row in rows:
        rate = row["run_steps_per_second"]
        assert isinstance(rate, float) and isinstance(first, float)
        lines.append(
            f"| {row['name']} | {row['num_runs']} | {rate:,.0f} ({row['lowest']:,.0f} to "
            f"{row['highest']:,.0f}) | {rate / first:.1f} | {row['startup_seconds']:.1f} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Measures, prints the table and writes the JSON."""
    parser = argparse.ArgumentParser(description="Measures how fast runs train.")
    parser.add_argument("--num-runs", type=int, nargs="+", default=[1, 8, 32, 128, 512])
    parser.add_argument("--engines", nargs="+", default=["auto"], help="auto, native, torch")
    parser.add_argument("--rejax", help="interpreter of an environment that has rejax")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", type=Path, default=Path("benchmark.json"))
    options = parser.parse_args()
    who = contestants(options.num_runs, options.engines, options.rejax)
    for contestant in who:
        if contestant.name.startswith("dqn_exp"):
            contestant.seconds(1_500)
    times = measure(who, options.repeats)
    rows = [summarise(contestant, times[index]) for index, contestant in enumerate(who)]
    machine = {"cores": os.cpu_count(), "machine": platform.machine(), "system": platform.system()}
    report = {"machine": machine, "python": platform.python_version(), "rows": rows}
    options.json.write_text(json.dumps(report, indent=2) + "\n")
    print(to_table(rows))
    print(f"\nWritten to {options.json}.")


if __name__ == "__main__":
    main()
