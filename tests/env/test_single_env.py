import numpy as np
import pytest
from gymnasium import spaces

from dqn_exp.env.arguments import EnvArguments
from dqn_exp.env.gymnasium_env import limit_of
from dqn_exp.env.results import InterfaceError
from dqn_exp.env.single_env import SingleEnv
from tests import odd_envs


def make(name: str) -> SingleEnv:
    return SingleEnv(EnvArguments(f"Odd{name}-v0"))


def test_the_shape_is_that_of_the_spaces():
    assert SingleEnv(EnvArguments("CartPole-v1")).shape == (4, 2, None)
    assert SingleEnv(EnvArguments("Acrobot-v1", 10)).shape == (6, 3, None)


def test_the_time_limit_is_the_one_given_or_the_registered_one():
    for given, expected in ((None, 500), (7, 7)):
        arguments = EnvArguments("CartPole-v1", given)
        assert SingleEnv(arguments).env.spec.max_episode_steps == expected
        assert limit_of(arguments) == expected
    assert limit_of(EnvArguments("OddEndless-v0")) is None


@pytest.mark.parametrize("name", ["RewardInArray", "RewardInteger", "NumpyFlags", "AsColumn"])
def test_harmless_results_are_those_of_the_sound_twin(name):
    odd, sound = make(name), make("Corridor")
    np.testing.assert_array_equal(odd.reset(3), sound.reset(3))
    for action in (0, 1, 0, 1, 1):
        found, expected = odd.step(action), sound.step(action)
        np.testing.assert_array_equal(found[0], expected[0])
        assert found[1:] == expected[1:] and [type(one) for one in found[1:]] == [float, bool, bool]


def test_actions_begin_at_0_and_reach_the_environment_as_integers_of_numpy():
    env = make("FromFive")
    env.reset(0)
    env.step(1)
    assert env.step(1)[1:3] == (1.0, True)


def test_a_reward_that_is_not_finite_is_an_error_when_it_comes():
    env = make("NanReward")
    env.reset(8)
    env.step(0)
    with pytest.raises(InterfaceError, match="the reward is nan"):
        env.step(0)


def test_a_reward_beyond_single_precision_is_an_error():
    env = make("HugeReward")
    env.reset(8)
    with pytest.raises(InterfaceError, match=r"the reward is 1e\+39, which single precision"):
        env.step(0)


def test_enormous_but_finite_observations_are_none():
    class Enormous(odd_envs.Corridor):
        def observe(self):
            return np.full(3, 3e38, dtype=np.float32)

    env = SingleEnv(EnvArguments("OddCorridor-v0"), env=Enormous())
    assert env.reset(0).tolist() == np.full(3, 3e38, dtype=np.float32).tolist()


def test_an_environment_of_another_space_is_refused_with_its_key():
    with pytest.raises(ValueError, match=r"^env\.id: expected discrete actions"):
        SingleEnv(EnvArguments("Pendulum-v1"))
    with pytest.raises(ValueError, match=r"^env\.kwargs: CartPole-v1 cannot be made with"):
        SingleEnv(EnvArguments("CartPole-v1", None, {"gravity": 3}))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("size", [1, 2, 1_000])
def test_one_number_that_is_not_finite_is_found_wherever_it_is(bad, size):
    class Bad(odd_envs.Corridor):
        observation_space = spaces.Box(-np.inf, np.inf, (size,), np.float64)

        def observe(self):
            row = np.full(size, -3e38)
            row[self.place] = bad
            return row

    env = Bad()
    single = SingleEnv(EnvArguments("OddCorridor-v0"), env=env)
    for env.place in {0, size // 2, size - 1}:
        with pytest.raises(InterfaceError, match="the observation is not finite"):
            single.reset(0)
