"""The best settings of a sweep, in a few lines for the terminal."""

from collections.abc import Iterator
from pathlib import Path

from dqn_exp.analysis.aggregates import Setting
from dqn_exp.analysis.comparable import Group, make_groups
from dqn_exp.analysis.ranking import ranks_of
from dqn_exp.analysis.run_reader import read_sources
from dqn_exp.analysis.swept_keys import shorten_keys
from dqn_exp.analysis.table import to_text
from dqn_exp.core.errors import ConfigError
from dqn_exp.core.wording import quantity
from dqn_exp.files.job_list import CONFIRMATION, NAME
from dqn_exp.files.job_names import shorten_number

NUM_SHOWN = 3


def ranked_settings(directory: Path) -> list[Setting]:
    """Returns the settings of a sweep that have completed runs, the best one first.

    Settings that cannot be compared take turns: the best of each group, then the second of each.

    Raises:
        ConfigError: If the directory is not that of a sweep.
    """
    groups = [group.scored for group in make_groups(read_sources([directory]))]
    deepest = max((len(group) for group in groups), default=0)
    return [group[place] for place in range(deepest) for group in groups if place < len(group)]


def best_run(directory: Path) -> Path:
    """Returns the directory of a run itself, or that of the best run of a sweep's best setting.

    Raises:
        ConfigError: If the directory is not that of a run or a sweep, or no run has completed.
    """
    if not (directory / NAME).exists():
        return directory
    settings = ranked_settings(directory)
    if not settings:
        raise ConfigError([f"{directory}: expected a sweep with a completed run."])
    scored = [run for run in settings[0].runs if run.score is not None]
    return max(scored, key=lambda run: run.score or 0.0).directory


def best_lines(*directories: Path) -> Iterator[str]:
    """Yields a line for each of the best settings, if there are several or they were confirmed."""
    first = directories[0]
    is_confirmed = first.name == CONFIRMATION and (first.parent / NAME).exists()
    for group in make_groups(read_sources(directories)):
        if len(group.scored) > 1 or is_confirmed:
            yield from _lines_of(group, is_confirmed=is_confirmed)


def _lines_of(group: Group, *, is_confirmed: bool) -> Iterator[str]:
    where = f" with {group.label}" if group.label else ""
    remark = ", confirmed with fresh seeds," if is_confirmed else ""
    yield f"Best settings{where}{remark} by the IQM of their final returns, with 95% intervals:"
    ranks = ranks_of(group.scored)
    for rank, setting in [*zip(ranks, group.scored, strict=True)][:NUM_SHOWN]:
        yield f"  {rank}. {_value(setting)}, {_seeds_of(setting)}: {_name_of(setting, group)}"


def _name_of(setting: Setting, group: Group) -> str:
    """Returns the values that tell a setting from others, or those of the only one."""
    if len(group.settings) > 1:
        return setting.label
    values = {key: value for key, value in setting.runs[0].swept.items() if key != "seed"}
    names = shorten_keys(list(values))
    named = [f"{names[key]}={shorten_number(value)}" for key, value in values.items()]
    return ", ".join(named) or setting.label


def _seeds_of(setting: Setting) -> str:
    count, total = len(setting.scores), len(setting.runs)
    return quantity(total, "seed") if count == total else f"{count} of {quantity(total, 'seed')}"


def _value(setting: Setting) -> str:
    value, low, high = (float(one) for one in setting.iqm)
    if not setting.iqm.has_interval:
        return to_text(value)
    return f"{to_text(value)} ({to_text(low)} to {to_text(high)})"
