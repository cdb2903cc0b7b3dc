"""Atari games: lives, saved states, and the emulator's own results."""

import numpy as np
import pytest

from dqn_exp.env import atari
from dqn_exp.env.arguments import EnvArguments
from dqn_exp.env.atari import Atari
from dqn_exp.env.registry import find_spec
from dqn_exp.env.serial_env import SerialVectorEnv
from dqn_exp.env.single_env import SingleEnv

vector_env, roms = (pytest.importorskip(f"ale_py.{name}") for name in ("vector_env", "roms"))


def make(game: str = "breakout", **kwargs: object) -> SingleEnv:
    return SingleEnv(EnvArguments(f"atari/{game}-v5", None, kwargs), returns_frames=True)


def test_frames_and_rewards_are_those_of_the_emulator():
    env = make("pong", sticky_action_prob=0.0)
    games = vector_env.AtariVectorEnv(
        "pong", num_envs=1, stack_num=1, reward_clipping=False, use_fire_reset=False
    )
    first = env.reset(7)
    expected, _ = games.reset(seed=np.array([7]))
    np.testing.assert_array_equal(first, expected.ravel())
    generator = np.random.default_rng(0)
    for action in generator.integers(6, size=200).tolist():
        frame, reward, terminated, truncated = env.step(action)
        frames, rewards, *ends, _ = games.step(np.array([action]))
        np.testing.assert_array_equal(frame, frames.ravel())
        assert (reward, terminated, truncated) == (rewards[0], *(one[0] for one in ends))


def test_games_that_play_at_once_play_as_alone():
    arguments, actions = EnvArguments("atari/pong-v5", None, {}), np.random.default_rng(0)
    together, alone = (SerialVectorEnv(arguments, 3, returns_frames=True) for _ in range(2))
    for env in (together, alone):
        env.reset(np.arange(3), np.array([4, 5, 6]))
    for _ in range(60):
        chosen = actions.integers(6, size=3)
        found = together.step(chosen)
        for run, action in enumerate(chosen.tolist()):
            frame, reward, *ends = alone.step_one(run, action)
            np.testing.assert_array_equal(found.observations[run], frame)
            assert [found.rewards[run], found.terminated[run], found.truncated[run]] == [
                reward, *ends
            ]  # fmt: skip


def play_until_end(env: SingleEnv, generator: np.random.Generator) -> int:
    for step in range(1, 5_000):
        _, _, terminated, truncated = env.step(int(generator.integers(env.shape.num_actions)))
        if terminated or truncated:
            return step
    raise AssertionError("The game has no end.")


def test_a_truncated_game_ends_with_the_frame_of_its_last_step(monkeypatch):
    """The emulator's own limit would end the step in its middle."""
    monkeypatch.setattr(atari, "MOST_FRAMES", 401)
    env = make(sticky_action_prob=0.0)
    unlimited = vector_env.AtariVectorEnv(
        "breakout", num_envs=1, stack_num=1, reward_clipping=False, use_fire_reset=False
    )
    for seed in range(5):
        env.reset(seed)
        unlimited.reset(seed=np.array([seed]))
        generator = np.random.default_rng(seed)
        for step in range(1, 102):
            action = int(generator.integers(4))
            frame, reward, terminated, truncated = env.step(action)
            frames, rewards, ends, *_ = unlimited.step(np.array([action]))
            np.testing.assert_array_equal(frame, frames.ravel())
            assert (reward, terminated, truncated) == (rewards[0], ends[0], step == 101)


def test_a_lost_life_ends_an_episode_and_the_game_goes_on():
    env, generator = make(episodic_life=True), np.random.default_rng(0)
    env.reset(3)
    game, num_games = env.env.unwrapped, 0
    lives = []
    for seed in range(100, 107):
        play_until_end(env, generator)
        lives.append(game._lives)
        newest = game._newest.ravel().copy()
        first = env.reset(seed)
        num_games += game._seed == seed
        assert np.array_equal(first, newest) == (lives[-1] > 0)
    assert lives[:5] == [4, 3, 2, 1, 0] and num_games == 1


@pytest.mark.parametrize("episodic_life", [False, True])
def test_a_saved_game_goes_on_as_if_nothing_had_happened(episodic_life):
    arguments = EnvArguments("atari/breakout-v5", None, {"episodic_life": episodic_life})
    first, second = (SerialVectorEnv(arguments, 1, returns_frames=True) for _ in range(2))
    generator = np.random.default_rng(1)

    def step(envs: list[SerialVectorEnv], seed: int) -> list:
        action = int(generator.integers(4))
        results = [one.step_one(0, action) for one in envs]
        if results[0][2]:
            return [one.reset_one(0, seed) for one in envs]
        return [result[0] for result in results]

    newest = first.reset_one(0, 5)
    for index in range(150):
        (newest,) = step([first], index)
    assert second.restore(0, first.state_dict(0), newest, 0.0) is None
    for index in range(250):
        ours, theirs = step([first, second], index)
        np.testing.assert_array_equal(ours, theirs)


def test_a_game_that_an_emulator_plays_otherwise_is_not_taken_for_the_saved_one():
    envs = [
        SerialVectorEnv(EnvArguments("atari/breakout-v5", None, own), 1, returns_frames=True)
        for own in ({}, {"sticky_action_prob": 0.0})
    ]
    newest = envs[0].reset_one(0, 5)
    for step in range(50):
        newest = envs[0].step_one(0, step % 4)[0]
    problem = envs[1].restore(0, envs[0].state_dict(0), newest, 0.0)
    assert problem is not None and "repeating 50 steps led to another frame" in problem


@pytest.mark.parametrize(
    ("env_id", "own"),
    [("ALE/Pong-v5", "atari/pong-v5"), ("ALE/SpaceInvaders-v5", "atari/space_invaders-v5")],
)
def test_ids_of_ale_are_the_same_games(env_id, own):
    assert find_spec(env_id).id == own


def test_all_ids_of_ale_are_found():
    for rom in roms.get_all_rom_ids():
        name = f"ALE/{rom.title().replace('_', '')}-v5"  # As ale-py registers them.
        assert find_spec(name).id == f"atari/{rom}-v5"


def test_games_after_a_seeded_one_are_a_function_of_its_seed():
    frames = []
    for _ in range(2):
        env = Atari("pong")
        env.reset(seed=3)
        env.reset()
        for action in range(9):
            env.step(action % 6)
        frames.append((env._seed, env._newest.tobytes()))
    assert frames[0] == frames[1]


@pytest.mark.parametrize("probability", [-0.1, 2])
def test_a_probability_is_from_0_to_1(probability):
    with pytest.raises(ValueError, match="sticky_action_prob: expected a number from 0 to 1"):
        Atari("pong", sticky_action_prob=probability)
