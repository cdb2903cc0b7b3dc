"""The best settings of a sweep, in a few lines for the terminal."""

from collections.abc import Iterator
from pathlib import Path

from dqn_exp.analysis.aggregates import Setting, make_settings
from dqn_exp.analysis.run_reader import read_sources
from dqn_exp.analysis.swept_keys import find_keys
from dqn_exp.analysis.table import to_text

NUM_SHOWN = 3


def ranked_settings(directory: Path) -> list[Setting]:
    """Returns the settings of a sweep that have completed runs, the best one first.

    Raises:
        ConfigError: If the directory is not that of a sweep.
    """
    sources = read_sources([directory])
    keys = find_keys(sources, names_sources=False)
    return [one for one in make_settings(sources[0].runs, keys, None) if len(one.scores)]


def best_lines(directory: Path) -> Iterator[str]:
    """Yields a line for each of the best settings, if there are several."""
    settings = ranked_settings(directory)
    if len(settings) < 2:
        return
    yield "Best settings by the IQM of their final returns, with 95 % intervals:"
    for rank, setting in enumerate(settings[:NUM_SHOWN], 1):
        count = len(setting.scores)
        seeds = "1 seed" if count == 1 else f"{count} seeds"
        yield f"  {rank}. {_value(setting)}, {seeds}: {setting.label}"


def _value(setting: Setting) -> str:
    value, low, high = (float(one) for one in setting.iqm)
    if not setting.iqm.has_interval:
        return to_text(value)
    return f"{to_text(value)} ({to_text(low)} to {to_text(high)})"
