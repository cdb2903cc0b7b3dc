"""Conversion of Python values to Hydra overrides."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from dqn_exp.core.errors import ConfigError

Settings = Mapping[str, Any] | Sequence[str]
"""Values by dotted key, such as `{"agent.gamma": 0.99}`, or overrides as on the command line."""

RANGE = re.compile(r"(tag|interval|range|choice|int|float)\(.*\)", re.DOTALL)
"""What Hydra understands as values of a search or a sweep."""

PLAIN = re.compile(r"[A-Za-z_][\w./:@+-]*")
NOT_TEXTS = frozenset(("null", "true", "false", "nan", "inf"))


def to_overrides(settings: Settings, *, sweeps: bool = False) -> list[str]:
    """Converts settings to Hydra overrides.

    Args:
        settings: to be translated; overrides are returned as they are.
        sweeps: whether a list, a range or an array holds the values of a sweep; otherwise it is
            one value.

    Raises:
        TypeError: If the settings are neither a mapping nor strings, or a value has no equivalent.
        ConfigError: If a sweep has no values.
    """
    if isinstance(settings, Mapping):
        return [_to_override(str(key), value, sweeps) for key, value in settings.items()]
    if isinstance(settings, str) or not all(isinstance(one, str) for one in settings):
        kind = type(settings).__name__
        raise TypeError(
            f'settings: expected a mapping such as {{"agent.gamma": 0.99}} or a list of strings, '
            f"got {kind}."
        )
    return list(settings)


def interval(low: float, high: float, *, log: bool = False, integer: bool = False) -> str:
    """Returns a range of numbers for a search.

    Args:
        low: lower bound, inclusive.
        high: upper bound, inclusive.
        log: whether values are sampled on a logarithmic scale.
        integer: whether they are integers.
    """
    text = f"interval({low},{high})"
    text = f"int({text})" if integer else text
    return f"tag(log,{text})" if log else text


def quoted(text: str) -> str:
    """Returns a text in the quotes of Hydra's grammar, where only quotes need a backslash."""
    escaped = re.sub(r"(\\*)'", r"\1\1\\'", text)
    escaped = re.sub(r"(\\+)$", r"\1\1", escaped)
    return "'" + escaped.replace("${", "\\${") + "'"


def _to_override(key: str, value: Any, sweeps: bool) -> str:
    if sweeps and isinstance(value, str) and RANGE.fullmatch(value):
        return f"{key}={value}"
    if not sweeps or isinstance(value, str | Mapping) or not isinstance(value, Iterable):
        return f"{key}={_to_text(key, value)}"
    texts = [_to_text(key, one) for one in value]
    if not texts:
        raise ConfigError([f"{key}: expected at least one value, got none."])
    # Hydra does not take null as the value of choice(...).
    return f"{key}={','.join(texts)}" if "null" in texts else f"{key}=choice({','.join(texts)})"


def _to_text(key: str, value: Any) -> str:
    if isinstance(value, np.generic):
        value = value.item()
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, str):
        is_plain = PLAIN.fullmatch(value) and value.lower() not in NOT_TEXTS
        return value if is_plain else quoted(value)
    if callable(value) and hasattr(value, "__qualname__"):
        if "<" in value.__qualname__:
            raise TypeError(f"{key}: expected a function or class at the top level of a module.")
        return f"{value.__module__}:{value.__qualname__}"
    if isinstance(value, Mapping):
        inner = (f"{_to_text(key, str(k))}:{_to_text(key, one)}" for k, one in value.items())
        return f"{{{','.join(inner)}}}"
    if isinstance(value, Iterable):
        return f"[{','.join(_to_text(key, one) for one in value)}]"
    raise TypeError(
        f"{key}: expected a number, a string, a boolean, None, a list or a mapping, got "
        f"{type(value).__name__}."
    )
