"""Arrays `[N]` of per-run values of N configs."""

from collections.abc import Iterable, Sequence
from typing import TypeVar

import numpy as np
import torch

from dqn_exp.config.fields import Section
from dqn_exp.config.schema import Config
from dqn_exp.core.arrays import BoolArray, Float64Array, IntArray
from dqn_exp.core.per_run import NEVER

Configs = Sequence[Config]

S = TypeVar("S", bound=Section)


def to_ints(values: Iterable[int | None], if_null: int = NEVER) -> IntArray:
    """Returns integers `[N]`, with nulls replaced."""
    return np.fromiter((if_null if value is None else value for value in values), np.int64)


def to_floats(values: Iterable[float | None], if_null: float = np.inf) -> Float64Array:
    """Returns floats `[N]`, with nulls replaced."""
    return np.fromiter((if_null if value is None else value for value in values), np.float64)


def to_bools(values: Iterable[bool]) -> BoolArray:
    """Returns booleans `[N]`."""
    return np.fromiter(values, np.bool_)


def to_tensor(
    values: Iterable[float | None], device: torch.device, if_null: float = np.inf
) -> torch.Tensor:
    """Returns single-precision floats `[N]` on a device, with nulls replaced."""
    return torch.from_numpy(to_floats(values, if_null)).float().to(device)


def sections(values: Iterable[Section], kind: type[S]) -> list[S]:
    """Returns the sections of N configs of equal structure, as the kind that they are.

    Raises:
        TypeError: If one is of another kind.
    """
    found = list(values)
    for value in found:
        if not isinstance(value, kind):
            raise TypeError(f"expected a {kind.__name__}, got a {type(value).__name__}.")
    return found  # type: ignore[return-value]
