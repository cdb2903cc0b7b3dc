"""The page of a single run: its returns, loss and values."""

from pathlib import Path
from typing import Any

import numpy as np

from dqn_exp.analysis import text
from dqn_exp.analysis.aggregates import make_settings
from dqn_exp.analysis.chart_data import rounded
from dqn_exp.analysis.comparable import make_groups
from dqn_exp.analysis.frames_plot import make_frames_plot
from dqn_exp.analysis.page import COMMANDS_NOTE
from dqn_exp.analysis.page_files import PLOTS, begin_page, remove_plots, render_page
from dqn_exp.analysis.plot_files import write_plot
from dqn_exp.analysis.run_plots import Chart, Line, make_charts, to_plot
from dqn_exp.analysis.run_reader import RunFiles, Source, read_evaluation_spread
from dqn_exp.analysis.table import to_text
from dqn_exp.files.event_reader import read_scalars

PHRASES = {
    "completed": "The run completed after {steps} steps.",
    "running": "The run is at step {steps}, or was killed there.",
    "failed": "The run failed at step {steps}.",
    "diverged": "The run diverged at step {steps}.",
    "pruned": "The run was pruned at step {steps}.",
    "interrupted": "The run was interrupted at step {steps}.",
}
"""How a run ended, by status."""


def write_run_page(source: Source, directory: Path, made: str, prefix: str) -> Path:
    """Writes the page of a run; returns its path.

    Args:
        source: a run.
        directory: of the page, created if necessary.
        made: line with the time of the page.
        prefix: of links from the page to the directory of the run.

    Raises:
        ConfigError: If the directory holds other files that would be overwritten.
    """
    (run,) = source.runs
    earlier = begin_page(directory)
    charts = make_charts(run, read_scalars(run.directory))
    note = f"{run.config.get('env.id')}, seed {run.seed}"
    plots = [to_plot(chart, note) for chart in charts]
    if (frames := make_frames_plot(make_settings([run], [], None))) is not None:
        plots.append(frames._replace(note=note))
    written = [write_plot(plot, directory / PLOTS) for plot in plots]
    remove_plots(directory, earlier - {plot.name for plot in written})
    log = run.directory / "train.log"
    return render_page(
        directory,
        "run.html.j2",
        title=f"Report of {source.name}",
        made=made,
        verdict=describe(run),
        charts=[_to_data(chart) for chart in charts],
        plots=written,
        log=text.link(log, [source], prefix) if log.exists() else "",
        commands=text.commands([source]),
        commands_note=COMMANDS_NOTE,
        facts=list(text.facts([source], make_groups([source]))),
    )


def describe(run: RunFiles) -> str:
    """Returns how a run ended and what it has reached."""
    spread, result = read_evaluation_spread(run.directory), run.result
    if result is None:
        return "The run has not started."
    form = PHRASES.get(run.status, "The run stopped at step {steps} ({status}).")
    ended = form.format(steps=f"{result.steps:,}", status=run.status)
    error = f" {result.error}" if result.error else ""
    if not len(spread):
        return f"{ended}{error} It has not been evaluated."
    step, mean, low, high = spread[-1]
    best = spread[np.argmax(spread[:, 1])]
    return (
        f"{ended}{error} Its last evaluation, at step {step:,.0f}, has a mean return of "
        f"{to_text(mean)} ({to_text(low)} to {to_text(high)} over its episodes); the best one was "
        f"{to_text(best[1])}, at step {best[0]:,.0f}."
    )


def _to_data(chart: Chart) -> dict[str, Any]:
    return {"unit": chart.unit, "lines": [_to_line(line) for line in chart.lines]}


def _to_line(line: Line) -> dict[str, Any]:
    points = [rounded(values) for values in line.points.T]
    return {"name": line.name, "isScatter": line.is_scatter, "points": points}
