"""Trains rejax's DQN, for scripts/benchmark.py: `benchmark_rejax.py NUM_RUNS STEPS`.

It is run by the interpreter of an environment of its own, which has rejax 0.1.3,
https://github.com/keraJLi/rejax, and gymnax 0.0.9. The whole training is one jitted program,
vectorized over seeds, with the work that scripts/benchmark.py describes but without evaluation.
It prints the seconds that the program took, without those of its compilation.
"""

import argparse
import time

import jax
from flax import linen as nn
from rejax import DQN
from rejax.networks import DiscreteQNetwork, EpsilonGreedyPolicy


def main() -> None:
    """Compiles, trains and prints the seconds."""
    parser = argparse.ArgumentParser(description="Trains rejax's DQN.")
    parser.add_argument("num_runs", type=int)
    parser.add_argument("num_steps", type=int)
    options = parser.parse_args()
    algorithm = DQN.create(
        env="CartPole-v1",
        total_timesteps=options.num_steps,
        eval_freq=options.num_steps,
        skip_initial_evaluation=True,
        num_envs=1,
        num_epochs=1,
        buffer_size=10_000,
        fill_buffer=500,
        batch_size=64,
        learning_rate=2e-3,
        gamma=0.98,
        ddqn=False,
        target_update_freq=10,
        eps_start=0.01,
        eps_end=0.01,
        exploration_fraction=0.1,
    )
    network = EpsilonGreedyPolicy(DiscreteQNetwork)(
        hidden_layer_sizes=(128,), activation=nn.relu, action_dim=2
    )
    algorithm = algorithm.replace(agent=network, eval_callback=lambda *_: 0.0)
    train = jax.jit(jax.vmap(type(algorithm).train, in_axes=(None, 0)))
    keys = jax.random.split(jax.random.PRNGKey(0), options.num_runs)
    compiled = train.lower(algorithm, keys).compile()
    began = time.perf_counter()
    jax.block_until_ready(compiled(algorithm, keys))
    print(time.perf_counter() - began)


if __name__ == "__main__":
    main()
