"""What can go wrong that is not a fault of the program."""


class ConfigError(ValueError):
    """A bad configuration; `problems` has one line for each thing that is wrong."""

    def __init__(self, problems: list[str]) -> None:
        """Args: the lines."""
        super().__init__("\n".join(problems))
        self.problems = problems


class RunError(Exception):
    """A run has failed, diverged or been interrupted."""


class WorkerError(Exception):
    """A process that trained runs has died, or could not begin."""


def last_line_of(error: BaseException) -> str:
    """Returns the last line of an error that tells of one, as libraries write long ones."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return next((line for line in reversed(lines) if "rror" in line), lines[-1]).strip()
