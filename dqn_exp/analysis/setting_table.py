"""Settings as a table of pandas."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dqn_exp.analysis.aggregates import Setting
from dqn_exp.analysis.comparable import Group
from dqn_exp.analysis.ranking import ranks_of
from dqn_exp.analysis.table import MEASURES
from dqn_exp.core.extras import import_extra

if TYPE_CHECKING:
    import pandas as pd

COUNTS = ("n", "num_failed", "num_pruned", "num_missing")


def to_frame(groups: Sequence[Group]) -> "pd.DataFrame":
    """Returns a row per setting, the best one of each group first.

    Raises:
        MissingExtraError: If pandas is not installed.
    """
    pandas = import_extra("pandas", "notebook")
    rows = [
        {
            **({"group": group.label} if len(groups) > 1 else {}),
            **typed_values(setting, group.keys),
            "rank": rank if len(setting.scores) else None,
            **{name: measure(setting) for name, measure in MEASURES.items()},
        }
        for group in groups
        for setting, rank in zip(group.settings, ranks_of(group.settings), strict=True)
    ]
    kinds = {"rank": "Int64", **dict.fromkeys(COUNTS, "int64")} if rows else {}
    frame: pd.DataFrame = pandas.DataFrame(rows).astype(kinds)
    return frame


def typed_values(setting: Setting, keys: Sequence[str]) -> dict[str, Any]:
    """Returns the values of keys of a setting, of the types that the config gives them."""
    run = setting.runs[0]
    texts = {**run.swept, **setting.values}
    return {key: run.config.get(key, texts.get(key)) for key in keys}


def mapping_at(key: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the mapping that a key has in a config by dotted key."""
    found: dict[str, Any] = {}
    for dotted, value in config.items():
        if dotted.startswith(f"{key}."):
            *parents, last = dotted.removeprefix(f"{key}.").split(".")
            node = found
            for parent in parents:
                node = node.setdefault(parent, {})
            node[last] = value
    return found
