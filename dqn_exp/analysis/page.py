"""The files of a report: an HTML page with its plots, CSV, Markdown, PNG and SVG."""

import base64
import io
import re
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined

from dqn_exp.analysis import text, verdict
from dqn_exp.analysis.aggregates import Setting
from dqn_exp.analysis.frames_plot import make_frames_plot
from dqn_exp.analysis.plot_style import DARK, LIGHT, Plot, Theme, drawn
from dqn_exp.analysis.plots import make_plots
from dqn_exp.analysis.run_reader import Source
from dqn_exp.analysis.table import make_columns, to_cells, to_csv, to_markdown
from dqn_exp.core.errors import ConfigError
from dqn_exp.files.atomic_file import write_atomically

PNG_DPI = 150

GENERATOR = '<meta name="generator" content="dqn_exp">'
"""Marks a page as a report of this package."""

TABLE_NOTE = """\
All values are over the seeds, of the mean returns of final evaluations. The area is the mean \
height of the learning curve. Steps to a threshold are the median of the first evaluation that \
reaches it; the number of runs that reach it is in brackets."""


class Embedded(NamedTuple):
    """A plot as the page embeds it, as data URLs for light and dark pages."""

    name: str
    title: str
    caption: str
    light: str
    dark: str


class Report(NamedTuple):
    """The content of a report.

    Attributes:
        title: of the page.
        made: line with the time of the report.
        sources: runs and sweeps.
        keys: in which settings differ.
        settings: the largest IQM first.
        threshold: return to reach; None for none.
        prefix: of links from the report to the directory of the first source.
    """

    title: str
    made: str
    sources: Sequence[Source]
    keys: Sequence[str]
    settings: Sequence[Setting]
    threshold: float | None
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
    has_scores = any(len(setting.scores) for setting in report.settings)
    plots = make_plots(report.settings, report.keys, report.threshold) if has_scores else []
    if (frames := make_frames_plot(report.settings)) is not None:
        plots.append(frames)
    embedded = [_write_plot(plot, plots_folder) for plot in plots]
    for name in earlier - {plot.name for plot in plots}:
        for suffix in ("png", "svg"):
            (plots_folder / f"{name}.{suffix}").unlink(missing_ok=True)
    content = _content(report)
    _write(directory / "settings.csv", to_csv(report.settings, report.keys))
    _write(directory / "report.md", _to_markdown(report, content, embedded))
    _write(page, _render(**content, plots=embedded))
    return page


def _content(report: Report) -> dict[str, Any]:
    runs = [run for source in report.sources for run in source.runs]
    columns = make_columns(report.settings, report.keys, report.threshold)
    rivals = list(verdict.improvements(report.settings))
    commands = text.commands(report.sources)
    return {
        "title": report.title,
        "made": report.made,
        "verdict": verdict.verdict(report.settings),
        "notes": list(text.notes(report.settings, runs)),
        "facts": list(text.facts(report.sources, report.keys, report.threshold)),
        "columns": columns,
        "rows": to_cells(report.settings, columns),
        "table_note": TABLE_NOTE,
        "best": report.settings[0].label,
        "improvements": rivals,
        "troubles": list(text.troubles(report.sources, report.prefix)),
        "commands": commands,
        "commands_note": "Run from the same working directory, with the versions above.",
    }


def _render(**values: Any) -> str:
    environment = Environment(
        loader=PackageLoader("dqn_exp.analysis"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html.j2").render(values)


def _to_markdown(report: Report, content: dict[str, Any], plots: Sequence[Embedded]) -> str:
    def lines() -> Iterator[str]:
        yield f"# {report.title}\n\n{report.made}\n\n{content['verdict']}\n"
        yield from (f"\n{note}\n" for note in content["notes"])
        yield "\n## What was run\n\n"
        yield from (f"- {name}: {value}\n" for name, value in content["facts"])
        yield f"\n## Settings\n\n{content['table_note']}\n\n"
        yield to_markdown(report.settings, content["columns"])
        if content["improvements"]:
            yield f"\n## Probability of improvement of {content['best']}\n\n"
        for label, value, interval, p_value in content["improvements"]:
            yield f"- over {label}: {value} [{interval}], p = {p_value}\n"
        for plot in plots:
            yield f"\n## {plot.title}\n\n![{plot.title}](plots/{plot.name}.png)\n\n{plot.caption}\n"
        if content["troubles"]:
            yield "\n## Runs that have not completed\n\n"
        for one in content["troubles"]:
            log = f" [train.log]({one.log})" if one.log else ""
            yield f"- {one.name}: {one.status} {one.error}{log}\n"
        if content["commands"]:
            yield f"\n## How to reproduce\n\n{content['commands_note']}\n"
        yield from (f"\n```bash\n{command}\n```\n" for command in content["commands"])

    return "".join(lines())


def _write_plot(plot: Plot, directory: Path) -> Embedded:
    light = _to_bytes(plot, LIGHT, "svg", "png")
    (dark,) = _to_bytes(plot, DARK, "svg")
    for suffix, content in zip(("svg", "png"), light, strict=True):
        write_atomically(directory / f"{plot.name}.{suffix}", content)
    return Embedded(plot.name, plot.title, plot.caption, _to_address(light[0]), _to_address(dark))


def _to_bytes(plot: Plot, theme: Theme, *formats: str) -> list[bytes]:
    found = []
    with drawn(plot, theme) as figure, warnings.catch_warnings():
        # A letter that the font does not have; SVGs use the reader's fonts.
        warnings.filterwarnings("ignore", message="Glyph", category=UserWarning)
        for form in formats:
            file = io.BytesIO()
            # Without the date, equal reports are equal files.
            metadata = {"Date": None} if form == "svg" else None
            figure.savefig(file, format=form, dpi=PNG_DPI, metadata=metadata)
            found.append(file.getvalue())
    return found


def _to_address(svg: bytes) -> str:
    return f"data:image/svg+xml;base64,{base64.b64encode(svg).decode()}"


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
