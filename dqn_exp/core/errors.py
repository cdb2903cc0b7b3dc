"""Errors that are not bugs in the program, and helpers that describe errors."""

from pathlib import Path


class ConfigError(ValueError):
    """Bad input; `problems` has one line per problem."""

    def __init__(self, problems: list[str]) -> None:
        """Takes the lines."""
        super().__init__(problems)  # All arguments, so that errors can be pickled.
        self.problems = problems

    def __str__(self) -> str:
        """Returns the lines."""
        return "\n".join(self.problems)


class RunError(Exception):
    """A run failed, diverged or was interrupted.

    Attributes:
        directory: of the run or its sweep, where the Python API knows it.
    """

    directory: Path | None = None


class EpisodeError(Exception):
    """An environment failed in an episode.

    Attributes:
        reason: what happened.
        seed: of the episode.
        actions: since its beginning, numbered from 0.
        episode: which episode it was, such as "training episode 3".
        is_evaluation: whether it was one of an evaluation.
    """

    def __init__(self, reason: str, seed: int, actions: list[int]) -> None:
        """Takes the attributes, of which the last two are set where the episodes are counted."""
        super().__init__(reason, seed, actions)
        self.reason, self.seed, self.actions, self.episode = reason, seed, actions, "an episode"
        self.is_evaluation = False

    def __str__(self) -> str:
        """Returns the reason with its place."""
        where = f"at step {len(self.actions)} of" if self.actions else "at the reset of"
        return f"{self.reason}, {where} {self.episode} (seed {self.seed})"


class WorkerError(Exception):
    """A worker process died or could not start."""


def last_line_of(error: BaseException) -> str:
    """Returns the last line of an error message that mentions an error, or the last line."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return next((line for line in reversed(lines) if "rror" in line), lines[-1]).strip()


def describe_error(error: BaseException) -> str:
    """Returns the type and message of an error."""
    if isinstance(error, EpisodeError):
        return str(error)
    text = str(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
