"""Episodes of a trained policy that are watched or filmed."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import gymnasium
import numpy as np

from dqn_exp.core.arrays import Float32Array
from dqn_exp.env.gymnasium_env import make_single
from dqn_exp.env.video import Frame, Gif, Video

QValues = Callable[[Float32Array], Float32Array]
"""Maps observations `[E, D]`, as an environment returns them, to values Q `[E, A]`."""

FPS = 30
"""Frames per second of environments that do not specify it."""


class PlayedEpisode(NamedTuple):
    """An episode of a greedy policy.

    Attributes:
        seed: of the episode.
        return_: undiscounted return.
        length: in steps.
        terminated: whether the task ended, rather than the time limit.
    """

    seed: int
    return_: float
    length: int
    terminated: bool


def make_visible(
    env_id: str, max_episode_steps: int | None, kwargs: dict[str, Any], mode: str | None
) -> gymnasium.Env[Any, Any]:
    """Makes an environment with a render mode.

    Args:
        env_id: a registered id.
        max_episode_steps: time limit; None for the registered one.
        kwargs: keyword arguments of the environment.
        mode: rgb_array for images, human for a window, None for neither.

    Raises:
        ValueError: If the environment cannot be made, or does not support the mode.
    """
    if mode == "rgb_array":  # Otherwise SDL looks for a screen.
        os.environ.setdefault("SDL_VIDEODRIVER", "dummy")
    env = make_single(env_id, max_episode_steps, kwargs)
    if mode is None:
        return env
    known = env.metadata.get("render_modes", [])
    env.close()
    if mode not in known:
        raise ValueError(
            f"env.id: expected an environment with the render mode {mode}, which images need; "
            f"{env_id} has {', '.join(map(str, known)) or 'none'}."
        )
    return make_single(env_id, max_episode_steps, {**kwargs, "render_mode": mode})


def check_visible(env_id: str, max_episode_steps: int | None, kwargs: dict[str, Any]) -> None:
    """Raises ValueError, with the key, if an environment cannot be filmed."""
    try:
        env = make_visible(env_id, max_episode_steps, kwargs, "rgb_array")
        try:
            env.reset(seed=0)
            _film(env, [Gif(FPS)])
        finally:
            env.close()
    except (ValueError, ImportError) as error:
        raise ValueError(f"log.video: {error}") from error


def fps_of(env: gymnasium.Env[Any, Any]) -> float:
    """Returns the frames per second of an environment."""
    return float(env.metadata.get("render_fps") or FPS)


def play(
    env: gymnasium.Env[Any, Any],
    q_values: QValues,
    seeds: Iterable[int],
    videos: Sequence[Video] = (),
) -> Iterator[PlayedEpisode]:
    """Plays one episode per seed with greedy actions, and adds all frames to the videos.

    Raises:
        ValueError: If the library that renders the frames is not installed.
    """
    for seed in seeds:
        observation, _ = env.reset(seed=seed)
        _film(env, videos)
        total, length, terminated, truncated = 0.0, 0, False, False
        while not (terminated or truncated):
            row = np.ravel(observation).astype(np.float32)[None]
            action = int(q_values(row)[0].argmax())
            observation, reward, terminated, truncated, _ = env.step(action)
            _film(env, videos)
            total, length = total + float(reward), length + 1
        yield PlayedEpisode(seed, total, length, bool(terminated))


def _film(env: gymnasium.Env[Any, Any], videos: Sequence[Video]) -> None:
    if not videos:
        return
    try:
        frame: Frame = env.render()  # type: ignore[assignment]
    except gymnasium.error.DependencyNotInstalled as error:
        raise ValueError(f"{error} Install it with: pip install 'dqn-exp[video]'") from error
    for video in videos:
        video.add(frame)
