"""Makes reports of directories: of sweeps, and of runs and sweeps side by side."""

import os
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import gymnasium

from dqn_exp.differences import find_keys
from dqn_exp.report_page import Report, write_page
from dqn_exp.run_files import RunFiles, read_sources
from dqn_exp.settings import make_settings


def write_report(
    directories: Sequence[Path], threshold: float | None = None, output: Path | None = None
) -> Path:
    """Writes the report of a sweep; returns the page.

    Args:
        directories: of the sweep, and of others whose runs are taken together with its own.
        threshold: return to be reached; None for that which the environment is registered with.
        output: directory of the report; None for `report/` in the first one.

    Raises:
        ConfigError: if a directory is not that of a run or a sweep.
    """
    output = output or directories[0] / "report"
    return _write(directories, Path(os.path.abspath(output)), threshold, compares=False)


def write_comparison(
    directories: Sequence[Path], output: Path, threshold: float | None = None
) -> Path:
    """Writes a report that tells apart from which directory a run is; returns the page.

    Args:
        directories: of runs and sweeps.
        output: directory of the report, made if need be.
        threshold: as in `write_report`.

    Raises:
        ConfigError: if a directory is not that of a run or a sweep.
    """
    return _write(directories, Path(os.path.abspath(output)), threshold, compares=True)


def _write(
    directories: Sequence[Path], output: Path, threshold: float | None, *, compares: bool
) -> Path:
    sources = read_sources(directories)
    runs = [run for source in sources for run in source.runs]
    keys = find_keys(sources, names_sources=compares)
    if threshold is None:
        threshold = _registered_threshold(runs)
    names = " and ".join(source.name for source in sources)
    return write_page(
        Report(
            title=f"{'Comparison of' if compares else 'Report of'} {names}",
            made=f"Made on {datetime.now():%Y-%m-%d at %H:%M} by dqn_exp.",
            sources=sources,
            keys=keys,
            settings=make_settings(runs, keys, threshold),
            threshold=threshold,
            prefix=_way(output, sources[0].directory),
        ),
        output,
    )


def _way(output: Path, directory: Path) -> str:
    """Returns what leads from a report to a directory, as a page links it."""
    return "../" if output.parent == directory else f"{directory.as_uri()}/"


def _registered_threshold(runs: Sequence[RunFiles]) -> float | None:
    ids = {run.config.get("env.id") for run in runs}
    try:
        (env_id,) = ids
        return gymnasium.spec(str(env_id)).reward_threshold
    except (ValueError, ImportError, gymnasium.error.Error):
        return None  # Several environments, or one that is not there any more.
