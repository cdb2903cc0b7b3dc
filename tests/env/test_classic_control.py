"""Vectorized environments, and their serial counterparts."""

import numpy as np
import pytest

from dqn_exp.env.arguments import EnvArguments
from dqn_exp.env.make import make_vector_env


def test_a_run_has_the_same_episode_whatever_is_beside_it():
    seeds, actions = np.array([5, 6, 7]), np.random.default_rng(0).integers(0, 2, (60, 3))
    together = make_vector_env(EnvArguments("CartPole-v1", 500), 3)
    first = together.reset(np.arange(3), seeds)
    outcomes = [together.step(row) for row in actions]
    for run in range(3):
        alone = make_vector_env(EnvArguments("CartPole-v1", 500), 1)
        np.testing.assert_array_equal(alone.reset(np.array([0]), seeds[[run]])[0], first[run])
        for row, outcome in zip(actions, outcomes, strict=True):
            found = alone.step(row[[run]])
            np.testing.assert_array_equal(found.observations[0], outcome.observations[run])


@pytest.mark.parametrize("env_id", ["CartPole-v1", "Acrobot-v1"])
def test_a_retired_run_gives_its_place_to_the_last_one(env_id):
    first, second = (make_vector_env(EnvArguments(env_id), 4) for _ in range(2))
    for environments in (first, second):
        environments.reset(np.arange(4), np.arange(4))
        environments.step(np.array([0, 1, 0, 1]))
    first.retire(1)
    found, expected = first.step(np.array([1, 0, 1])), second.step(np.array([1, 0, 1, 0]))
    np.testing.assert_array_equal(found.observations, expected.observations[[0, 3, 2]])
    first.retire(2)
    found, expected = first.step(np.array([0, 1])), second.step(np.array([0, 0, 0, 1]))
    np.testing.assert_array_equal(found.observations, expected.observations[[0, 3]])
    first.close()


@pytest.mark.parametrize("env_id", ["CartPole-v1", "Acrobot-v1"])
def test_an_open_episode_is_brought_back(env_id):
    first, second = (make_vector_env(EnvArguments(env_id), 2) for _ in range(2))
    first.reset(np.arange(2), np.array([3, 4]))
    second.reset(np.arange(2), np.array([8, 9]))
    for action in (0, 1, 1, 0):
        observation = first.step(np.array([action, action])).observations[1]
    assert second.restore(0, first.state_dict(1), observation, 0.0) is None
    for action in (1, 0, 1):
        expected = first.step(np.array([0, action])).observations[1]
        found = second.step(np.array([action, 0])).observations[0]
        np.testing.assert_array_equal(found, expected)
