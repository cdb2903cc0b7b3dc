"""Imports of optional dependencies."""

import importlib
from typing import Any


class MissingExtraError(ImportError):
    """An optional dependency is not installed."""


def import_extra(module: str, extra: str) -> Any:
    """Returns a module that needs an optional dependency, imported only where it is used.

    Args:
        module: dotted name.
        extra: optional extra of the package that brings the dependency.

    Raises:
        MissingExtraError: If the dependency is missing, with the command that installs it.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        text = f"{error}. Install it with: pip install 'dqn-exp[{extra}]'"
        raise MissingExtraError(text) from error
