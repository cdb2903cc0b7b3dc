"""Objects of the user's modules, by import path."""

import importlib
import traceback
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from dqn_exp.core.errors import ConfigError, describe_error


def import_object(key: str, path: str) -> Any:
    """Returns the object of an import path.

    Args:
        key: of the config that holds the path, for messages.
        path: such as my_module:MyNetwork.

    Raises:
        ConfigError: If there is none.
    """
    module, _, name = path.partition(":")
    try:
        found: Any = importlib.import_module(module)
    except (Exception, SystemExit) as error:  # A module may raise any error.
        raise ConfigError([f"{key}: importing {module} raised {place(error)}."]) from error
    for part in name.split("."):
        if not hasattr(found, part):
            raise ConfigError([f"{key}: {module} has no {name}."])
        found = getattr(found, part)
    return found


def problems_of_paths(paths: Iterable[str], find: Callable[[str], object]) -> list[str]:
    """Returns what is wrong with import paths.

    Args:
        paths: to be tried.
        find: returns the object of a path, or raises ConfigError.
    """
    problems: list[str] = []
    for path in paths:
        try:
            find(path)
        except ConfigError as error:
            problems += error.problems
    return problems


def place(error: BaseException) -> str:
    """Returns the type, message and innermost place of an error, in one line."""
    frames = traceback.extract_tb(error.__traceback__)
    text = describe_error(error).strip().splitlines()[0].rstrip(".")
    return f"{text} ({Path(frames[-1].filename).name}, line {frames[-1].lineno})"
