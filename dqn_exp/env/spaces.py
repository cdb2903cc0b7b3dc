"""Spaces and their values in messages."""

from typing import Any

import numpy as np
from gymnasium import Space, spaces


def wrong_shape(space: spaces.Box, observation: Any, name: str = "") -> str:
    """Returns the message for a value of another shape than its Box."""
    is_array = isinstance(observation, np.ndarray) and observation.ndim > 0
    found = f"shape {observation.shape}" if is_array else shorten(observation)
    return (
        f"expected an observation{name} of shape {space.shape}, as in the observation space, "
        f"got {found}"
    )


def foreign(space: Space[Any], observation: Any, name: str) -> str:
    """Returns the message for a value that does not belong to its space."""
    return f"expected an observation{name} of {in_one_line(space)}, got {shorten(observation)}"


def shorten(value: Any) -> str:
    """Returns a value in at most 60 characters of one line, for a message."""
    text = " ".join(repr(value).split())
    return text if len(text) <= 60 else f"{text[:57]}..."


def in_one_line(space: Space[Any]) -> str:
    """Returns a space in at most 120 characters of one line, for a message."""
    text = " ".join(str(space).split())
    return text if len(text) <= 120 else f"{text[:117]}..."
