"""Runs whose returns can be compared: with one environment, budget and evaluation protocol."""

import importlib
from collections.abc import Sequence
from typing import NamedTuple

import gymnasium

from dqn_exp.analysis.aggregates import Setting, make_settings
from dqn_exp.analysis.ranking import DEFAULT, Ranking, check_threshold, rank
from dqn_exp.analysis.run_reader import RunFiles, Source
from dqn_exp.analysis.swept_keys import SOURCE, find_keys, shorten_keys, value_of

CONDITIONS = (
    *("env.id", "env.max_episode_steps", "env.kwargs"),
    *("trainer.total_steps", "trainer.total_episodes", "trainer.stop_at_return"),
    *("eval.every_steps", "eval.episodes", "eval.max_episode_steps"),
    *("eval.env_kwargs", "eval.seed"),
)
"""Keys, and prefixes of keys, that must be equal for returns to be compared."""


class Group(NamedTuple):
    """Settings whose returns can be compared.

    Attributes:
        label: conditions that other groups do not share; empty if there are none.
        keys: in which the settings differ.
        settings: the best one first.
        threshold: return to reach; None for none.
        ranking: of the settings.
    """

    label: str
    keys: list[str]
    settings: list[Setting]
    threshold: float | None
    ranking: Ranking

    @property
    def runs(self) -> list[RunFiles]:
        """Runs of all settings."""
        return [run for setting in self.settings for run in setting.runs]

    @property
    def scored(self) -> list[Setting]:
        """Settings with completed runs."""
        return [setting for setting in self.settings if len(setting.scores)]


def make_groups(
    sources: Sequence[Source],
    *,
    names_sources: bool = False,
    threshold: float | None = None,
    ranking: Ranking = DEFAULT,
) -> list[Group]:
    """Divides runs into groups that can be compared, and ranks the settings of each.

    Args:
        sources: at least one.
        names_sources: whether equal settings of different directories are kept apart.
        threshold: return to reach; None for the one that the environment is registered with.
        ranking: of the settings.

    Raises:
        ConfigError: If the ranking needs a threshold, and there is none.
    """
    keys = find_keys(sources, names_sources=names_sources)
    divided = divide([run for source in sources for run in source.runs])
    return [_make_group(label, runs, keys, threshold, ranking) for label, runs in divided.items()]


def divide(runs: Sequence[RunFiles]) -> dict[str, list[RunFiles]]:
    """Returns the runs that can be compared, by the conditions that others do not share."""
    found = dict.fromkeys(key for run in runs for key in run.config if _is_condition(key))
    keys = [key for key in found if len({value_of(run, key) for run in runs}) > 1]
    names = shorten_keys(keys)
    groups: dict[str, list[RunFiles]] = {}
    for run in runs:
        values = {names[key]: value_of(run, key) for key in keys}
        label = ", ".join(f"{name}={value}" for name, value in values.items())
        groups.setdefault(label, []).append(run)
    return groups


def _make_group(
    label: str,
    runs: list[RunFiles],
    keys: Sequence[str],
    threshold: float | None,
    ranking: Ranking,
) -> Group:
    own = [key for key in keys if key == SOURCE or len({value_of(run, key) for run in runs}) > 1]
    reach = _registered_threshold(runs) if threshold is None else threshold
    check_threshold(ranking, reach)
    return Group(label, own, rank(make_settings(runs, own, reach), ranking), reach, ranking)


def _is_condition(key: str) -> bool:
    return key in CONDITIONS or key.startswith(("env.kwargs.", "eval.env_kwargs."))


def _registered_threshold(runs: Sequence[RunFiles]) -> float | None:
    module, _, name = value_of(runs[0], "env.id").rpartition(":")
    try:
        if module and name not in gymnasium.registry:
            importlib.import_module(module)
        return gymnasium.spec(name).reward_threshold
    except (Exception, SystemExit):  # It may not exist any more, and modules may raise any error.
        return None
