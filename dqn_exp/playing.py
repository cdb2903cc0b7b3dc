"""Plays episodes with what a run has learned, to be seen."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import gymnasium
import numpy as np
import numpy.typing as npt

from dqn_exp.gymnasium_env import make_single
from dqn_exp.movie import Frame, Gif, Movie

QValues = Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float32]]
"""Maps observations `[E, D]`, as an environment gives them, to values Q `[E, A]`."""

FPS = 30
"""Frames a second where an environment does not tell how many."""


class PlayedEpisode(NamedTuple):
    """An episode of a greedy policy.

    return_: undiscounted.
    length: in steps.
    terminated: whether it came to an end of its own; else the time limit has cut it.
    """

    seed: int
    return_: float
    length: int
    terminated: bool


def make_visible(
    env_id: str, max_episode_steps: int | None, kwargs: dict[str, Any], mode: str | None
) -> gymnasium.Env[Any, Any]:
    """Builds an environment that can be seen.

    Args:
        env_id: a registered id.
        max_episode_steps: the time limit; None for the registered one.
        kwargs: arguments of the environment.
        mode: rgb_array for pictures, human for a window, None for neither.

    Raises:
        ValueError: if there is no such environment, or it cannot be seen so.
    """
    if mode == "rgb_array":  # Otherwise what draws the frames looks for a screen.
        os.environ.setdefault("SDL_VIDEODRIVER", "dummy")
    env = make_single(env_id, max_episode_steps, kwargs)
    if mode is None:
        return env
    known = env.metadata.get("render_modes", [])
    env.close()
    if mode not in known:
        raise ValueError(
            f"env.id: expected an environment with the render mode {mode}, which pictures need; "
            f"{env_id} has {', '.join(map(str, known)) or 'none'}."
        )
    return make_single(env_id, max_episode_steps, {**kwargs, "render_mode": mode})


def check_visible(env_id: str, max_episode_steps: int | None, kwargs: dict[str, Any]) -> None:
    """Raises ValueError, naming the key, if there can be no pictures of an environment."""
    try:
        env = make_visible(env_id, max_episode_steps, kwargs, "rgb_array")
        try:
            env.reset(seed=0)
            _film(env, [Gif(FPS)])
        finally:
            env.close()
    except ValueError as error:
        raise ValueError(f"log.video: {error}") from error


def fps_of(env: gymnasium.Env[Any, Any]) -> float:
    """Returns how many frames a second an environment is meant to be seen with."""
    return float(env.metadata.get("render_fps") or FPS)


def play(
    env: gymnasium.Env[Any, Any],
    q_values: QValues,
    seeds: Iterable[int],
    movies: Sequence[Movie] = (),
) -> Iterator[PlayedEpisode]:
    """Plays one episode a seed with greedy actions, and adds all frames to some movies.

    Raises:
        ValueError: if what draws the frames is not installed.
    """
    for seed in seeds:
        observation, _ = env.reset(seed=seed)
        _film(env, movies)
        total, length, terminated, truncated = 0.0, 0, False, False
        while not (terminated or truncated):
            row = np.ravel(observation).astype(np.float32)[None]
            action = int(q_values(row)[0].argmax())
            observation, reward, terminated, truncated, _ = env.step(action)
            _film(env, movies)
            total, length = total + float(reward), length + 1
        yield PlayedEpisode(seed, total, length, bool(terminated))


def _film(env: gymnasium.Env[Any, Any], movies: Sequence[Movie]) -> None:
    if not movies:
        return
    try:
        frame: Frame = env.render()  # type: ignore[assignment]
    except gymnasium.error.DependencyNotInstalled as error:
        raise ValueError(
            f"Pictures need pip install -c constraints.txt -e '.[video]' ({error})."
        ) from error
    for movie in movies:
        movie.add(frame)
