"""Environments in Python, one object per run."""

import gymnasium
import numpy as np
from gymnasium import spaces

from dqn_exp.core.errors import EpisodeError
from dqn_exp.env.arguments import EnvArguments
from dqn_exp.env.serial_env import SerialVectorEnv
from dqn_exp.env.single_env import SingleEnv
from tests import odd_envs, probes

probes.register()


def make(count: int, env_id: str = "ProbeCounting-v0", **kwargs) -> SerialVectorEnv:
    env = SerialVectorEnv(EnvArguments(env_id, 30, kwargs), count)
    env.reset(np.arange(count), np.arange(count) + 10)
    return env


def test_an_environment_that_raises_keeps_the_others_going():
    env = make(3, longest=30, is_broken_at=2)
    env._envs[1].env.unwrapped._is_broken_at = None
    env._envs[1].env.unwrapped.ends = 30
    for _ in range(3):
        result = env.step(np.zeros(3, dtype=np.int64))
    assert set(env.errors) == {0, 2} and isinstance(env.errors[0], EpisodeError)
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
    return_ = 0.0
    for action in (0, 2, 1):
        result = env.step(np.array([action, action]))
        observation, return_ = result.observations[1], return_ + float(result.rewards[1])
    saved = env.state_dict(1)
    assert saved["seed"] == 11 and saved["actions"].tolist() == [0, 2, 1]
    other = make(1, longest=30)
    assert other.restore(0, saved, observation, return_) is None
    np.testing.assert_array_equal(
        other.step(np.array([1])).observations[0], env.step(np.array([0, 1])).observations[1]
    )


def test_an_episode_that_repeats_differently_is_told():
    env = make(1, longest=30)
    observation = env.step(np.array([0])).observations[0]
    problem = make(1, longest=30).restore(0, env.state_dict(0), observation + 1, 1.0)
    assert "repeating its 1 step led to another observation" in problem


def test_an_error_tells_its_episode_and_where_it_was_raised():
    env = make(2, longest=30, is_broken_at=2)
    for action in (0, 2):
        env.step(np.array([action, 1]))
    error = env.errors[0]
    assert (error.seed, error.actions) == (10, [0, 2])
    assert str(error).startswith(
        "ProbeCounting-v0 raised RuntimeError: the environment is broken (p"
    )
    assert str(error).endswith("at step 2 of an episode (seed 10)")


def test_an_environment_that_leaves_the_process_ends_its_own_run_only():
    env = SerialVectorEnv(EnvArguments("OddExits-v0"), 2)
    env.reset(np.arange(2), np.array([8, 12]))
    for _ in range(2):
        env.step(np.zeros(2, dtype=np.int64))
    assert list(env.errors) == [0] and "raised SystemExit: bye (odd_envs.py" in str(env.errors[0])


def test_arrays_that_an_environment_changes_in_place_are_copied():
    env = SerialVectorEnv(EnvArguments("OddInPlace-v0"), 2)
    first = env.reset(np.arange(2), np.array([8, 12]))
    second = env.step(np.array([1, 0])).observations
    assert first.tolist() == [[1, 0, 0], [1, 0, 0]] and second.tolist() == [[0, 1, 0], [1, 0, 0]]


def test_steps_elsewhere_begin_before_one_is_waited_for():
    env = make(3, "OddElsewhere-v0")
    odd_envs.Elsewhere.log.clear()
    env._envs[1].env.unwrapped.is_broken = True
    result = env.step(np.array([0, 1, 1]))
    assert odd_envs.Elsewhere.log == ["begin 0", "begin 1", "begin 1", "step 0", "step 1"]
    assert result.observations.argmax(axis=1).tolist() == [0, 0, 1]
    assert set(env.errors) == {1} and env.errors[1].actions == [1]
    env.step(np.array([0, 0, 0]), np.array([False, False, True]))
    assert odd_envs.Elsewhere.log[5:] == ["begin 0", "step 0"]
    wrapped = gymnasium.wrappers.TransformAction(
        odd_envs.Elsewhere(), lambda one: 1 - one, spaces.Discrete(2)
    )
    assert not SingleEnv(EnvArguments("OddElsewhere-v0", None, {}), wrapped).can_begin


def test_an_environment_that_changes_its_arguments_changes_its_own_alone():
    layout = [[]]
    env = SerialVectorEnv(EnvArguments("OddChanging-v0", None, {"layout": layout}), 2)
    env.reset(np.arange(2), np.array([8, 12]))
    assert [one.env.unwrapped.layout for one in env._envs] == [[[8]], [[12]]] and layout == [[]]


def test_rewards_that_depend_on_earlier_episodes_are_told():
    name = "tests.odd_envs:with_statistics_of_rewards"
    env, other = (SerialVectorEnv(EnvArguments(name, None, {}), 1) for _ in range(2))
    for seed in (8, 12):
        env.reset(np.arange(1), np.array([seed]))
        results = [env.step(np.array([1])) for _ in range(3)]
    return_, newest = sum(float(one.rewards[0]) for one in results), results[-1].observations[0]
    problem = other.restore(0, env.state_dict(0), newest, return_)
    assert "repeating its 3 steps led to other rewards" in problem
