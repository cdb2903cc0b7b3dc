"""Errors that are not bugs in the program, and helpers that describe errors."""


class ConfigError(ValueError):
    """Bad input; `problems` has one line per problem."""

    def __init__(self, problems: list[str]) -> None:
        """Takes the lines."""
        super().__init__("\n".join(problems))
        self.problems = problems


class RunError(Exception):
    """A run failed, diverged or was interrupted."""


class WorkerError(Exception):
    """A worker process died or could not start."""


def last_line_of(error: BaseException) -> str:
    """Returns the last line of an error message that mentions an error, or the last line."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return next((line for line in reversed(lines) if "rror" in line), lines[-1]).strip()


def describe_error(error: BaseException) -> str:
    """Returns the type and message of an error in one line."""
    return f"{type(error).__name__}: {error}"
