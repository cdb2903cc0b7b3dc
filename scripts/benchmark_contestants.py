"""Contestants of the benchmark, one run per process: `benchmark_contestants.py sb3|book STEPS`.

Both train DQN on CartPole with the work that scripts/benchmark.py describes.
"""

import argparse
import random
from collections import deque
from typing import Any

import gymnasium
import numpy as np
import torch

LIMIT, HIDDEN, BATCH, CAPACITY, STARTS = 500, 128, 64, 10_000, 500
GAMMA, EPSILON, RATE, PERIOD = 0.98, 0.01, 2e-3, 10


def train_with_stable_baselines(num_steps: int) -> None:
    """Trains Stable-Baselines3's DQN, https://stable-baselines3.readthedocs.io."""
    from stable_baselines3 import DQN

    model = DQN(
        "MlpPolicy",
        "CartPole-v1",
        learning_rate=RATE,
        buffer_size=CAPACITY,
        learning_starts=STARTS,
        batch_size=BATCH,
        gamma=GAMMA,
        train_freq=1,
        gradient_steps=1,
        target_update_interval=PERIOD,
        exploration_initial_eps=EPSILON,
        exploration_final_eps=EPSILON,
        policy_kwargs={"net_arch": [HIDDEN]},
        device="cpu",
        seed=0,
    )
    model.learn(num_steps)


def train_like_the_book(num_steps: int) -> None:
    """Trains as the loop of Hands-on-RL, chapter 7, does: one run, transition by transition."""
    env = gymnasium.make("CartPole-v1", max_episode_steps=LIMIT)
    online, target = make_network(), make_network()
    target.load_state_dict(online.state_dict())
    optimizer = torch.optim.Adam(online.parameters(), lr=RATE)
    memory: deque[tuple[Any, ...]] = deque(maxlen=CAPACITY)
    observation, _ = env.reset(seed=0)
    num_updates = 0
    for _ in range(num_steps):
        if random.random() < EPSILON:
            action = random.randrange(2)
        else:
            action = int(online(torch.tensor(observation[None])).argmax())
        after, reward, terminated, truncated, _ = env.step(action)
        memory.append((observation, action, reward, after, terminated))
        observation = env.reset()[0] if terminated or truncated else after
        if len(memory) > STARTS:
            learn(online, target, optimizer, random.sample(memory, BATCH))
            num_updates += 1
            if num_updates % PERIOD == 0:
                target.load_state_dict(online.state_dict())


def make_network() -> torch.nn.Module:
    """Returns a network with one hidden layer."""
    return torch.nn.Sequential(
        torch.nn.Linear(4, HIDDEN), torch.nn.ReLU(), torch.nn.Linear(HIDDEN, 2)
    )


def learn(
    online: torch.nn.Module,
    target: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
    transitions: list[tuple[Any, ...]],
) -> None:
    """Makes one update."""
    observations, actions, rewards, afters, ends = zip(*transitions, strict=True)
    values = online(torch.tensor(np.array(observations)))
    taken = values.gather(1, torch.tensor(actions)[:, None])[:, 0]
    best = target(torch.tensor(np.array(afters))).max(1).values
    future = torch.tensor(ends).logical_not()
    wanted = torch.tensor(rewards, dtype=torch.float32) + GAMMA * best * future
    loss = torch.nn.functional.mse_loss(taken, wanted.detach())
    optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    optimizer.step()


def main() -> None:
    """Trains the contestant that is named."""
    parser = argparse.ArgumentParser(description="Trains one run of another implementation.")
    parser.add_argument("who", choices=["sb3", "book"])
    parser.add_argument("num_steps", type=int)
    options = parser.parse_args()
    random.seed(0)
    # More threads than one slow both of them down at this size.
    torch.set_num_threads(1)
    train = {"sb3": train_with_stable_baselines, "book": train_like_the_book}[options.who]
    train(options.num_steps)


if __name__ == "__main__":
    main()
