"""Episodes of a trained policy that are watched or filmed."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import gymnasium

from dqn_exp.core.arrays import Float32Array
from dqn_exp.env.single_env import EnvArguments, SingleEnv
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


def make_visible(arguments: EnvArguments, mode: str | None) -> SingleEnv:
    """Makes an environment with a render mode.

    Args:
        arguments: what it is made of.
        mode: rgb_array for images, human for a window, None for neither.

    Raises:
        ValueError: If the environment cannot be made, or does not support the mode.
    """
    if mode == "rgb_array":  # Otherwise SDL looks for a screen.
        os.environ.setdefault("SDL_VIDEODRIVER", "dummy")
    env = SingleEnv(arguments)
    if mode is None:
        return env
    known = env.env.metadata.get("render_modes", [])
    env.close()
    if mode not in known:
        raise ValueError(
            f"env.id: expected an environment with the render mode {mode}, which images need; "
            f"{arguments.id} has {', '.join(map(str, known)) or 'none'}."
        )
    return SingleEnv(arguments._replace(kwargs={**arguments.kwargs, "render_mode": mode}))


def check_visible(arguments: EnvArguments) -> None:
    """Raises ValueError, with the key, if an environment cannot be filmed."""
    try:
        env = make_visible(arguments, "rgb_array")
        try:
            env.reset(0)
            _film(env, [Gif(FPS)])
        finally:
            env.close()
    except (ValueError, ImportError) as error:
        raise ValueError(f"log.video: {error}") from error


def fps_of(env: SingleEnv) -> float:
    """Returns the frames per second of an environment."""
    return float(env.env.metadata.get("render_fps") or FPS)


def play(
    env: SingleEnv,
    q_values: QValues,
    seeds: Iterable[int],
    videos: Sequence[Video] = (),
) -> Iterator[PlayedEpisode]:
    """Plays one episode per seed with greedy actions, and adds all frames to the videos.

    Raises:
        ValueError: If the library that renders the frames is not installed.
    """
    for seed in seeds:
        observation = env.reset(seed)
        _film(env, videos)
        total, length, terminated, truncated = 0.0, 0, False, False
        while not (terminated or truncated):
            action = int(q_values(observation[None])[0].argmax())
            observation, reward, terminated, truncated = env.step(action)
            _film(env, videos)
            total, length = total + reward, length + 1
        yield PlayedEpisode(seed, total, length, terminated)


def _film(env: SingleEnv, videos: Sequence[Video]) -> None:
    if not videos:
        return
    try:
        frame: Frame = env.env.render()  # type: ignore[assignment]
    except gymnasium.error.DependencyNotInstalled as error:
        raise ValueError(f"{error} Install it with: pip install 'dqn-exp[video]'") from error
    for video in videos:
        video.add(frame)
