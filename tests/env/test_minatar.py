"""The games of MinAtar against the package itself, and their saved states."""

import gymnasium
import numpy as np
import pytest

from dqn_exp.env.arguments import EnvArguments
from dqn_exp.env.minatar import GAMES
from dqn_exp.env.registry import find_spec
from dqn_exp.env.serial_env import SerialVectorEnv
from dqn_exp.env.single_env import SingleEnv

minatar = pytest.importorskip("minatar")


@pytest.mark.parametrize("game", GAMES)
@pytest.mark.parametrize("version", [0, 1])
def test_a_game_is_that_of_the_package(game, version):
    env = gymnasium.make(find_spec(f"minatar/{game}-v{version}"))
    reference = minatar.Environment(game)
    actions = reference.minimal_action_set() if version else list(range(6))
    assert env.action_space.n == len(actions)
    generator = np.random.default_rng(0)
    for seed in (3, 4):
        reference.seed(seed)
        reference.last_action = 0
        reference.reset()
        observation, _ = env.reset(seed=seed)
        for _ in range(300):
            np.testing.assert_array_equal(observation, reference.state())
            action = int(generator.integers(len(actions)))
            expected = reference.act(actions[action])
            observation, reward, terminated, truncated, _ = env.step(action)
            assert (reward, terminated, truncated) == (*expected, False)
            if terminated:
                break


@pytest.mark.parametrize("game", GAMES)
def test_a_saved_game_goes_on_as_if_nothing_had_happened(game):
    # A repeated action shows whether the last one was restored.
    arguments = EnvArguments(f"minatar/{game}-v1", None, {"sticky_action_prob": 0.5})
    first, second = (SerialVectorEnv(arguments, 1, returns_frames=True) for _ in range(2))
    generator, run = np.random.default_rng(1), np.zeros(1, dtype=np.int64)
    newest = first.reset(run, np.array([5]))[0]
    for _ in range(200):
        assert second.restore(0, first.state_dict(0), newest, 0.0) is None
        for _ in range(2):
            action = int(generator.integers(first.shape.num_actions))
            ours, theirs = second.step_one(0, action), first.step_one(0, action)
            np.testing.assert_array_equal(ours[0], theirs[0])
            assert ours[1:] == theirs[1:]
            newest = theirs[0]
            if theirs[2]:
                newest = first.reset_one(0, 6)
                break


def test_a_game_that_was_never_seeded_is_saved_as_well():
    envs = [gymnasium.make(find_spec("minatar/asterix-v1")).unwrapped for _ in range(2)]
    for env in envs:
        env.reset()
    envs[1].load_state_dict(envs[0].state_dict())
    for step in range(100):
        ours, theirs = (env.step(step % 5) for env in envs)
        np.testing.assert_array_equal(ours[0], theirs[0])
        if ours[2]:
            for env in envs:
                env.reset()


def test_an_episode_is_a_function_of_its_seed_and_actions():
    """The last action of an episode, which may be repeated, does not reach into the next one."""
    env = SingleEnv(EnvArguments("minatar/breakout-v1"))
    returns = []
    for before in (0, 1, 2):
        env.reset(9)
        env.step(before)
        observations = [env.reset(4), *(env.step(0)[0] for _ in range(8))]
        returns.append(np.stack(observations))
    assert all(np.array_equal(returns[0], one) for one in returns)
