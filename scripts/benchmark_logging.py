"""Measures the share of training time that logging takes.

    python scripts/benchmark_logging.py --num-runs 1 32 128

Runs of the default config on CartPole-v1, with all their files. `values` is the computation of
diagnostics for TensorBoard, and `evaluation` the episodes of the greedy policies.
"""

import argparse
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from dqn_exp.config.conf_dir import conf_dir
from dqn_exp.config.validation import to_config
from dqn_exp.files.run_record import RunRecord
from dqn_exp.training.evaluation import Evaluation
from dqn_exp.training.metrics import MetricCollector
from dqn_exp.training.population import Run, train_population
from dqn_exp.training.preflight import with_engine
from dqn_exp.training.progress import NoProgress
from dqn_exp.training.trainer import Trainer

MEASURED: dict[str, list[tuple[type, str]]] = {
    "values": [(MetricCollector, "collect"), (MetricCollector, "evaluation_metrics")],
    "records": [(RunRecord, "add_scalars"), (RunRecord, "flush")],
    "evaluation": [(Evaluation, "play")],
    "all": [(Trainer, "train")],
}


def main() -> None:
    """Trains populations of several sizes and prints a table."""
    parser = argparse.ArgumentParser(description="Measures what logging costs.")
    parser.add_argument("--num-runs", type=int, nargs="+", default=[1, 32, 128])
    parser.add_argument("--run-steps", type=int, default=500_000, help="of all runs together")
    options = parser.parse_args()
    seconds: Counter[str] = Counter()
    for name, places in MEASURED.items():
        for owner, method in places:
            setattr(owner, method, _timed(getattr(owner, method), name, seconds))
    print("| runs | values | records | evaluation | training, s |\n|---|---|---|---|---|")
    train(1, 2_000)  # What is compiled is compiled then.
    for count in options.num_runs:
        seconds.clear()
        train(count, max(options.run_steps // count, 2_000))
        shares = (f"{100 * seconds[name] / seconds['all']:.1f}%" for name in MEASURED)
        *cells, _ = shares
        print(f"| {count} | {' | '.join(cells)} | {seconds['all']:.1f} |")


def train(num_runs: int, total_steps: int) -> None:
    """Trains a population in a directory that is then removed."""
    overrides = ["env=cartpole_v1", f"trainer.total_steps={min(total_steps, 50_000)}"]
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        values: Any = OmegaConf.to_container(compose("config", overrides), resolve=True)
    with tempfile.TemporaryDirectory() as folder:
        runs = []
        for seed in range(num_runs):
            directory = Path(folder, str(seed))
            directory.mkdir()
            runs.append(Run(with_engine(to_config({**values, "seed": seed})), directory, {}))
        train_population(runs, lambda results: None, lambda: False, NoProgress())


def _timed(function: Callable[..., Any], name: str, seconds: "Counter[str]") -> Callable[..., Any]:
    def timed(*arguments: Any, **keywords: Any) -> Any:
        began = time.perf_counter()
        try:
            return function(*arguments, **keywords)
        finally:
            seconds[name] += time.perf_counter() - began  # type: ignore[assignment]

    return timed


if __name__ == "__main__":
    main()
