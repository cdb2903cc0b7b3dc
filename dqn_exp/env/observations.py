"""Kinds of observations: how those of a space become float32 vectors `[D]`."""

from collections import OrderedDict
from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from gymnasium import Space, spaces

from dqn_exp.core.arrays import Float32Array

REMEDY = (
    "Wrap the environment so that it returns a Box, as gymnasium.ObservationWrapper does, and "
    "register it under an id of your own."
)


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
        is_image = len(space.shape) in (2, 3) and space.dtype.kind in "uib"
        found: Observations = _Image(space) if is_image else _Vector(space)
    else:
        found = _Flattened(space)
    if found.num_features == 0:
        raise ValueError(f"expected observations of at least one number, got {in_one_line(space)}")
    return found


class _Vector:
    """A Box of numbers, as they are."""

    notes: tuple[str, ...] = ()

    def __init__(self, space: spaces.Box) -> None:
        self._space, self.num_features = space, int(np.prod(space.shape))

    def encode(self, observation: Any) -> Float32Array:
        """Returns the features, as `Observations.encode` describes."""
        return _to_row(self._space, observation, self.num_features)


class _Image:
    """A Box of rank 2 or 3 with integers or booleans, scaled to [0, 1] by its bounds."""

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


class _Flattened:
    """Any other space, flattened by Gymnasium: integers become one-hot vectors."""

    def __init__(self, space: Space[Any]) -> None:
        self._space = _without_text(space, "observation_space")
        self.notes = tuple(
            f"{name} is text, which is left out of the observations." for name in _texts(space, "")
        )
        self.num_features = sum(map(_size, _leaves(self._space)))

    def encode(self, observation: Any) -> Float32Array:
        """Returns the features, as `Observations.encode` describes."""
        _check(self._space, observation, "")
        flat = spaces.flatten(self._space, observation)
        return np.asarray(flat, dtype=np.float32).ravel()


def _without_text(space: Space[Any], name: str) -> Space[Any]:
    """Returns a space without the texts in its dictionaries.

    Raises:
        ValueError: If something else cannot be flattened.
    """
    match space:
        case spaces.Box() | spaces.Discrete() | spaces.MultiDiscrete() | spaces.MultiBinary():
            return space
        case spaces.Dict():
            inner = {
                key: _without_text(one, f"{name}[{key!r}]")
                for key, one in space.items()
                if not _is_text(one)
            }
            return spaces.Dict(OrderedDict(inner))  # Otherwise Gymnasium sorts the keys.
        case spaces.Tuple():
            every = enumerate(space.spaces)
            return spaces.Tuple(_without_text(one, f"{name}[{i}]") for i, one in every)
    raise ValueError(
        f"expected observations that can be flattened to a vector of fixed size, got {name} = "
        f"{in_one_line(space)}. {REMEDY}"
    )


def _texts(space: Space[Any], name: str) -> Iterator[str]:
    if isinstance(space, spaces.Dict):
        for key, one in space.items():
            yield from _texts(one, f"{name}[{key!r}]")
    elif isinstance(space, spaces.Tuple):
        for index, one in enumerate(space.spaces):
            yield from _texts(one, f"{name}[{index}]")
    elif _is_text(space):
        yield f"observation{name}"


def _is_text(space: Space[Any]) -> bool:
    # Other spaces of text, such as MiniGrid's missions, have this dtype as well.
    return isinstance(space, spaces.Text) or space.dtype in (str, np.dtype(str))


def _leaves(space: Space[Any]) -> Iterator[Space[Any]]:
    if isinstance(space, spaces.Dict | spaces.Tuple):
        inner = space.values() if isinstance(space, spaces.Dict) else space.spaces
        for one in inner:
            yield from _leaves(one)
    else:
        yield space


def _size(leaf: Space[Any]) -> int:
    return int(np.prod(spaces.flatten_space(leaf).shape or (0,)))


def _check(space: Space[Any], observation: Any, name: str) -> None:
    """Raises ValueError unless an observation can be flattened as part of a space."""
    if isinstance(space, spaces.Dict):
        if not isinstance(observation, dict) or not observation.keys() >= space.keys():
            raise ValueError(_foreign(space, observation, name))
        for key, one in space.items():
            _check(one, observation[key], f"{name}[{key!r}]")
    elif isinstance(space, spaces.Tuple):
        if not isinstance(observation, tuple) or len(observation) != len(space.spaces):
            raise ValueError(_foreign(space, observation, name))
        for index, one in enumerate(space.spaces):
            _check(one, observation[index], f"{name}[{index}]")
    elif isinstance(space, spaces.Box) and np.size(observation) != np.prod(space.shape):
        raise ValueError(_wrong_shape(space, observation, name))
    elif not _contains(space, observation):
        raise ValueError(_foreign(space, observation, name))


def _contains(space: Space[Any], observation: Any) -> bool:
    if isinstance(space, spaces.Discrete):
        # Also 0-dimensional arrays and integers of other types, which are harmless.
        first, value = int(space.start), np.asarray(observation)
        is_integer = value.dtype.kind in "uib" and value.size == 1
        return is_integer and first <= value.item() < first + int(space.n)
    value = np.asarray(observation)
    if not _has_numbers_of(space, value):
        return False
    # Values beyond the bounds of a Box are harmless.
    return isinstance(space, spaces.Box) or space.contains(value.astype(space.dtype))


def _has_numbers_of(space: Space[Any], value: npt.NDArray[Any]) -> bool:
    """Returns whether a value is made of numbers, integers where those of the space are."""
    if value.dtype.kind in "uib":
        return True
    is_integer_space = space.dtype is not None and np.dtype(space.dtype).kind in "uib"
    return value.dtype.kind == "f" and (
        not is_integer_space or bool((value == np.rint(value)).all())
    )


def _to_row(space: spaces.Box, observation: Any, num_features: int) -> Float32Array:
    try:
        value = np.asarray(observation)
        is_number = value.dtype.kind in "biufO"
        row: Float32Array = value.astype(np.float32 if is_number else object, copy=False).ravel()
    except (ValueError, TypeError) as error:
        raise ValueError(_wrong_shape(space, observation)) from error
    if not is_number:
        raise ValueError(_foreign(space, observation, ""))
    if len(row) != num_features:
        raise ValueError(_wrong_shape(space, observation))
    return row


def _wrong_shape(space: spaces.Box, observation: Any, name: str = "") -> str:
    is_array = isinstance(observation, np.ndarray) and observation.ndim > 0
    found = f"shape {observation.shape}" if is_array else shorten(observation)
    return (
        f"expected an observation{name} of shape {space.shape}, as in the observation space, "
        f"got {found}"
    )


def _foreign(space: Space[Any], observation: Any, name: str) -> str:
    return f"expected an observation{name} of {in_one_line(space)}, got {shorten(observation)}"


def shorten(value: Any) -> str:
    """Returns a value in at most 60 characters of one line, for a message."""
    text = " ".join(repr(value).split())
    return text if len(text) <= 60 else f"{text[:57]}..."


def in_one_line(space: Space[Any]) -> str:
    """Returns a space in at most 120 characters of one line, for a message."""
    text = " ".join(str(space).split())
    return text if len(text) <= 120 else f"{text[:117]}..."


def _one_or_all(values: npt.NDArray[Any]) -> npt.NDArray[np.float32] | np.float32:
    """Returns a number if all are equal, which makes arithmetic faster."""
    first: np.float32 = values[0] if len(values) else np.float32(0)
    return first if (values == first).all() else values
