"""Observations that Gymnasium flattens into vectors."""

from collections import OrderedDict
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from gymnasium import Space, spaces

from dqn_exp.core.arrays import Float32Array
from dqn_exp.env.spaces import foreign, in_one_line, wrong_shape

REMEDY = (
    "Wrap the environment so that it returns a Box, as gymnasium.ObservationWrapper does, and "
    "register it under an id of your own."
)


class Flattened:
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
        return np.concatenate([*_features(self._space, observation)])


def _features(space: Space[Any], observation: Any) -> Iterator[Float32Array]:
    """Yields the features of the leaves of a space, in their order."""
    if isinstance(space, spaces.Dict):
        for key, one in space.items():
            yield from _features(one, observation[key])
    elif isinstance(space, spaces.Tuple):
        for one, inner in zip(space.spaces, observation, strict=True):
            yield from _features(one, inner)
    elif isinstance(space, spaces.Box):
        # Gymnasium would cast numbers beyond the bounds to the type of the space.
        yield np.asarray(observation, dtype=np.float32).ravel()
    else:
        yield np.asarray(spaces.flatten(space, observation), dtype=np.float32).ravel()


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
            raise ValueError(foreign(space, observation, name))
        for key, one in space.items():
            _check(one, observation[key], f"{name}[{key!r}]")
    elif isinstance(space, spaces.Tuple):
        if not isinstance(observation, tuple) or len(observation) != len(space.spaces):
            raise ValueError(foreign(space, observation, name))
        for index, one in enumerate(space.spaces):
            _check(one, observation[index], f"{name}[{index}]")
    elif isinstance(space, spaces.Box) and np.size(observation) != np.prod(space.shape):
        raise ValueError(wrong_shape(space, observation, name))
    elif not _contains(space, observation):
        raise ValueError(foreign(space, observation, name))


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
