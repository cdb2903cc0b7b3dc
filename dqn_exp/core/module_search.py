"""Folders in which modules of the user's environments are searched."""

import sys
from pathlib import Path


def search_in(folder: Path) -> None:
    """Adds a folder in which modules are searched after all others."""
    if str(folder) not in sys.path:
        sys.path.append(str(folder))
