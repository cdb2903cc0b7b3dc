"""Measures the time of a step with each component of the DQN family, with both engines.

Populations of 32 runs with the workload of scripts/benchmark.py take turns in one process, after
all of them have started to learn: plain DQN with compiled code, and the component with each engine.
Times are medians over rounds; ratios are ratios of medians.

    python scripts/benchmark_ingredients.py
    python scripts/benchmark_ingredients.py --num-runs 1 --rounds 15
    python scripts/benchmark_ingredients.py --sizes --num-runs 1 --steps 8
    python scripts/benchmark_ingredients.py --ends --num-runs 1 --steps 4 --rounds 3

The last commands compare the engines for several sizes of networks and batches, and for several
numbers of features and actions.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import dqn_exp as dqn_exp  # isort: skip  # Before torch, for which it sets variables.
import gymnasium
import numpy as np
import torch
from gymnasium import spaces
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf
from tqdm import tqdm

from dqn_exp.config.conf_dir import conf_dir
from dqn_exp.config.validation import to_config
from dqn_exp.files.result import Result
from dqn_exp.files.run_record import RunRecord
from dqn_exp.training.build_trainer import make_trainer
from dqn_exp.training.preflight import with_engine
from dqn_exp.training.progress import NoProgress
from dqn_exp.training.trainer import Trainer

LEARNING_STARTS = 100

INGREDIENTS: dict[str, tuple[str, ...]] = {
    "plain DQN": (),
    "Huber": ("agent/value=scalar_huber",),
    "Double DQN": ("agent/target=double",),
    "dueling heads": ("network.dueling=true",),
    "3-step returns": ("agent.n_step=3",),
    "prioritized replay": ("buffer=prioritized",),
    "noisy networks": ("network.noisy=true",),
    "C51, 51 atoms": ("agent/value=categorical",),
    "QR-DQN, 32 quantiles": ("agent/value=quantile",),
    "Munchausen": ("agent/target=munchausen",),
    "normalized observations": ("agent.normalize_observations=true",),
    "clipped rewards": ("agent.reward_clip=1.0",),
    "RMSProp": ("agent/optimizer=rmsprop",),
    "Rainbow": (
        *("agent/target=double", "network.dueling=true", "agent.n_step=3", "buffer=prioritized"),
        *("network.noisy=true", "agent/value=categorical"),
    ),
}


SIZES = tuple(
    (f"network.hidden_sizes=[{units},{units}]", f"agent.batch_size={batch_size}")
    for units in (64, 256, 512, 1_024)
    for batch_size in (64, 256)
)


ENDS = tuple(
    (
        "env.id=Numbers-v0",
        f"env.kwargs={{num_features: {features}, num_actions: {actions}}}",
        "env.max_episode_steps=50",
    )
    for features, actions in (
        (1_024, 2), (4_096, 2), (28_224, 2), (4, 1_000), (4, 4_000), (4, 10_000),
    )
)  # fmt: skip


class Numbers(gymnasium.Env[Any, Any]):
    """An environment without a task, whose steps take no time."""

    def __init__(self, num_features: int = 4, num_actions: int = 2) -> None:
        """Takes the sizes."""
        self.observation_space = spaces.Box(0.0, 1.0, (num_features,), np.float32)
        self.action_space = spaces.Discrete(num_actions)
        self._observations = np.random.default_rng(0).random((8, num_features), dtype=np.float32)
        self._count = 0

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        """Starts an episode."""
        return self._observations[0], {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Returns one of eight observations."""
        self._count += 1
        return self._observations[self._count % 8], 1.0, False, False, {}


