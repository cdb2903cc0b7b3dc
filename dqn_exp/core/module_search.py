"""Folders in which modules of the user's environments are searched."""

import os
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any


def search_in(folder: Path) -> None:
    """Adds a folder in which modules are searched after all others."""
    if str(folder) not in sys.path:
        sys.path.append(str(folder))


def search_in_current_folder() -> None:
    """Adds the current folder, in which modules are searched first, as with `python -m`.

    Raises:
        ValueError: If it does not exist.
    """
    try:
        folder = os.getcwd()
    except FileNotFoundError as error:
        raise ValueError("The current directory does not exist any more; enter another.") from error
    if "" not in sys.path and folder not in sys.path:
        sys.path.insert(0, folder)


def search_in_sources(config_sources: Iterable[Mapping[str, Any]]) -> None:
    """Adds the folders that --config-dir named when a run began.

    Args:
        config_sources: of Hydra's node, `hydra.runtime.config_sources`.
    """
    for source in config_sources:
        if source.get("provider") == "command-line":
            search_in(Path(source["path"]))
