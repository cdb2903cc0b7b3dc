"""Measures how fast runs train on images, beside Stable-Baselines3 with the same network and task.

One update every 4 steps with batches of 32, from step 1,000 on. MinAtar has 16 filters of 3x3 and
128 units, Atari the network of 2015 with stacks of 4 frames. Contestants are whole processes that
are measured in turn, at two lengths each: the difference of the times is that of the steps.

    python scripts/benchmark_images.py             # MinAtar: SB3, 1 run, 10 runs
    python scripts/benchmark_images.py --game atari --num-runs 1 --engines native torch
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

LENGTHS = {"minatar": (4_000, 24_000), "atari": (1_500, 4_500)}
FILTERS = {"minatar": [(16, 3, 1)], "atari": [(32, 8, 4), (64, 4, 2), (64, 3, 1)]}
UNITS = {"minatar": 128, "atari": 512}
STARTS = 1_000


def train_with_stable_baselines(game: str, num_steps: int) -> None:
    """Trains Stable-Baselines3's DQN, https://stable-baselines3.readthedocs.io."""
    import gymnasium
    from gymnasium import spaces
    from stable_baselines3 import DQN

    from dqn_exp.env.registry import find_spec

    os.environ.pop("MKL_CBWR", None)  # dqn_exp sets it, for itself.

    class ChannelsFirst(gymnasium.ObservationWrapper):
        """Bytes with the channels first, as SB3's networks take images."""

        def __init__(self, env: Any) -> None:
            super().__init__(env)
            height, width, channels = env.observation_space.shape
            self.observation_space = spaces.Box(0, 255, (channels, height, width), np.uint8)

        def observation(self, observation: Any) -> Any:
            return observation.transpose(2, 0, 1).astype(np.uint8)

    if game == "minatar":
        env: Any = ChannelsFirst(gymnasium.make(find_spec("minatar/breakout-v1")))
    else:
        single = gymnasium.make(find_spec("atari/pong-v5"))
        env = gymnasium.wrappers.FrameStackObservation(single, 4)
    policy = {
        "features_extractor_class": _extractor(FILTERS[game], UNITS[game], scale=game == "atari"),
        "net_arch": [],
        "normalize_images": False,
    }
    model = DQN(
        "CnnPolicy",
        env,
        learning_rate=2.5e-4,
        buffer_size=20_000,
        learning_starts=STARTS,
        batch_size=32,
        gamma=0.99,
        train_freq=4,
        gradient_steps=1,
        target_update_interval=1_000,
        exploration_initial_eps=0.1,
        exploration_final_eps=0.1,
        policy_kwargs=policy,
        device="cpu",
        seed=0,
    )
    model.learn(num_steps)


def _extractor(filters: Sequence[tuple[int, int, int]], units: int, *, scale: bool) -> Any:
    import torch
    from stable_baselines3.common.torch_layers import BaseFeaturesExtractor

    class Extractor(BaseFeaturesExtractor):  # type: ignore[misc,unused-ignore]
        """Convolutions and one hidden layer."""

        def __init__(self, space: Any) -> None:
            super().__init__(space, units)
            layers: list[torch.nn.Module] = []
            channels = space.shape[0]
            for count, size, stride in filters:
                layers += [torch.nn.Conv2d(channels, count, size, stride), torch.nn.ReLU()]
                channels = count
            self._convolutions = torch.nn.Sequential(*layers, torch.nn.Flatten())
            width = self._convolutions(torch.zeros(1, *space.shape)).shape[1]
            self._hidden = torch.nn.Sequential(torch.nn.Linear(width, units), torch.nn.ReLU())

        def forward(self, observations: torch.Tensor) -> torch.Tensor:
            images = observations.float()
            inputs = images / 255 if scale else images
            found: torch.Tensor = self._hidden(self._convolutions(inputs))
            return found

    return Extractor


def own_command(game: str, num_runs: int, engine: str) -> Callable[[int], list[str]]:
    """Returns the command that trains runs of this project for some steps."""
    network, env = ("minatar", "minatar") if game == "minatar" else ("nature", "atari")
    keys = (
        *(f"network={network}", f"env={env}", f"engine={engine}", "agent.gamma=0.99"),
        *("agent.learning_rate=2.5e-4", "agent.batch_size=32", "agent.train_every=4"),
        *("agent.target_update_period=250", f"agent.learning_starts={STARTS}", "agent.epsilon=0.1"),
        *("buffer.capacity=20_000", "eval.every_steps=null", "eval.episodes=1", "report=false"),
        *("eval.max_episode_steps=100", "log.progress=false"),
    )
    own = ("-m", f"seed=range({num_runs})") if num_runs > 1 else ("seed=0",)

    def command(num_steps: int) -> list[str]:
        where = f"hydra.{'sweep' if num_runs > 1 else 'run'}.dir={{folder}}/run"
        budget = f"trainer.total_steps={num_steps}"
        return [sys.executable, "-m", "dqn_exp.train", *own, *keys, budget, where]

    return command


def seconds_of(command: Sequence[str]) -> float:
    """Returns how long a command takes, in which {folder} is a new one."""
    with tempfile.TemporaryDirectory() as folder:
        command = [part.replace("{folder}", folder) for part in command]
        began = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return time.perf_counter() - began


def main() -> None:
    """Measures all contestants in turn, and prints their rates."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--game", choices=("minatar", "atari"), default="minatar")
    parser.add_argument("--num-runs", type=int, nargs="+", default=[1, 10])
    parser.add_argument("--engines", nargs="+", default=["auto"])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--sb3", type=int, help=argparse.SUPPRESS)  # Trains in this process.
    options = parser.parse_args()
    if options.sb3 is not None:
        train_with_stable_baselines(options.game, options.sb3)
        return
    short, long = LENGTHS[options.game]
    sb3 = [sys.executable, __file__, "--game", options.game, "--sb3"]
    contestants: dict[str, tuple[int, Callable[[int], list[str]]]] = {
        "Stable-Baselines3": (1, lambda num_steps: [*sb3, str(num_steps)])
    }
    for engine in options.engines:
        for count in options.num_runs:
            name = f"dqn_exp, {engine}, {count} runs"
            contestants[name] = (count, own_command(options.game, count, engine))
    for _, command in contestants.values():
        seconds_of(command(short))  # Compiles.
    rates: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(options.repeats):
        for name, (count, command) in contestants.items():
            taken = seconds_of(command(long)) - seconds_of(command(short))
            rates[name].append(count * (long - short) / taken)
    reference = statistics.median(rates["Stable-Baselines3"])
    for name, found in rates.items():
        median = statistics.median(found)
        spread = f"{min(found):,.0f} to {max(found):,.0f}"
        print(f"{name}: {median:,.0f} run-steps/s ({spread}), {median / reference:.1f} times SB3")


if __name__ == "__main__":
    main()
