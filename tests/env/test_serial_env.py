"""Environments in Python, one object per run."""

import numpy as np
import pytest

from dqn_exp.env.serial_env import SerialVectorEnv
from tests import probes

probes.register()


def make(count: int, env_id: str = "ProbeCounting-v0", **kwargs) -> SerialVectorEnv:
    env = SerialVectorEnv(env_id, 30, kwargs, count)
    env.reset(np.arange(count), np.arange(count) + 10)
    return env


def test_an_environment_that_raises_keeps_the_others_going():
    env = make(3, longest=30, is_broken_at=2)
    env._envs[1].unwrapped._is_broken_at = None
    env._envs[1].unwrapped.ends = 30
    for _ in range(3):
        result = env.step(np.zeros(3, dtype=np.int64))
    assert set(env.errors) == {0, 2} and isinstance(env.errors[0], RuntimeError)
    assert result.rewards[1] == 3.0


def test_only_active_environments_are_stepped():
    env = make(3, longest=30)
    env.step(np.zeros(3, dtype=np.int64), np.array([True, False, True]))
    assert [len(env.state_dict(run)["actions"]) for run in range(3)] == [1, 0, 1]


def test_errors_move_with_their_rows():
    env = make(3)
    first, last = RuntimeError("first"), RuntimeError("last")
    env.errors.update({0: first, 2: last})
    env.retire(0)
    assert env.errors == {0: last}


def test_an_episode_is_its_seed_and_its_actions():
    env = make(2, longest=30)
    for action in (0, 2, 1):
        observation = env.step(np.array([action, action])).observations[1]
    saved = env.state_dict(1)
    assert saved["seed"] == 11 and saved["actions"].tolist() == [0, 2, 1]
    other = make(1, longest=30)
    assert other.restore(0, saved, observation) is None
    np.testing.assert_array_equal(
        other.step(np.array([1])).observations[0], env.step(np.array([0, 1])).observations[1]
    )


def test_an_episode_that_repeats_differently_is_told():
    env = make(1, longest=30)
    observation = env.step(np.array([0])).observations[0]
    problem = make(1, longest=30).restore(0, env.state_dict(0), observation + 1)
    assert "repeating its 1 steps led to another observation" in problem


@pytest.mark.parametrize("env_id", ["Pendulum-v1", "FrozenLake-v1"])
def test_spaces_that_dqn_does_not_know_are_refused(env_id):
    with pytest.raises(ValueError, match=r"env\.id: expected an environment"):
        SerialVectorEnv(env_id, None, {}, 1)
