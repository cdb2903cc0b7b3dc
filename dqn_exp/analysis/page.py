"""The files of a report: an HTML page with its plots, CSV, Markdown, PNG, SVG and PDF."""

import itertools
import re
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from dqn_exp.analysis import text, verdict
from dqn_exp.analysis.aggregates import make_curve
from dqn_exp.analysis.chart_data import make_chart_data
from dqn_exp.analysis.comparable import Group
from dqn_exp.analysis.frames_plot import make_frames_plot
from dqn_exp.analysis.importance import Importance, importances
from dqn_exp.analysis.key_plots import make_marginals
from dqn_exp.analysis.markdown_page import to_markdown_page
from dqn_exp.analysis.plot_files import FORMATS, write_plot
from dqn_exp.analysis.plots import make_plots, note_of
from dqn_exp.analysis.ranking import Ranking
from dqn_exp.analysis.run_reader import Source
from dqn_exp.analysis.swept_keys import SOURCE
from dqn_exp.analysis.table import make_columns, to_cells, to_csv, to_markdown
from dqn_exp.core.errors import ConfigError
from dqn_exp.core.extras import MissingExtraError
from dqn_exp.files.atomic_file import write_atomically

GENERATOR = '<meta name="generator" content="dqn_exp">'
"""Marks a page as a report of this package."""

ASSETS = ("report.css", "report.js", "plotly-basic.min.js")
"""Files that are part of the page; Plotly: https://github.com/plotly/plotly.js."""

NUM_SHORT_ROWS = 5
"""Best settings beside their picture, above the full table."""

TABLE_NOTE = """\
All values are over the seeds, of the mean returns of final evaluations. The area is the mean \
height of the learning curve. Steps to a threshold are the median of the first evaluation that \
reaches it; the number of runs that reach it is in brackets."""

IMPORTANCE_NOTE = """\
Share of the variance of the returns of {count} settings that each of {keys} keys explains by \
itself, by functional ANOVA on a random forest. Bars span several forests: where they overlap, the \
order means nothing. A key that was searched in a narrow range looks unimportant, and pruned \
settings count with their last evaluation."""


class Report(NamedTuple):
    """The content of a report.

    Attributes:
        title: of the page.
        made: line with the time of the report.
        sources: runs and sweeps.
        groups: settings that can be compared, at least one.
        ranking: of the settings.
        prefix: of links from the report to the directory of the first source.
    """

    title: str
    made: str
    sources: Sequence[Source]
    groups: Sequence[Group]
    ranking: Ranking
    prefix: str


def write_page(report: Report, directory: Path) -> Path:
    """Writes all files of a report; returns its page, which is written last.

    Args:
        report: the content.
        directory: created if necessary; plots of an earlier report are removed.

    Raises:
        ConfigError: If the directory holds a page that is not a report.
    """
    plots_folder, page = directory / "plots", directory / "index.html"
    earlier = _plots_of(page)
    plots_folder.mkdir(parents=True, exist_ok=True)
    sections = [_make_section(report, group, plots_folder) for group in report.groups]
    written = {plot.name for section in sections for plot in section["plots"]}
    for name, suffix in itertools.product(earlier - written, FORMATS):
        (plots_folder / f"{name}.{suffix}").unlink(missing_ok=True)
    content = _content(report)
    _write(directory / "settings.csv", to_csv(report.groups, report.ranking))
    _write(directory / "report.md", to_markdown_page(report.title, content, sections))
    _write(page, _render(**content, sections=sections))
    return page


def _content(report: Report) -> dict[str, Any]:
    return {
        "title": report.title,
        "made": report.made,
        "facts": list(text.facts(report.sources, report.groups)),
        "troubles": list(text.troubles(report.sources, report.prefix)),
        "commands": text.commands(report.sources),
        "commands_note": "Run from the same working directory, with the versions above.",
        "table_note": TABLE_NOTE,
    }


def _make_section(report: Report, group: Group, folder: Path) -> dict[str, Any]:
    """Returns what the page shows of a group, and writes its plots."""
    number = report.groups.index(group)
    log_keys = frozenset(key for source in report.sources for key in source.log_keys)
    curves = [make_curve(setting) for setting in group.scored]
    marginals = make_marginals(group) if group.scored else {}
    plots = make_plots(group, curves, marginals, log_keys) if group.scored else []
    if (frames := make_frames_plot(group.settings)) is not None:
        plots.append(frames._replace(note=note_of(group)))
    if len(report.groups) > 1:
        plots = [plot._replace(name=f"group{number + 1}_{plot.name}") for plot in plots]
    columns = make_columns(group, report.ranking)
    importance, remark = _importance(group, log_keys)
    data = make_chart_data(
        group,
        curves,
        marginals,
        report.ranking,
        log_keys,
        importance,
        partial(text.link, sources=report.sources, prefix=report.prefix),
        partial(text.command_of, sources=report.sources),
    )
    return {
        "label": group.label,
        "verdict": verdict.verdict(group, report.ranking),
        "subtitle": text.subtitle(group),
        "notes": list(text.notes(group)),
        "columns": columns,
        "rows": to_cells(group.settings, columns),
        "short_columns": (short := [one for one in columns if one.is_short]),
        "short_rows": to_cells(group.scored[:NUM_SHORT_ROWS], short),
        "markdown": to_markdown(group.settings, columns),
        "best": group.settings[0].label,
        "improvements": list(verdict.improvements(group, report.ranking)),
        "plots": [write_plot(plot, folder) for plot in plots],
        "data": data,
        "importance_note": remark,
        "is_search": any(source.is_search for source in report.sources),
    }


def _importance(group: Group, log_keys: frozenset[str]) -> tuple[list[Importance], str]:
    """Returns the importance of the keys, and how far to trust it."""
    keys = [key for key in group.keys if key != SOURCE]
    try:
        return importances(group.settings, keys, log_keys), IMPORTANCE_NOTE.format(
            count=len(group.settings), keys=len(keys)
        )
    except MissingExtraError as error:
        return [], f"The importance of the keys needs an optional package. {error}"


def _render(**values: Any) -> str:
    environment = Environment(
        loader=PackageLoader("dqn_exp.analysis"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates = Path(__file__).parent / "templates"
    # Not included as templates: a library has braces of its own.
    assets = {name: Markup((templates / name).read_text("utf-8")) for name in ASSETS}
    return environment.get_template("report.html.j2").render(values, assets=assets)


def _plots_of(page: Path) -> set[str]:
    """Returns the names of the plots of an existing report."""
    try:
        content = page.read_text(encoding="utf-8")
    except FileNotFoundError:
        return set()
    if GENERATOR not in content:
        raise ConfigError([f"{page} is not a report of dqn_exp; choose another directory."])
    return set(re.findall(r'href="plots/([\w-]+)\.png"', content))


def _write(path: Path, text: str) -> None:
    write_atomically(path, text.encode())
