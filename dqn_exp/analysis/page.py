"""The files of a report: an HTML page with its plots, CSV, Markdown, PNG, SVG and PDF."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from dqn_exp.analysis import text, verdict
from dqn_exp.analysis.aggregates import Curve, make_curve
from dqn_exp.analysis.chart_data import PageContext, make_chart_data
from dqn_exp.analysis.comparable import Group
from dqn_exp.analysis.importance import Importance, importances, num_known
from dqn_exp.analysis.key_plots import make_marginals
from dqn_exp.analysis.markdown_page import to_markdown_page
from dqn_exp.analysis.page_files import PLOTS, begin_page, remove_plots, render_page, write_text
from dqn_exp.analysis.plot_files import write_plot
from dqn_exp.analysis.plots import make_plots
from dqn_exp.analysis.ranking import DEFAULT, Ranking
from dqn_exp.analysis.run_reader import Source, log_keys_of
from dqn_exp.analysis.setting_events import FOLDER, write_setting_events
from dqn_exp.analysis.swept_keys import SOURCE
from dqn_exp.analysis.table import make_columns, to_cells, to_csv, to_markdown
from dqn_exp.core.extras import MissingExtraError

NUM_SHORT_ROWS = 5
"""Best settings beside their picture, above the full table."""

MOST_EMBEDDED = 3
"""Groups up to which static pictures are part of the page; with more, it refers to their files."""

COMMANDS_NOTE = "Run from the same working directory, with the versions below."

TABLE_NOTE = """\
All values are over the seeds, of the mean returns of final evaluations. The area is the mean \
height of the learning curve. Steps to a threshold are the median of the first evaluation that \
reaches it; the number of runs that reach it is in brackets."""

IMPORTANCE_NOTE = """\
Fraction of the variance in return across {count} settings that each of {keys} keys explains \
alone (functional ANOVA with a random forest); the remainder is due to their interactions. \
Error bars show the range over several forests; \
where they overlap, the order is not meaningful. A narrow search range makes a key look \
unimportant. Pruned settings contribute their last evaluation."""


class Report(NamedTuple):
    """The content of a report.

    Attributes:
        title: of the page.
        made: line with the time of the report.
        sources: runs and sweeps.
        groups: settings that can be compared, at least one.
        prefix: of links from the report to the directory of the first source.
    """

    title: str
    made: str
    sources: Sequence[Source]
    groups: Sequence[Group]
    prefix: str


def write_page(report: Report, directory: Path) -> Path:
    """Writes all files of a report; returns its page, which is written last.

    Args:
        report: the content.
        directory: created if necessary; plots of an earlier report are removed.

    Raises:
        ConfigError: If the directory holds other files that would be overwritten.
    """
    earlier = begin_page(directory)
    curves = [[make_curve(setting) for setting in group.scored] for group in report.groups]
    sections = [
        _make_section(report, group, own, directory / PLOTS)
        for group, own in zip(report.groups, curves, strict=True)
    ]
    remove_plots(directory, earlier - {one.name for part in sections for one in part["plots"]})
    write_setting_events(report.groups, curves, directory / FOLDER)
    content = _content(report)
    write_text(directory / "settings.csv", to_csv(report.groups))
    write_text(directory / "report.md", to_markdown_page(report.title, content, sections))
    return render_page(directory, "report.html.j2", **content, sections=sections)


def _content(report: Report) -> dict[str, Any]:
    return {
        "title": report.title,
        "made": report.made,
        "facts": list(text.facts(report.sources, report.groups)),
        "troubles": list(text.troubles(report.sources, report.prefix)),
        "confirmation": text.confirmation_of(report.sources, report.prefix),
        "commands": text.commands(report.sources),
        "commands_note": COMMANDS_NOTE,
        "table_note": TABLE_NOTE,
    }


def _make_section(
    report: Report, group: Group, curves: Sequence[Curve], folder: Path
) -> dict[str, Any]:
    """Returns what the page shows of a group, and writes its plots."""
    number = report.groups.index(group)
    log_keys = log_keys_of(report.sources)
    marginals = make_marginals(group) if group.scored else {}
    plots = make_plots(group, curves, marginals, log_keys) if group.scored else []
    if len(report.groups) > 1:
        plots = [plot._replace(name=f"group{number + 1}_{plot.name}") for plot in plots]
    is_embedded = len(report.groups) <= MOST_EMBEDDED
    columns = make_columns(group)
    importance, remark = _importance(group, log_keys)
    page = PageContext(
        log_keys,
        len(report.groups),
        partial(text.link, sources=report.sources, prefix=report.prefix),
        partial(text.command_of, sources=report.sources),
    )
    return {
        "label": group.label,
        "verdict": verdict.verdict(group),
        "subtitle": text.subtitle(group),
        "notes": [*_note_on(group.ranking), *text.notes(group)],
        "columns": columns,
        "rows": to_cells(group.settings, columns),
        "short_columns": (short := [one for one in columns if one.is_short]),
        "short_rows": to_cells(group.scored[:NUM_SHORT_ROWS], short),
        "markdown": to_markdown(group.settings, columns),
        "best": group.settings[0].label,
        "improvements": list(verdict.improvements(group)),
        "plots": [write_plot(plot, folder, is_embedded=is_embedded) for plot in plots],
        "data": make_chart_data(group, curves, marginals, importance, page),
        "importance_note": remark,
        "is_search": any(source.is_search for source in report.sources),
    }


def _note_on(ranking: Ranking) -> list[str]:
    """Returns what readers should know of a ranking that is not the default."""
    return [] if ranking is DEFAULT else [f"Settings are ranked by the {ranking.phrase}."]


def _importance(group: Group, log_keys: frozenset[str]) -> tuple[list[Importance], str]:
    """Returns the importance of the keys, and how far to trust it."""
    keys = [key for key in group.keys if key != SOURCE]
    try:
        return importances(group.settings, keys, log_keys), IMPORTANCE_NOTE.format(
            count=num_known(group.settings), keys=len(keys)
        )
    except MissingExtraError as error:
        return [], f"The importance of the keys needs an optional package. {error}"
