"""Keys in which runs differ, and their values as they are written."""

import math
from collections.abc import Iterable, Sequence
from typing import Any

from dqn_exp.analysis.run_reader import RunFiles, Source
from dqn_exp.config.schema import changes_results

EXACT = 2**53
"""Floats below this magnitude that are integers are exact."""

SOURCE = "source"
"""Key that distinguishes the directories in a comparison."""


def find_keys(sources: Sequence[Source], *, names_sources: bool) -> list[str]:
    """Returns the keys in which runs differ, except the seed.

    These are the swept keys, and others in which the directories differ.

    Args:
        sources: at least one.
        names_sources: whether the directory counts as a key, which then represents all keys that
            are constant within each directory.
    """
    runs = [run for source in sources for run in source.runs]
    swept = dict.fromkeys(key for run in runs for key in run.swept)
    # Not all runs tell which option of a group they have, but the keys of its options do.
    untold = {key for key in swept if _is_untold_group(key, runs)}
    swept = dict.fromkeys(key for key in swept if key not in untold)
    unlisted = [run for source in sources if untold or not source.is_listed for run in source.runs]
    undeclared = [key for key in (*_keys_between(sources), *_keys_within(unlisted)) if _counts(key)]
    # A key that was swept on purpose counts, even if it does not change results.
    keys = [key for key in dict.fromkeys([*swept, *undeclared]) if key != "seed"]
    if names_sources and len(sources) > 1:
        return [SOURCE, *(key for key in keys if any(_differ(s.runs, key) for s in sources))]
    return [key for key in keys if _differ(runs, key)]


def find_differences(sources: Sequence[Source]) -> dict[str, list[str]]:
    """Returns the keys in which directories differ, with the values of each directory."""
    return {
        key: [", ".join(sort_values(value_of(run, key) for run in one.runs)) for one in sources]
        for key in _keys_between(sources)
        if _counts(key)
    }


def value_of(run: RunFiles, key: str) -> str:
    """Returns the value of a key of a run, as it is written."""
    if key == SOURCE:
        return run.source
    if key in run.config:
        return _to_text(run.config[key])
    return run.swept.get(key, "")


def sort_values(values: Iterable[str]) -> list[str]:
    """Returns the distinct values in order, numerically if all are numbers or lists of them."""
    different = sorted(set(values))
    try:
        return sorted(different, key=_numbers)
    except ValueError:
        return different


def _numbers(text: str) -> list[float]:
    return [float(one) for one in text.strip("[]").split(",")]


def are_numbers(values: Iterable[str]) -> bool:
    """Returns whether all values are finite numbers."""
    try:
        return all(math.isfinite(float(value)) for value in values)
    except ValueError:
        return False


def is_logarithmic(key: str, values: Sequence[str], log_keys: frozenset[str]) -> bool:
    """Returns whether the numbers of a key are drawn on a logarithmic axis."""
    numbers = [float(value) for value in values]
    is_wide = max(numbers) >= 100 * min(numbers)
    return min(numbers) > 0 and len(numbers) > 1 and (key in log_keys or is_wide)


def shorten_keys(keys: Sequence[str]) -> dict[str, str]:
    """Returns short names of keys: their last parts, where these are unique and clear."""
    lasts = [key.rsplit(".", 1)[-1] for key in keys]
    return {
        key: last if lasts.count(last) == 1 and last not in ("id", "kind") else key
        for key, last in zip(keys, lasts, strict=True)
    }


def _keys_between(sources: Sequence[Source]) -> list[str]:
    """Returns the keys whose values differ between directories."""
    keys = dict.fromkeys(key for source in sources for run in source.runs for key in run.config)
    return [
        key
        for key in keys
        if len({frozenset(value_of(run, key) for run in source.runs) for source in sources}) > 1
    ]


def _keys_within(runs: Sequence[RunFiles]) -> list[str]:
    """Returns the keys whose values differ between runs."""
    keys = dict.fromkeys(key for run in runs for key in run.config)
    return [key for key in keys if _differ(runs, key)]


def _is_untold_group(key: str, runs: Sequence[RunFiles]) -> bool:
    is_group = not any(key in run.config for run in runs)
    return is_group and any(key not in run.swept for run in runs)


def _counts(key: str) -> bool:
    # The interval of evaluations does not change training, either.
    return key not in ("seed", "eval.every_steps") and changes_results(key)


def _differ(runs: Sequence[RunFiles], key: str) -> bool:
    return len({value_of(run, key) for run in runs}) > 1


def _to_text(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, list):
        return f"[{','.join(map(_to_text, value))}]"
    # The same number may have been written as 300, 300.0 or 3e2.
    is_integer = isinstance(value, float) and value.is_integer() and abs(value) < EXACT
    return str(int(value) if is_integer else value)
