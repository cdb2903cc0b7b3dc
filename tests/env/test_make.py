import gymnasium
import numpy as np
import pytest

from dqn_exp.env.classic_control import ClassicControlVectorEnv
from dqn_exp.env.gymnasium_env import describe
from dqn_exp.env.make import make_vector_env
from dqn_exp.env.serial_env import SerialVectorEnv
from dqn_exp.env.vector_env import VectorEnv
from tests import probes

probes.register()


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
        ("CartPole-v1", {}, 500, 2, 1_000),
        ("CartPole-v1", {}, 15, 2, 2_000),
        ("CartPole-v1", {"sutton_barto_reward": True}, 500, 2, 1_000),
        ("Acrobot-v1", {}, 500, 3, 60),
        ("MountainCar-v0", {}, 200, 3, 150),
        ("MountainCar-v0", {"goal_velocity": 0.01}, 3_000, 3, 9),
    ],
)
def test_classic_control_in_one_call_is_that_of_gymnasium_step_by_step(
    env_id, kwargs, limit, num_actions, least_episodes
):
    vectorised = make_vector_env(env_id, limit, kwargs, 3)
    assert isinstance(vectorised, ClassicControlVectorEnv)
    serial = SerialVectorEnv(env_id, limit, kwargs, 3)
    assert play_both(vectorised, serial, 10_000, 3, num_actions) >= least_episodes
    for run in range(3):
        state = np.asarray(serial._envs[run].unwrapped.state, dtype=np.float64)
        np.testing.assert_array_equal(vectorised.state[run], state)


def test_other_arguments_lead_to_the_environment_of_gymnasium_itself():
    for env_id, kwargs in (("Acrobot-v1", {"render_mode": "rgb_array"}), ("CartPole-v1", None)):
        environments = make_vector_env(env_id, None, kwargs or {}, 1)
        assert isinstance(environments, SerialVectorEnv) == (kwargs is not None)


def test_a_run_has_the_same_episode_whatever_is_beside_it():
    seeds, actions = np.array([5, 6, 7]), np.random.default_rng(0).integers(0, 2, (60, 3))
    together = make_vector_env("CartPole-v1", 500, {}, 3)
    first = together.reset(np.arange(3), seeds)
    outcomes = [together.step(row) for row in actions]
    for run in range(3):
        alone = make_vector_env("CartPole-v1", 500, {}, 1)
        np.testing.assert_array_equal(alone.reset(np.array([0]), seeds[[run]])[0], first[run])
        for row, outcome in zip(actions, outcomes, strict=True):
            found = alone.step(row[[run]])
            np.testing.assert_array_equal(found.observations[0], outcome.observations[run])


@pytest.mark.parametrize("env_id", ["CartPole-v1", "Acrobot-v1"])
def test_a_retired_run_gives_its_place_to_the_last_one(env_id):
    first, second = (make_vector_env(env_id, None, {}, 4) for _ in range(2))
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
    first, second = (make_vector_env(env_id, None, {}, 2) for _ in range(2))
    first.reset(np.arange(2), np.array([3, 4]))
    second.reset(np.arange(2), np.array([8, 9]))
    for action in (0, 1, 1, 0):
        observation = first.step(np.array([action, action])).observations[1]
    assert second.restore(0, first.state_dict(1), observation) is None
    for action in (1, 0, 1):
        expected = first.step(np.array([0, action])).observations[1]
        found = second.step(np.array([action, 0])).observations[0]
        np.testing.assert_array_equal(found, expected)


def test_the_limit_of_an_environment_is_the_registered_one_unless_told():
    for env_id, limit, length in (("CartPole-v1", 3, 3), ("Acrobot-v1", None, 500)):
        environments = make_vector_env(env_id, limit, {}, 1)
        environments.reset(np.array([0]), np.array([0]))
        for step in range(1, length + 1):
            outcome = environments.step(np.array([0]))
            assert outcome.truncated[0] == (step == length)


def test_observations_are_flattened_and_actions_begin_where_the_environment_has_it():
    environments = make_vector_env("ProbeCounting-v0", 30, {}, 2)
    assert environments.reset(np.arange(2), np.arange(2)).shape == (2, 4)
    outcome = environments.step(np.array([0, 2]))
    assert outcome.observations[:, 3].tolist() == [0.0, 2.0]
    assert describe("ProbeCounting-v0", None, {}) == (4, 3)


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
