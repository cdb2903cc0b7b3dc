"""Reports of sweeps, and comparisons of runs and sweeps."""

import os
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import gymnasium

from dqn_exp.analysis.aggregates import make_settings
from dqn_exp.analysis.page import Report, write_page
from dqn_exp.analysis.run_reader import RunFiles, read_sources
from dqn_exp.analysis.swept_keys import find_keys


def write_report(
    directories: Sequence[Path],
    output: Path,
    *,
    threshold: float | None = None,
    compares: bool = False,
) -> Path:
    """Writes the report of a sweep, or a comparison; returns its page.

    Args:
        directories: of the sweep, and of others whose runs are added to it or compared with it.
        output: directory of the report, created if necessary.
        threshold: return to reach; None for the one that the environment is registered with.
        compares: whether equal settings of different directories are kept apart.

    Raises:
        ConfigError: If a directory is not that of a run or a sweep.
    """
    output = Path(os.path.abspath(output))
    sources = read_sources(directories)
    runs = [run for source in sources for run in source.runs]
    keys = find_keys(sources, names_sources=compares)
    if threshold is None:
        threshold = _registered_threshold(runs)
    names = " and ".join(source.name for source in sources)
    return write_page(
        Report(
            title=f"{'Comparison of' if compares else 'Report of'} {names}",
            made=f"Written on {datetime.now():%Y-%m-%d at %H:%M} by dqn_exp.",
            sources=sources,
            keys=keys,
            settings=make_settings(runs, keys, threshold),
            threshold=threshold,
            prefix=_link_prefix(output, sources[0].directory),
        ),
        output,
    )


def _link_prefix(output: Path, directory: Path) -> str:
    """Returns the prefix of links from a report to a directory."""
    return "../" if output.parent == directory else f"{directory.as_uri()}/"


def _registered_threshold(runs: Sequence[RunFiles]) -> float | None:
    ids = {run.config.get("env.id") for run in runs}
    try:
        (env_id,) = ids
        return gymnasium.spec(str(env_id)).reward_threshold
    except (ValueError, ImportError, gymnasium.error.Error):
        return None  # Several environments, or one that does not exist any more.
