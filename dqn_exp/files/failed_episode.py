"""The episode in which the environment of a run failed, as JSON."""

import json
from pathlib import Path
from typing import Any, NamedTuple

from dqn_exp.core.errors import EpisodeError
from dqn_exp.files.atomic_file import write_atomically
from dqn_exp.files.directories import quote

NAME = "failed_episode.json"


class FailedEpisode(NamedTuple):
    """An episode that can be played again.

    Attributes:
        env: section of the config.
        episode: which episode it was, such as "training episode 3".
        reason: what happened.
        seed: of the episode.
        actions: from its beginning to the failure, numbered from 0.
    """

    env: dict[str, Any]
    episode: str
    reason: str
    seed: int
    actions: list[int]


def save_failed_episode(directory: Path, env: dict[str, Any], error: EpisodeError) -> None:
    """Writes the episode to the directory of its run."""
    failed = FailedEpisode(env, error.episode, error.reason, error.seed, error.actions)
    write_atomically(directory / NAME, json.dumps(failed._asdict()).encode())


def load_failed_episode(directory: Path) -> FailedEpisode:
    """Returns the episode in which a run failed.

    Raises:
        ValueError: If there is none.
    """
    path = directory / NAME
    try:
        return FailedEpisode(**json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise ValueError(
            f"--failed: expected a run whose environment failed, but {directory} has no {NAME}."
        ) from None
    except (OSError, ValueError, TypeError) as error:
        raise ValueError(f"{path}: expected an episode: {error}.") from error


def replay_advice(directory: Path) -> str:
    """Returns a sentence with the command that plays the episode again; empty if there is none."""
    if not (directory / NAME).exists():
        return ""
    return f" Play it again with: python -m dqn_exp.watch {quote(directory)} --failed"
