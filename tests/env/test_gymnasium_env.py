import gymnasium
import numpy as np
import pytest

from dqn_exp.env.gymnasium_env import EnvShape, describe, find_spec, make_single
from dqn_exp.env.make import make_vector_env
from tests import probes

probes.register()


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


def test_an_id_may_name_the_module_that_registers_it(tmp_path, monkeypatch):
    text = (
        "import gymnasium\n"
        "from tests.probes import ActionReward\n"
        "gymnasium.register('Mine-v0', entry_point=ActionReward, max_episode_steps=5)\n"
    )
    (tmp_path / "its_module.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    assert describe("its_module:Mine-v0", None, {}) == (1, 2)
    environments = make_vector_env("its_module:Mine-v0", None, {}, 2)
    assert environments.reset(np.arange(2), np.arange(2)).shape == (2, 1)


@pytest.mark.parametrize(
    ("env_id", "kwargs", "message"),
    [
        ("CartPoel-v1", {}, r"env.id: Environment `CartPoel` doesn't exist"),
        ("Pendulum-v1", {}, r"expected an environment with discrete actions, .* got Pendulum-v1"),
        ("FrozenLake-v1", {}, r"observations are a Box, got FrozenLake-v1"),
        ("CartPole-v1", {"gravity": 3}, r"env.kwargs: CartPole-v1 cannot be made with"),
        ("ProbeUnlimited-v0", {}, r"env.max_episode_steps: expected a limit"),
    ],
)
def test_environments_in_which_dqn_cannot_be_trained_are_refused(env_id, kwargs, message):
    if "ProbeUnlimited-v0" not in gymnasium.registry:
        gymnasium.register("ProbeUnlimited-v0", entry_point=probes.ConstantReward)
    with pytest.raises(ValueError, match=message):
        describe(env_id, None, kwargs)
