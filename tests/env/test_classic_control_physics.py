"""Compiled physics, bit for bit against Gymnasium."""

import numpy as np
import pytest

from dqn_exp.env.arguments import EnvArguments
from dqn_exp.env.classic_control import ClassicControlVectorEnv
from dqn_exp.env.make import make_vector_env
from dqn_exp.env.serial_env import SerialVectorEnv
from dqn_exp.env.vector_env import VectorEnv


def play_both(
    first: VectorEnv, second: VectorEnv, num_steps: int, count: int, num_actions: int
) -> int:
    """Takes the same actions in two sets of environments; returns how many episodes have ended."""
    generator, everyone = np.random.default_rng(0), np.arange(count)
    seeds, episodes = np.arange(count) * 1_000, 0
    np.testing.assert_array_equal(first.reset(everyone, seeds), second.reset(everyone, seeds))
    for _ in range(num_steps):
        actions = generator.integers(0, num_actions, count)
        outcome = first.step(actions)
        for found, expected in zip(outcome, second.step(actions), strict=True):
            np.testing.assert_array_equal(found, expected)
            assert found.dtype == expected.dtype
        ended = np.flatnonzero(outcome.ended)
        seeds[ended] += 1
        episodes += len(ended)
        np.testing.assert_array_equal(
            first.reset(ended, seeds[ended]), second.reset(ended, seeds[ended])
        )
    return episodes


@pytest.mark.parametrize(
    "env_id, kwargs, limit, num_actions, least_episodes",
    [
        pytest.param("CartPole-v1", {}, 500, 2, 250, marks=pytest.mark.slow),
        ("CartPole-v1", {}, 15, 2, 500),
        ("CartPole-v1", {"sutton_barto_reward": True}, 500, 2, 250),
        ("Acrobot-v1", {}, 500, 3, 15),
        ("MountainCar-v0", {}, 200, 3, 36),
        pytest.param(
            "MountainCar-v0", {"goal_velocity": 0.01}, 3_000, 3, 2, marks=pytest.mark.slow
        ),
    ],
)
def test_classic_control_in_one_call_is_that_of_gymnasium_step_by_step(
    env_id, kwargs, limit, num_actions, least_episodes
):
    vectorized = make_vector_env(EnvArguments(env_id, limit, kwargs), 3)
    assert isinstance(vectorized, ClassicControlVectorEnv)
    serial = SerialVectorEnv(EnvArguments(env_id, limit, kwargs), 3)
    assert play_both(vectorized, serial, 2_500, 3, num_actions) >= least_episodes
    for run in range(3):
        state = np.asarray(serial._envs[run].env.unwrapped.state, dtype=np.float64)
        np.testing.assert_array_equal(vectorized.state[run], state)
