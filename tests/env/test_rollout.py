"""Episodes of a policy that are shown."""

import gymnasium
import numpy as np
import pytest

from dqn_exp.core.errors import EpisodeError
from dqn_exp.env.arguments import EnvArguments
from dqn_exp.env.rollout import FPS, check_visible, fps_of, make_visible, play
from dqn_exp.env.single_env import SingleEnv
from tests import odd_envs, probes  # noqa: F401  (Registers environments.)

probes.register()


class Frames:
    """Counts frames."""

    def __init__(self) -> None:
        self.shapes: list[tuple[int, ...]] = []

    def add(self, frame) -> None:
        self.shapes.append(frame.shape)


def right(observations: np.ndarray) -> np.ndarray:
    return np.tile([0.0, 1.0], (len(observations), 1))


def test_a_policy_is_played_as_gymnasium_plays_its_actions():
    env = make_visible(EnvArguments("CartPole-v1", 30), None)
    played = list(play(env, right, [3, 4]))
    naive = gymnasium.make("CartPole-v1", max_episode_steps=30)
    for seed, found in zip((3, 4), played, strict=True):
        naive.reset(seed=seed)
        rewards, terminated, truncated = [], False, False
        while not (terminated or truncated):
            _, reward, terminated, truncated, _ = naive.step(1)
            rewards.append(reward)
        assert found == (seed, sum(rewards), len(rewards), terminated)


def test_every_observation_is_a_frame():
    env, frames = make_visible(EnvArguments("CartPole-v1", 5), "rgb_array"), Frames()
    (episode,) = play(env, right, [0], [frames])
    env.close()
    assert len(frames.shapes) == episode.length + 1 and frames.shapes[0][2] == 3


def test_frames_per_second_are_those_of_the_environment():
    env = SingleEnv(EnvArguments("CartPole-v1"))
    assert fps_of(env) == 50
    env.env.unwrapped.metadata = {}
    assert fps_of(env) == FPS


def test_an_environment_without_images_is_refused_with_the_key():
    check_visible(EnvArguments("CartPole-v1", 5))
    with pytest.raises(ValueError, match=r"log\.video: env\.id: .* render mode rgb_array"):
        check_visible(EnvArguments("ProbeWalk-v0"))


def test_actions_that_do_not_begin_at_0_are_those_of_the_environment():
    env = make_visible(EnvArguments("OddFromFive-v0"), None)
    (episode,) = play(env, right, [0])
    assert episode == (0, 1.0, 2, True)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("RenderRaises", r"rendering OddRenderRaises-v0 raised RuntimeError: no paint \(odd_envs"),
        ("RenderExits", r"rendering OddRenderExits-v0 raised SystemExit: 0 \(odd_envs"),
        ("RenderNothing", r"expected an image from render, an array \[H, W, 3\], got None"),
    ],
)
def test_an_environment_that_cannot_be_filmed_is_refused(name, message):
    with pytest.raises(ValueError, match=rf"^log\.video: {message}"):
        check_visible(EnvArguments(f"Odd{name}-v0"))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Exits", r"The environment raised SystemExit: bye .*, at step 2"),
        ("NoDoor", r"The environment raised ValueError: no such door .*, at step 1"),
        ("HugeReward", r"The environment: the reward .*, at step 1"),
    ],
)
def test_an_environment_that_fails_is_told_with_its_episode(name, message):
    env = make_visible(EnvArguments(f"Odd{name}-v0"), None)
    message += r" of an episode \(seed 8\)"
    with pytest.raises(EpisodeError, match=message):
        list(play(env, lambda observations: np.array([[1.0, 0.0]]), [8]))
