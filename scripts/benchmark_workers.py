"""Measures the speed-up of a second worker process: a sweep of 24 runs with one and two workers.

    python scripts/benchmark_workers.py

Each worker has one thread. Both are measured in turn, and medians are printed. A rate is that of
all runs together while they train, without the start-up of the command and its workers.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

COMMON = ("agent.gamma=0.9,0.98,0.99", "seed=range(8)", "num_threads=1", "log.progress=false")
NETWORKS = {"one layer of 128": "[128]", "two layers of 256": "[256,256]"}


class Measured(NamedTuple):
    """Steps per second of all runs, and seconds of the whole command."""

    rate: float
    seconds: float


def main() -> None:
    """Measures and prints a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=6_000, help="of each run")
    options = parser.parse_args()
    print("| network | workers | run-steps/s (lowest to highest) | command, s | against one |")
    print("|---|---|---|---|---|")
    for name, sizes in NETWORKS.items():
        found: dict[int, list[Measured]] = {1: [], 2: []}
        for _ in range(options.rounds):
            for num_workers, measured in found.items():
                measured.append(measure(sizes, num_workers, options.steps))
        one = statistics.median(m.rate for m in found[1])
        for num_workers, measured in found.items():
            rates = [m.rate for m in measured]
            rate, seconds = statistics.median(rates), statistics.median(m.seconds for m in measured)
            spread = f"{rate:,.0f} ({min(rates):,.0f} to {max(rates):,.0f})"
            print(f"| {name} | {num_workers} | {spread} | {seconds:.1f} | {rate / one:.2f} |")


def measure(hidden_sizes: str, num_workers: int, num_steps: int) -> Measured:
    """Trains the sweep once."""
    with tempfile.TemporaryDirectory() as name:
        arguments = (
            *COMMON,
            f"network.hidden_sizes={hidden_sizes}",
            f"trainer.total_steps={num_steps}",
            "hydra/launcher=population_processes",
            f"hydra.launcher.num_workers={num_workers}",
            f"hydra.sweep.dir={name}/sweep",
        )
        began = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "dqn_exp.train", "-m", *arguments],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        seconds = time.perf_counter() - began
        results = [json.loads(path.read_text()) for path in Path(name).glob("sweep/*/result.json")]
    steps = sum(result["steps"] for result in results)
    return Measured(steps / max(result["seconds"] for result in results), seconds)


if __name__ == "__main__":
    main()
