"""Playback of a run's policy: episodes, optionally filmed or shown in a window."""

import math
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from dqn_exp.core.module_search import search_in_sources
from dqn_exp.core.random_streams import evaluation_seeds
from dqn_exp.env.arguments import EnvArguments
from dqn_exp.env.rollout import PlayedEpisode, fps_of, make_visible, play
from dqn_exp.env.single_env import SingleEnv
from dqn_exp.env.video import GifFile, Mp4
from dqn_exp.files.failed_episode import FailedEpisode, load_failed_episode
from dqn_exp.training.preflight import evaluation_env
from dqn_exp.training.trained_policy import load_trained_policy


class PlaybackRequest(NamedTuple):
    """A run to play, with the options of the command.

    Attributes:
        directory: of the run.
        episodes: number of episodes; None for eval.episodes.
        seed: from which the seeds of the episodes derive; None for eval.seed.
        video: MP4 file to write.
        gif: GIF file to write.
        human: whether to show a window.
        best: whether to play the policy of the best evaluation instead of the newest checkpoint.
    """

    directory: Path
    episodes: int | None = None
    seed: int | None = None
    video: Path | None = None
    gif: Path | None = None
    human: bool = False
    best: bool = False


def play_back(request: PlaybackRequest) -> tuple[int, Iterator[PlayedEpisode]]:
    """Returns the step of a run's checkpoint, and plays episodes with its policy.

    Videos exist once all episodes have been played.

    Raises:
        ValueError: If the run has no policy, or its environment cannot be shown.
        ImportError: If a library for videos is not installed.
    """
    search_as(request.directory)
    trained = load_trained_policy(request.directory, is_best=request.best)
    config = trained.config
    count = config.eval.episodes if request.episodes is None else request.episodes
    seed = config.eval.seed if request.seed is None else request.seed
    seeds = evaluation_seeds(seed, count).tolist()
    is_filmed = request.video or request.gif
    mode = "human" if request.human else "rgb_array" if is_filmed else None
    env = make_visible(evaluation_env(config), mode)

    def episodes() -> Iterator[PlayedEpisode]:
        with ExitStack() as stack:
            stack.callback(env.close)
            videos = _open_videos(request, env)
            for video in videos:
                stack.enter_context(video)
            yield from play(env, trained.q_values, seeds, videos)

    return trained.step, episodes()


def search_as(directory: Path) -> None:
    """Searches modules in the folders that --config-dir named when the run began."""
    path = directory / ".hydra/hydra.yaml"
    if path.exists():
        hydra = yaml.safe_load(path.read_text(encoding="utf-8"))["hydra"]
        search_in_sources(hydra["runtime"]["config_sources"])


def replay(directory: Path) -> tuple[str, Iterator[tuple[int, int, float, str]]]:
    """Plays the episode in which the environment of a run failed.

    Returns:
        A title, and step, action, reward and end of each step, with the environment's own numbers
        of the actions; the iterator raises what the environment raises.

    Raises:
        ValueError: If there is no such episode, or the environment cannot be made.
    """
    search_as(directory)
    failed = load_failed_episode(directory)
    title = f"{failed.episode.capitalize()} (seed {failed.seed}). {failed.reason}."
    values = failed.env
    env = SingleEnv(EnvArguments(values["id"], values["max_episode_steps"], values["kwargs"] or {}))
    return title, _steps_of(failed, env)


def _steps_of(failed: FailedEpisode, env: SingleEnv) -> Iterator[tuple[int, int, float, str]]:
    try:
        env.reset(failed.seed)
        for step, action in enumerate(failed.actions, 1):
            shown = env.native_action(action)
            try:
                _, reward, terminated, truncated = env.step(action)
            except (Exception, SystemExit):  # An environment may raise any error.
                yield step, shown, math.nan, "failed"
                raise
            yield step, shown, reward, "terminated" * terminated or "truncated" * truncated
    finally:
        env.close()


def _open_videos(request: PlaybackRequest, env: Any) -> list[Mp4 | GifFile]:
    videos: list[Mp4 | GifFile] = []
    if request.video:
        videos.append(Mp4(request.video, fps_of(env)))
    if request.gif:
        videos.append(GifFile(request.gif, fps_of(env)))
    return videos