def make_population(overrides: Sequence[str], num_runs: int, folder: Path) -> Trainer:
    """Returns a population whose runs learn at every step."""
    common = (
        "env=cartpole_v1",
        f"agent.learning_starts={LEARNING_STARTS}",
        "log.tensorboard=false",
    )
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        values: Any = OmegaConf.to_container(compose("config", [*common, *overrides]), resolve=True)
    configs = [with_engine(to_config({**values, "seed": seed})) for seed in range(num_runs)]
    records = []
    for config in configs:
        directory = folder / str(config.seed)
        directory.mkdir(parents=True)
        result = Result("running", config.seed, config.hash())
        records.append(RunRecord(directory, result, config.model_dump()))
    trainer = make_trainer(
        configs, records, on_end=lambda: None, progress=NoProgress(), should_stop=lambda: False
    )
    while trainer.steps[0] < LEARNING_STARTS + 50:
        trainer.advance()
    return trainer


def measure(populations: Mapping[str, Trainer], rounds: int, steps: int) -> dict[str, list[float]]:
    """Returns the seconds per step of all runs, for each population and round."""
    seconds: dict[str, list[float]] = {name: [] for name in populations}
    for _ in tqdm(range(rounds), desc="measuring", disable=None):
        for name, trainer in populations.items():
            began, first = time.perf_counter(), trainer.steps.sum()
            while trainer.steps.sum() < first + steps * len(trainer.steps):
                trainer.advance()
            count = (trainer.steps.sum() - first) / len(trainer.steps)
            seconds[name].append((time.perf_counter() - began) / count)
    return seconds


def medians_of(
    agents: Mapping[str, Sequence[str]], num_runs: int, rounds: int, steps: int
) -> dict[str, float]:
    """Returns the medians of the milliseconds per step of all runs, by agent."""
    with tempfile.TemporaryDirectory() as folder:
        populations = {
            name: make_population(overrides, num_runs, Path(folder, name))
            for name, overrides in agents.items()
        }
        seconds = measure(populations, rounds, steps)
        for trainer in populations.values():
            trainer.close()
    return {name: 1e3 * statistics.median(times) for name, times in seconds.items()}


def compare_components(num_runs: int, rounds: int, steps: int) -> None:
    """Prints a table of the times of a step with each component."""
    print(f"| with | a step of {num_runs} runs, ms | torch, ms | torch over it | over plain DQN |")
    print("|---|---|---|---|---|")
    for name, overrides in INGREDIENTS.items():
        agents = {
            "plain": ("engine=native",),
            "native": (*overrides, "engine=native"),
            "torch": (*overrides, "engine=torch"),
        }
        plain, native, torchs = medians_of(agents, num_runs, rounds, steps).values()
        print(
            f"| {name} | {native:.3f} | {torchs:.2f} | {torchs / native:.1f} "
            f"| {native / plain:.2f} |",
            flush=True,
        )


def compare_sizes(cases: Sequence[Sequence[str]], num_runs: int, rounds: int, steps: int) -> None:
    """Prints a table of the times of a step with each engine, by size."""
    print(f"| sizes | torch, ms a step of {num_runs} runs | native, ms | torch over native |")
    print("|---|---|---|---|")
    for sizes in cases:
        agents = {
            engine: (*sizes, f"engine={engine}", "buffer.capacity=2_000")
            for engine in ("torch", "native")
        }
        torchs, natives = medians_of(agents, num_runs, rounds, steps).values()
        shown = ", ".join(sizes)
        print(f"| {shown} | {torchs:.1f} | {natives:.1f} | {torchs / natives:.2f} |", flush=True)


def main() -> None:
    """Measures and prints the table."""
    parser = argparse.ArgumentParser(description="Measures what the ingredients cost.")
    parser.add_argument("--num-runs", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--steps", type=int, default=60, help="of each population in a round")
    parser.add_argument("--sizes", action="store_true", help="compare sizes instead")
    parser.add_argument("--ends", action="store_true", help="compare features and actions instead")
    options = parser.parse_args()
    gymnasium.register("Numbers-v0", entry_point=f"{__name__}:Numbers")
    counts = options.num_runs, options.rounds, options.steps
    if options.sizes or options.ends:
        compare_sizes(ENDS if options.ends else SIZES, *counts)
    else:
        compare_components(*counts)
    print(f"\nWith {torch.get_num_threads()} threads.")


if __name__ == "__main__":
    main()
