import gymnasium
import pytest

from dqn_exp.env.gymnasium_env import EnvShape, describe, find_spec, make_single


def test_the_shape_is_that_of_the_spaces():
    assert describe("CartPole-v1", None, {}) == EnvShape(4, 2)
    assert describe("Acrobot-v1", 10, {}) == EnvShape(6, 3)


def test_the_time_limit_is_the_one_given_or_the_registered_one():
    for given, expected in ((None, 500), (7, 7)):
        env = make_single("CartPole-v1", given, {})
        assert env.spec.max_episode_steps == expected
        env.close()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("NoSuchEnv-v0", None, {}), "env.id: "),
        (("no_such_module:Env-v0", None, {}), "env.id: No module named"),
        (("CartPole-v1", None, {"colour": 1}), "env.kwargs: CartPole-v1 cannot be made with"),
        (("Pendulum-v1", None, {}), "env.id: expected an environment with discrete actions"),
    ],
)
def test_each_mistake_names_its_key(arguments, message):
    with pytest.raises(ValueError) as caught:
        describe(*arguments)
    assert str(caught.value).startswith(message)


def test_an_environment_without_a_limit_needs_one():
    name = "Endless-v0"
    gymnasium.register(name, entry_point="gymnasium.envs.classic_control.cartpole:CartPoleEnv")
    try:
        with pytest.raises(ValueError, match=r"env\.max_episode_steps: expected a limit"):
            describe(name, None, {})
        assert describe(name, 5, {}) == EnvShape(4, 2)
        assert find_spec(name).id == name
    finally:
        del gymnasium.registry[name]
