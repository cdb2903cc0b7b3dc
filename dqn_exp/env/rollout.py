"""Episodes of a trained policy that are watched or filmed."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import gymnasium
import numpy as np

from dqn_exp.core.arrays import Float32Array
from dqn_exp.core.errors import EpisodeError
from dqn_exp.env.arguments import EnvArguments
from dqn_exp.env.registry import place, short_name
from dqn_exp.env.results import InterfaceError
from dqn_exp.env.single_env import SingleEnv
from dqn_exp.env.spaces import shorten
from dqn_exp.env.video import Frame, Gif, Video

QValues = Callable[[Float32Array], Float32Array]
"""Maps observations `[E, D]`, as an environment returns them, to values Q `[E, A]`."""

FPS = 30
"""Frames per second of environments that do not specify it."""


class RenderError(ValueError):
    """An environment cannot be filmed."""


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
            f"env.id: expected an environment with the render mode {mode}, which drawing needs; "
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
    except (Exception, SystemExit) as error:  # An environment may raise any error.
        name = short_name(arguments.id)
        raise ValueError(f"log.video: rendering {name} raised {place(error)}.") from error


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
        RenderError: If frames cannot be rendered.
        EpisodeError: If the environment raises an error, or returns something wrong.
    """
    for seed in seeds:
        actions: list[int] = []
        try:
            played = _play_one(env, q_values, seed, videos, actions)
        except RenderError:
            raise
        except InterfaceError as error:
            raise EpisodeError(f"The environment: {error}", seed, actions) from error
        except (Exception, SystemExit) as error:  # An environment may raise any error.
            reason = f"The environment raised {place(error)}"
            raise EpisodeError(reason, seed, actions) from error
        yield played


def _play_one(
    env: SingleEnv, q_values: QValues, seed: int, videos: Sequence[Video], actions: list[int]
) -> PlayedEpisode:
    """Plays an episode; adds its actions to a list."""
    observation = env.reset(seed)
    _film(env, videos)
    total, terminated, truncated = 0.0, False, False
    while not (terminated or truncated):
        actions.append(int(q_values(observation[None])[0].argmax()))
        observation, reward, terminated, truncated = env.step(actions[-1])
        _film(env, videos)
        total += reward
    return PlayedEpisode(seed, total, len(actions), terminated)


def _film(env: SingleEnv, videos: Sequence[Video]) -> None:
    if not videos:
        return
    try:
        frame: Frame = env.env.render()  # type: ignore[assignment]
    except gymnasium.error.DependencyNotInstalled as error:
        raise RenderError(f"{error} Install it with: pip install 'dqn-exp[video]'") from error
    if not isinstance(frame, np.ndarray) or frame.ndim != 3:
        raise RenderError(
            f"expected an image from render, an array [H, W, 3], got {shorten(frame)}."
        )
    for video in videos:
        video.add(frame)
