"""Measures how fast runs train: this project, Stable-Baselines3, rejax, a C program and a loop.

All do the same work: CartPole with its 500-frame limit, one hidden layer of 128, batches of 64,
one update a step, a buffer of 10,000, learning from step 500 on. They are measured in turn, in
one session, as whole processes: this project through its command, with its logging and
evaluation. Each contestant runs at two lengths; the difference of the times is that of the
difference in steps, without start-up, which is given too.

    python scripts/benchmark.py                    # a table, and benchmark.json
    python scripts/benchmark.py --num-runs 1 32 --repeats 5 --rejax path/to/its/python

The compiled code of this project is in its cache by then: the first process of all is not timed.
rejax prints its own seconds, without those of its compilation, and evaluates nothing. The C program
is scripts/benchmark_limit.c, a bound of what the processor can do: a share of it says more on
another machine than a rate. The loop is that of a book.

Stable-Baselines3 comes with `pip install -e .[bench]`. It is left out where it is missing, and so
is the C program where there is no gcc.
"""

import argparse
import importlib.util
import itertools
import json
import math
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

CONTESTANTS = Path(__file__).parent / "benchmark_contestants.py"
REJAX = Path(__file__).parent / "benchmark_rejax.py"
LIMIT = Path(__file__).parent / "benchmark_limit.c"
GCC = ("gcc", "-O3", "-march=native", "-ffast-math", "-fno-finite-math-only")

C_PROGRAM, STABLE_BASELINES, OWN = "C program", "Stable-Baselines3", "dqn_exp"


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
    num_runs: Sequence[int], engines: Sequence[str], rejax: str | None, limit: Path | None
) -> list[Contestant]:
    """Returns the contestants.

    `rejax` is the interpreter that has it, and `limit` the compiled C program, if any.
    """
    found = []
    python = (sys.executable,)
    for count in num_runs if limit else ():
        command = (str(limit), str(count), "{steps}", str(min(count, os.cpu_count() or 1)))
        found.append(Contestant(C_PROGRAM, count, 1_500, _length(count), command))
    if importlib.util.find_spec("stable_baselines3") is not None:
        command = (*python, str(CONTESTANTS), "sb3", "{steps}")
        found.append(Contestant(STABLE_BASELINES, 1, 1_500, 6_500, command))
    command = (*python, str(CONTESTANTS), "book", "{steps}")
    found.append(Contestant("the book's loop", 1, 1_500, 6_500, command))
    for count in (1, 32) if rejax else ():
        command = (str(rejax), str(REJAX), str(count), "{steps}")
        found.append(Contestant("rejax", count, 1_500, 6_500, command, tells=True))
    for engine, count in itertools.product(engines, num_runs):
        long = min(_length(count), 6_500) if engine == "torch" else _length(count)
        name = OWN if engine == "auto" else f"{OWN}, engine={engine}"
        found.append(Contestant(name, count, 1_500, long, _own_command(count, engine)))
    return found


def _length(num_runs: int) -> int:
    """Returns the steps of the longer trainings."""
    return {1: 501_500, 8: 121_500, 32: 61_500, 128: 21_500}.get(num_runs, 11_500)


def compile_limit(folder: str) -> Path | None:
    """Returns the C program, or None where it cannot be compiled."""
    program = Path(folder) / "limit"
    if shutil.which("gcc") is None:
        return None
    subprocess.run([*GCC, LIMIT, "-o", program, "-lm", "-lpthread"], check=True)
    return program


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


def summarize(contestant: Contestant, times: Sequence[tuple[float, float]]) -> dict[str, Any]:
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


def to_table(rows: Sequence[dict[str, Any]]) -> str:
    """Returns the rows as a table in Markdown."""
    lines = [
        "| program | runs at once | steps/s of all runs (lowest to highest) "
        f"| times {STABLE_BASELINES} | share of the {C_PROGRAM} | start-up, s |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        lines.append(
            f"| {row['name']} | {row['num_runs']} | {row['run_steps_per_second']:,.0f} "
            f"({row['lowest']:,.0f} to {row['highest']:,.0f}) "
            f"| {_ratio(rows, row, STABLE_BASELINES, 1):.1f} "
            f"| {_ratio(rows, row, C_PROGRAM, row['num_runs']):.2f} "
            f"| {row['startup_seconds']:.1f} |"
        )
    return "\n".join(lines)


def _ratio(rows: Sequence[dict[str, Any]], row: dict[str, Any], name: str, num_runs: int) -> float:
    """Returns a rate relative to that of another program; NaN where that was not measured."""
    for other in rows:
        if (other["name"], other["num_runs"]) == (name, num_runs):
            return float(row["run_steps_per_second"] / other["run_steps_per_second"])
    return math.nan


def main() -> None:
    """Measures, prints the table and writes the JSON."""
    parser = argparse.ArgumentParser(description="Measures how fast runs train.")
    parser.add_argument("--num-runs", type=int, nargs="+", default=[1, 8, 32, 128, 512])
    parser.add_argument("--engines", nargs="+", default=["auto"], help="auto, native, torch")
    parser.add_argument("--rejax", help="interpreter of an environment that has rejax")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", type=Path, default=Path("benchmark.json"))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        limit = compile_limit(folder)
        who = contestants(options.num_runs, options.engines, options.rejax, limit)
        for contestant in who:
            if contestant.name.startswith(OWN):
                contestant.seconds(1_500)
        times = measure(who, options.repeats)
    rows = [summarize(contestant, times[index]) for index, contestant in enumerate(who)]
    # Delayed: dqn_exp sets environment variables for torch, which the others would inherit.
    from dqn_exp.training.provenance import cpu_model

    machine = {"cores": os.cpu_count(), "processor": cpu_model(), "system": platform.system()}
    report = {"machine": machine, "python": platform.python_version(), "rows": rows}
    options.json.write_text(json.dumps(report, indent=2) + "\n")
    print(f"{machine['cores']} cores of {machine['processor']}\n\n{to_table(rows)}")
    print(f"\nWritten to {options.json}.")


if __name__ == "__main__":
    main()
