"""Kinds of observations: how those of a space become float32 vectors `[D]`."""

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from gymnasium import Space, spaces

from dqn_exp.core.arrays import Float32Array
from dqn_exp.env.flattening import Flattened
from dqn_exp.env.images import Images
from dqn_exp.env.spaces import foreign, in_one_line, wrong_shape


class Observations(Protocol):
    """A kind of observations.

    Attributes:
        num_features: D.
        notes: what the user should know about them.
    """

    num_features: int
    notes: tuple[str, ...]

    def encode(self, observation: Any) -> Float32Array:
        """Returns the features `[D]` of an observation, perhaps a view of it.

        Raises:
            ValueError: If it does not belong to the space.
            TypeError: Likewise.
        """
        ...


def observations_of(space: Space[Any]) -> Observations:
    """Returns the kind of the observations of a space.

    Args:
        space: a Box, or a space that Gymnasium can flatten.

    Raises:
        ValueError: If they cannot become vectors, with the reason and the remedy.
    """
    if isinstance(space, spaces.Box):
        found: Observations = _of_box(space)
    else:
        found = Flattened(space)
    if found.num_features == 0:
        raise ValueError(f"expected observations of at least one number, got {in_one_line(space)}")
    return found


def _of_box(space: spaces.Box) -> Observations:
    if len(space.shape) not in (2, 3) or space.dtype.kind not in "uib":
        return _Vector(space)
    low, high = space.low.ravel(), space.high.ravel()
    is_uniform = low.size > 0 and (low == low[0]).all() and (high == high[0]).all()
    fits = is_uniform and int(low[0]) >= 0 and int(high[0]) < 256
    return Images(space) if fits and _has_bounds(space) else _ScaledIntegers(space)


class _Vector:
    """A Box of numbers, as they are."""

    notes: tuple[str, ...] = ()

    def __init__(self, space: spaces.Box) -> None:
        self._space, self.num_features = space, int(np.prod(space.shape))

    def encode(self, observation: Any) -> Float32Array:
        """Returns the features, as `Observations.encode` describes."""
        return _to_row(self._space, observation, self.num_features)


class _ScaledIntegers:
    """A Box of rank 2 or 3 with other integers, scaled to [0, 1] by its bounds."""

    notes: tuple[str, ...] = ()

    def __init__(self, space: spaces.Box) -> None:
        self._space, self.num_features = space, int(np.prod(space.shape))
        low, high = space.low.ravel().astype(np.float32), space.high.ravel().astype(np.float32)
        if not _has_bounds(space):
            low, high = np.zeros_like(low), np.ones_like(high)
        width = np.where(high > low, high - low, np.float32(1))
        self._low, self._scale = _one_or_all(low), _one_or_all(np.float32(1) / width)

    def encode(self, observation: Any) -> Float32Array:
        """Returns the features, as `Observations.encode` describes."""
        row = _to_row(self._space, observation, self.num_features)
        return (row - self._low) * self._scale


def _has_bounds(space: spaces.Box) -> bool:
    """Returns whether bounds were chosen, rather than taken from the type of the integers."""
    if space.dtype.itemsize == 1:
        return True
    extremes: Any = np.iinfo(space.dtype)
    return not ((space.low == extremes.min) | (space.high == extremes.max)).any()


def _to_row(space: spaces.Box, observation: Any, num_features: int) -> Float32Array:
    try:
        value = np.asarray(observation)
        is_number = value.dtype.kind in "biufO"
        row: Float32Array = value.astype(np.float32 if is_number else object, copy=False).ravel()
    except (ValueError, TypeError) as error:
        raise ValueError(wrong_shape(space, observation)) from error
    if not is_number:
        raise ValueError(foreign(space, observation, ""))
    if len(row) != num_features:
        raise ValueError(wrong_shape(space, observation))
    return row


def _one_or_all(values: npt.NDArray[Any]) -> npt.NDArray[np.float32] | np.float32:
    """Returns a number if all are equal, which makes arithmetic faster."""
    first: np.float32 = values[0] if len(values) else np.float32(0)
    return first if (values == first).all() else values
