"""Reports of sweeps, and comparisons of runs and sweeps."""

import os
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from dqn_exp.analysis.comparable import make_groups
from dqn_exp.analysis.page import Report, write_page
from dqn_exp.analysis.ranking import RANKINGS
from dqn_exp.analysis.run_page import write_run_page
from dqn_exp.analysis.run_reader import read_sources
from dqn_exp.core.errors import ConfigError


def write_report(
    directories: Sequence[Path],
    output: Path,
    *,
    threshold: float | None = None,
    compares: bool = False,
    rank_by: str = "iqm",
) -> Path:
    """Writes the report of a sweep or a single run, or a comparison; returns its page.

    Args:
        directories: of the sweep or run, and of others whose runs are added or compared.
        output: directory of the report, created if necessary.
        threshold: return to reach; None for the one that the environment is registered with.
        compares: whether equal settings of different directories are kept apart.
        rank_by: name of the ranking of the settings.

    Raises:
        ConfigError: If a directory is not that of a run or a sweep, the ranking is unknown, or a
            ranking by steps has no threshold.
    """
    if rank_by not in RANKINGS:
        raise ConfigError([f"rank_by: expected one of {', '.join(RANKINGS)}, got {rank_by!r}."])
    output = Path(os.path.abspath(output))
    sources, ranking = read_sources(directories), RANKINGS[rank_by]
    made = f"Written on {datetime.now():%Y-%m-%d at %H:%M} by dqn_exp."
    prefix = _link_prefix(output, sources[0].directory)
    if len(sources) == 1 and not sources[0].is_sweep:
        return write_run_page(sources[0], output, made, prefix)
    names = " and ".join(source.name for source in sources)
    return write_page(
        Report(
            title=f"{'Comparison of' if compares else 'Report of'} {names}",
            made=made,
            sources=sources,
            groups=make_groups(
                sources, names_sources=compares, threshold=threshold, ranking=ranking
            ),
            prefix=prefix,
        ),
        output,
    )


def _link_prefix(output: Path, directory: Path) -> str:
    """Returns the prefix of links from a report to a directory."""
    return "../" if output.parent == directory else f"{directory.as_uri()}/"
