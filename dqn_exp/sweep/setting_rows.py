"""Settings of a sweep that are listed one by one: pairs of values, and rows of a file."""

import csv
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml
from hydra.core.override_parser.types import Override

from dqn_exp.core.errors import ConfigError

MODE, FILE = "hydra.sweeper.mode", "hydra.sweeper.settings"
MODES = ("product", "zip")


def zipped_rows(mode: str, swept: Mapping[str, Override]) -> tuple[list[list[str]], set[str]]:
    """Returns the overrides of each setting whose values are paired, and the paired keys.

    Args:
        mode: product, in which no key is paired, or zip, in which all with several values are, but
            for the seed.
        swept: overrides of the swept keys.

    Raises:
        ConfigError: If the mode is unknown, keys have different numbers of values, or two settings
            are equal.
    """
    if mode not in MODES:
        raise ConfigError([f"{MODE}: expected one of {', '.join(MODES)}, got {mode}."])
    values = {
        key: list(map(str, override.sweep_string_iterator()))
        for key, override in swept.items()
        if mode == "zip" and key != "seed"
    }
    values = {key: texts for key, texts in values.items() if len(texts) > 1}
    counts = {key: len(texts) for key, texts in values.items()}
    if len(set(counts.values())) > 1:
        found = ", ".join(f"{count} of {key}" for key, count in counts.items())
        raise ConfigError([f"{MODE}=zip: expected as many values of each key, got {found}."])
    pairs = list(zip(*values.values(), strict=True))
    written = [swept[key].get_key_element() for key in values]
    rows = [[f"{key}={text}" for key, text in zip(written, pair, strict=True)] for pair in pairs]
    numbers = [tuple(map(number_or_text, pair)) for pair in pairs]
    for row, pair in zip(rows, numbers, strict=True):
        if numbers.count(pair) > 1:
            again = f"{' '.join(row)} occurs several times"
            raise ConfigError([f"{MODE}=zip: {again}: its runs would be equal."])
    return rows or [[]], set(values)


def file_rows(name: str | None, taken: Sequence[str]) -> tuple[list[list[str]], list[str]]:
    """Returns the overrides of each setting in a file, and its keys.

    Args:
        name: of a CSV file, whose first line has the keys, or of a YAML file with a list of
            mappings; None for no file.
        taken: keys that the command sets.

    Raises:
        ConfigError: If the file cannot be read, or sets a key of the command.
    """
    if name is None:
        return [[]], []
    if not isinstance(name, str):
        raise ConfigError([f"{FILE}: expected the name of a file, got {name}."])
    try:
        settings = _read(Path(name))
    except (OSError, ValueError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise ConfigError([f"{FILE}: {name} cannot be read: {reason}"]) from error
    keys = list(dict.fromkeys(key for setting in settings for key in setting))
    if not keys:
        raise ConfigError([f"{FILE}: expected settings in {name}, got none."])
    if both := [key for key in keys if key.lstrip("+") in taken]:
        raise ConfigError([f"{key}: set by the command and in {name}; remove one." for key in both])
    return [[f"{key}={to_override_value(v)}" for key, v in one.items()] for one in settings], keys


def number_or_text(text: str) -> float | str:
    """Returns a value such that 10 and 10.0 are the same, but no two large integers."""
    for kind in (int, float):
        with suppress(ValueError):
            value: float = kind(text)
            return text if value != value else value  # Not a number is no number.
    return text


def _read(path: Path) -> list[dict[str, Any]]:
    text = path.read_text(encoding="utf-8-sig")
    if path.suffix == ".csv":
        rows = list(csv.DictReader(text.splitlines(), skipinitialspace=True))
        if any(None in row or None in row.values() for row in rows):
            raise ValueError("expected as many values in each line as in the first one.")
        return [{key: value for key, value in row.items() if value != ""} for row in rows]
    settings = yaml.safe_load(text)
    if not isinstance(settings, list) or not all(
        isinstance(one, dict) and all(isinstance(key, str) for key in one) for one in settings
    ):
        raise ValueError("expected a list of mappings from keys to values, or a .csv file.")
    return settings


def to_override_value(value: object) -> str:
    """Returns a value in Hydra's grammar."""
    if isinstance(value, str):
        return value
    return yaml.safe_dump(value, default_flow_style=True, width=10**6).removesuffix("...\n").strip()
