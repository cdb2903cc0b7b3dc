"""What can go wrong that is not a fault of the program."""


class ConfigError(ValueError):
    """A bad configuration; `problems` has one line for each thing that is wrong."""

    def __init__(self, problems: list[str]) -> None:
        """Args: the lines."""
        super().__init__("\n".join(problems))
        self.problems = problems


class RunError(Exception):
    """A run has failed, diverged or been interrupted."""
