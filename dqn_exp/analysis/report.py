"""Reports of sweeps, and comparisons of runs and sweeps."""

import os
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from dqn_exp.analysis.comparable import make_groups
from dqn_exp.analysis.page import Report, write_page
from dqn_exp.analysis.ranking import DEFAULT, Ranking
from dqn_exp.analysis.run_reader import read_sources


def write_report(
    directories: Sequence[Path],
    output: Path,
    *,
    threshold: float | None = None,
    compares: bool = False,
    ranking: Ranking = DEFAULT,
) -> Path:
    """Writes the report of a sweep, or a comparison; returns its page.

    Args:
        directories: of the sweep, and of others whose runs are added to it or compared with it.
        output: directory of the report, created if necessary.
        threshold: return to reach; None for the one that the environment is registered with.
        compares: whether equal settings of different directories are kept apart.
        ranking: of the settings.

    Raises:
        ConfigError: If a directory is not that of a run or a sweep, or a ranking by steps has no
            threshold.
    """
    output = Path(os.path.abspath(output))
    sources = read_sources(directories)
    names = " and ".join(source.name for source in sources)
    return write_page(
        Report(
            title=f"{'Comparison of' if compares else 'Report of'} {names}",
            made=f"Written on {datetime.now():%Y-%m-%d at %H:%M} by dqn_exp.",
            sources=sources,
            groups=make_groups(
                sources, names_sources=compares, threshold=threshold, ranking=ranking
            ),
            ranking=ranking,
            prefix=_link_prefix(output, sources[0].directory),
        ),
        output,
    )


def _link_prefix(output: Path, directory: Path) -> str:
    """Returns the prefix of links from a report to a directory."""
    return "../" if output.parent == directory else f"{directory.as_uri()}/"
