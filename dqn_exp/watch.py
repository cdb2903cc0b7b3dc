"""Shows what a run has learned: `python -m dqn_exp.watch DIR --video out.mp4`."""

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from dqn_exp.command import run_command
from dqn_exp.directories import shorten
from dqn_exp.errors import ConfigError

DESCRIPTION = """\
Plays episodes with the greedy policy of a run, as its newest checkpoint has it, and prints their
returns. Without options these are the episodes of the run's own evaluations. Pictures need no
screen; they need pip install 'dqn-exp[video]'."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Plays, and ends the process with status 2 if that cannot be."""
    parser = argparse.ArgumentParser("python -m dqn_exp.watch", description=DESCRIPTION)
    parser.add_argument("directory", type=Path, help="of a run")
    parser.add_argument("--episodes", type=int, help="default: as many as eval.episodes")
    parser.add_argument(
        "--seed", type=int, help="from which the episodes' seeds derive; default: eval.seed"
    )
    parser.add_argument("--video", type=Path, metavar="FILE.mp4", help="film them")
    parser.add_argument("--gif", type=Path, metavar="FILE.gif", help="film them, smaller")
    parser.add_argument("--human", action="store_true", help="show them in a window")
    options = parser.parse_args(arguments)
    run_command(lambda: watch(options))


def watch(options: argparse.Namespace) -> None:
    """Plays and prints the table.

    Raises:
        ConfigError: if there is nothing to play, or it cannot be shown so.
    """
    if problems := list(_problems_of(options)):
        raise ConfigError(problems)
    from dqn_exp.playing import make_visible, play
    from dqn_exp.random_streams import evaluation_seeds
    from dqn_exp.trained import load_trained

    trained = load_trained(options.directory)
    config = trained.config
    count = config.eval.episodes if options.episodes is None else options.episodes
    seed = config.eval.seed if options.seed is None else options.seed
    seeds = evaluation_seeds(seed, count).tolist()
    is_filmed = options.video or options.gif
    mode = "human" if options.human else "rgb_array" if is_filmed else None
    arguments = config.env.max_episode_steps, config.env.kwargs or {}
    with ExitStack() as stack:
        env = make_visible(config.env.id, *arguments, mode)
        stack.callback(env.close)
        movies = _open_movies(options, env, stack)
        _print_table(play(env, trained.q_values, seeds, movies), trained.step)
    for path in filter(None, (options.video, options.gif)):
        print(f"Filmed in {shorten(path.absolute())}.")  # noqa: T201


def _problems_of(options: argparse.Namespace) -> Iterator[str]:
    if options.episodes is not None and options.episodes < 1:
        yield f"--episodes: expected at least 1, got {options.episodes}."
    if options.seed is not None and not 0 <= options.seed < 2**63:
        yield f"--seed: expected a number from 0 to 2^63 - 1, got {options.seed}."
    if options.human and (options.video or options.gif):
        yield "--human: expected no --video or --gif beside it: an environment gives one only."
    if options.human and sys.platform == "linux" and not _has_screen():
        yield "--human: there is no screen (DISPLAY is not set). Film it: --video out.mp4."
    yield from _problems_of_run(options.directory)
    yield from _problems_of_film("video", ".mp4", options.video)
    yield from _problems_of_film("gif", ".gif", options.gif)


def _problems_of_run(directory: Path) -> Iterator[str]:
    if not directory.is_dir():
        yield f"{directory}: expected the directory of a run, and there is none."
    elif (directory / "jobs.jsonl").exists():
        runs = sorted(path.parent for path in directory.glob("*/checkpoint.pt"))
        example = f", such as {runs[0]}" if runs else ""
        yield f"{directory} is a sweep; expected the directory of one of its runs{example}."
    elif not (directory / "checkpoint.pt").exists():
        yield (
            f"{directory}: expected a run with a checkpoint.pt; one that has diverged, or has not "
            "come to its first, has none."
        )


def _problems_of_film(name: str, suffix: str, path: Path | None) -> Iterator[str]:
    if path is None:
        return
    if path.suffix.lower() != suffix:
        yield f"--{name}: expected a file that ends in {suffix}, got {path}."
    elif not path.absolute().parent.is_dir():
        yield f"--{name}: {path} cannot be made: {path.absolute().parent} is no directory."


def _has_screen() -> bool:
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _open_movies(options: argparse.Namespace, env: Any, stack: ExitStack) -> list[Any]:
    from dqn_exp.movie import GifFile, Mp4
    from dqn_exp.playing import fps_of

    movies: list[Any] = []
    if options.video:
        movies.append(Mp4(options.video, fps_of(env)))
    if options.gif:
        movies.append(GifFile(options.gif, fps_of(env)))
    for movie in movies:
        stack.enter_context(movie)
    return movies


def _print_table(episodes: Any, step: int) -> None:
    import numpy as np

    print(f"Greedy policy at step {step:,}\n\nepisode                 seed    return  steps  end")  # noqa: T201
    returns = []
    for number, episode in enumerate(episodes):
        end = "terminated" if episode.terminated else "time limit"
        print(  # noqa: T201
            f"{number:7d} {episode.seed:20d} {episode.return_:9.1f} {episode.length:6d}  {end}"
        )
        returns.append(episode.return_)
    count, mean, std = len(returns), np.mean(returns), np.std(returns)
    print(f"\nReturn {mean:.1f} ± {std:.1f} over {count} episodes.")  # noqa: T201


if __name__ == "__main__":
    main()
