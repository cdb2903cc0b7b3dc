"""Checks of what environments return."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from dqn_exp.env.spaces import shorten

LARGEST = float(np.finfo(np.float32).max)
"""Magnitude of a reward."""


class InterfaceError(ValueError):
    """An environment returned something that Gymnasium's interface does not allow."""


def split_reset(result: Any) -> Any:
    """Returns the observation of a result of `reset`.

    Raises:
        InterfaceError: If it is not a pair with an info.
    """
    if isinstance(result, tuple) and len(result) == 2 and isinstance(result[1], Mapping):
        return result[0]
    raise InterfaceError(
        f"expected (observation, info) from reset, where info is a dictionary, "
        f"got {_describe(result)}"
    )


def split_step(result: Any) -> tuple[Any, Any, Any, Any]:
    """Returns observation, reward, terminated and truncated of a result of `step`.

    Raises:
        InterfaceError: If it is not a tuple of five.
    """
    if isinstance(result, tuple) and len(result) == 5:
        return result[:4]
    raise InterfaceError(
        "expected (observation, reward, terminated, truncated, info) from step, "
        f"got {_describe(result)}"
    )


def to_reward(reward: Any) -> float:
    """Returns a reward that is no float of Python, or not finite."""
    value = np.asarray(reward)
    if value.size != 1 or value.dtype.kind not in "biuf":
        found = f"an array of shape {value.shape}" if value.ndim else shorten(reward)
        raise InterfaceError(f"expected a number as the reward from step, got {found}")
    if not math.isfinite(value.item()):
        raise InterfaceError(f"the reward is {value.item()}")
    if abs(value.item()) > LARGEST:
        raise InterfaceError(
            f"the reward is {value.item():g}, which single precision cannot represent"
        )
    return float(value.item())


def to_flag(flag: Any) -> bool:
    """Returns a flag that is no boolean as one, if it is 0 or 1."""
    value = np.asarray(flag)
    if value.size != 1 or value.dtype.kind not in "biu" or value.item() not in (0, 1):
        raise InterfaceError(
            f"expected terminated and truncated from step to be booleans, got {shorten(flag)}"
        )
    return bool(value.item())


def _describe(result: Any) -> str:
    if isinstance(result, tuple):
        return f"{len(result)} values"
    if isinstance(result, np.ndarray):
        return f"only an array of shape {result.shape}"
    return "None" if result is None else f"only a {type(result).__name__}"
