"""Plays the policy of a run: `python -m dqn_exp.watch DIR --video out.mp4`."""

import argparse
import os
import statistics
import sys
import traceback
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from dqn_exp.cli import run_command
from dqn_exp.core.errors import ConfigError, EpisodeError, RunError
from dqn_exp.core.wording import quantity, rounded
from dqn_exp.files.directories import shorten

DESCRIPTION = """\
Plays episodes with the greedy policy of a run, or of a sweep's run with the best final return, and
prints their returns. By default these are the episodes of the run's own evaluations. Videos need no
screen, but pip install 'dqn-exp[video]'."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Plays, and exits with status 2 if that is impossible."""
    parser = argparse.ArgumentParser("python -m dqn_exp.watch", description=DESCRIPTION)
    parser.add_argument("directory", type=Path, help="directory of a run or a sweep")
    parser.add_argument("--episodes", type=int, help="number of episodes; default: eval.episodes")
    parser.add_argument(
        "--seed", type=int, help="seed from which those of the episodes derive; default: eval.seed"
    )
    parser.add_argument("--video", type=Path, metavar="FILE.mp4", help="write an MP4 video")
    parser.add_argument("--gif", type=Path, metavar="FILE.gif", help="write a smaller GIF")
    parser.add_argument("--human", action="store_true", help="show a window")
    parser.add_argument(
        "--best",
        action="store_true",
        help="play the policy of the run's best evaluation, not its last",
    )
    parser.add_argument(
        "--failed", action="store_true", help="play the episode in which the environment failed"
    )
    options = parser.parse_args(arguments)
    run_command(lambda: watch(options))


def watch(options: argparse.Namespace) -> None:
    """Plays and prints a table of the episodes.

    Raises:
        ConfigError: If the run has no policy, or the options are invalid.
    """
    # Delayed, so that --help is instant.
    from dqn_exp.api.watching import PlaybackRequest, best_run, play_back, replay

    options.directory = best_run(options.directory)
    if options.failed:
        _print_replay(*replay(options.directory))
        return
    if problems := list(_problems_of(options)):
        raise ConfigError(problems)
    del options.failed
    try:
        step, episodes = play_back(PlaybackRequest(**vars(options)))
        _print(f"Greedy policy of {shorten(options.directory.absolute())} at step {step:,}\n")
        _print("episode        seed    return  steps  end")
        returns = []
        for number, episode in enumerate(episodes):
            end = "terminated" if episode.terminated else "time limit"
            numbers = (
                f"{number:7d} {episode.seed:11d} {rounded(episode.return_):>9} {episode.length:6d}"
            )
            _print(f"{numbers}  {end}")
            returns.append(episode.return_)
    except ImportError as error:
        raise ConfigError([str(error)]) from error
    except EpisodeError as error:
        raise RunError(f"{error}.") from error
    mean, std = statistics.fmean(returns), statistics.pstdev(returns)
    _print(f"\nReturn {rounded(mean)} ± {rounded(std)} over {quantity(len(returns), 'episode')}.")
    for path in filter(None, (options.video, options.gif)):
        _print(f"The video is in {shorten(path.absolute())}.")


def _print_replay(title: str, steps: Iterable[tuple[int, int, float, str]]) -> None:
    _print(f"{title}\n\n  step  action    reward  end")
    try:
        for step, action, reward, end in steps:
            _print(f"{step:6d} {action:7d} {reward:9.3g}  {end}")
    except (Exception, SystemExit) as error:  # An environment may raise any error.
        traceback.print_exception(error.__cause__ or error)
        raise RunError("The environment fails again in this episode.") from error
    _print("\nThe episode did not fail this time. Train again with dqn_exp.resume --retry-failed.")


def _print(line: str) -> None:
    print(line, flush=True)  # noqa: T201  (The output of the command.)


def _problems_of(options: argparse.Namespace) -> Iterator[str]:
    if options.episodes is not None and options.episodes < 1:
        yield f"--episodes: expected at least 1, got {options.episodes}."
    if options.seed is not None and not 0 <= options.seed < 2**63:
        yield f"--seed: expected a number from 0 to 2^63 - 1, got {options.seed}."
    if options.human and (options.video or options.gif):
        yield "--human: expected no --video or --gif: an environment has one render mode at a time."
    if options.human and sys.platform == "linux" and not _has_screen():
        yield "--human: there is no screen (DISPLAY is not set). Write a video: --video out.mp4."
    yield from _problems_of_run(options.directory)
    yield from _problems_of_video("video", ".mp4", options.video)
    yield from _problems_of_video("gif", ".gif", options.gif)


def _problems_of_run(directory: Path) -> Iterator[str]:
    if not directory.is_dir():
        yield f"{directory}: expected the directory of a run, but it does not exist."
    elif not (directory / "checkpoint.pt").exists():
        yield (
            f"{directory}: expected a run with a checkpoint.pt; runs that have not reached their "
            "first checkpoint have none."
        )


def _problems_of_video(name: str, suffix: str, path: Path | None) -> Iterator[str]:
    if path is None:
        return
    if path.suffix.lower() != suffix:
        yield f"--{name}: expected a file that ends in {suffix}, got {path}."
    elif not path.absolute().parent.is_dir():
        folder = path.absolute().parent
        yield f"--{name}: {path} cannot be created: {folder} is not a directory."


def _has_screen() -> bool:
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


if __name__ == "__main__":
    main()
