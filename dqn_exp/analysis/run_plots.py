"""Plots of a single run."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes

from dqn_exp.analysis.plot_style import Plot, Theme, add_legend, label_steps
from dqn_exp.analysis.run_reader import RunFiles, read_episode_returns, read_evaluation_spread
from dqn_exp.core.arrays import Float64Array, evenly_spaced
from dqn_exp.files.tags import Tag

WINDOW = 20
"""Training episodes that a moving mean spans."""

MAX_POINTS = 1_000


class Line(NamedTuple):
    """A line of a chart.

    Attributes:
        name: of the line.
        points: `[R, 2]` steps and values, or `[R, 4]` with the ends of a band.
        is_scatter: whether it is drawn as single points.
    """

    name: str
    points: Float64Array
    is_scatter: bool = False


class Chart(NamedTuple):
    """A chart of a run.

    Attributes:
        name: of its files.
        title: of the chart.
        caption: what it shows.
        unit: label of its vertical axis.
        lines: at least one.
    """

    name: str
    title: str
    caption: str
    unit: str
    lines: list[Line]


def make_charts(run: RunFiles, scalars: Mapping[str, Float64Array]) -> list[Chart]:
    """Returns the charts of a run that has something to show.

    Args:
        run: the run.
        scalars: `[R, 2]` by tag.
    """
    charts = [
        Chart(
            "returns",
            "Returns",
            f"Training episodes, their moving mean over {WINDOW} episodes, and the mean of each "
            "evaluation of the greedy policy, with a band from its worst to its best episode.",
            "return",
            [*_training(run), *_evaluations(run)],
        ),
        Chart(
            "loss",
            "Loss and TD errors",
            "Of the newest batch when it was logged.",
            "loss",
            _lines(scalars, {"loss": Tag.LOSS, "absolute TD error": Tag.TD_ERROR_ABS}),
        ),
        Chart(
            "values",
            "Values",
            "The value that the network predicts for the first observation of an evaluation "
            "episode, and the discounted sum of rewards that followed. Predictions far above it "
            "are overestimates.",
            "value",
            _lines(
                scalars,
                {
                    "predicted": Tag.START_PREDICTED,
                    "realized": Tag.START_REALIZED,
                    "of the actions taken in a batch": Tag.Q_MEAN,
                },
            ),
        ),
    ]
    return [chart for chart in charts if chart.lines]


def to_plot(chart: Chart, note: str) -> Plot:
    """Returns the picture of a chart, which names its run in a note."""

    def draw(axes: Axes, theme: Theme) -> None:
        for line, color in zip(chart.lines, theme.series, strict=False):
            steps, values, *band = line.points.T
            if line.is_scatter:
                axes.scatter(steps, values, s=3, color=theme.muted, lw=0, label=line.name)
                continue
            marker = "o" if len(steps) == 1 else None
            axes.plot(steps, values, color=color, label=line.name, lw=1.2, marker=marker)
            if band:
                axes.fill_between(steps, *band, color=color, alpha=0.18, lw=0)
        axes.set(ylabel=chart.unit)
        label_steps(axes)
        add_legend(axes, "")

    height = 2.5 + 0.15 * len(chart.lines)
    return Plot(chart.name, chart.title, chart.caption, draw, (3.5, height), note, "lines")


def moving_mean(values: Float64Array, window: int) -> Float64Array:
    """Returns the mean `[R]` of each value and those before it, at most `window` of them."""
    sums = np.cumsum(np.concatenate([[0.0], values]))
    last = np.arange(1, len(values) + 1)
    first = np.maximum(0, last - window)
    means: Float64Array = (sums[last] - sums[first]) / (last - first)
    return means


def _training(run: RunFiles) -> list[Line]:
    episodes = read_episode_returns(run.directory)
    if not len(episodes):
        return []
    smooth = np.column_stack([episodes[:, 0], moving_mean(episodes[:, 1], WINDOW)])
    points = Line("training episodes", _thin(episodes), is_scatter=True)
    return [points, Line("moving mean", _thin(smooth))]


def _evaluations(run: RunFiles) -> list[Line]:
    points = read_evaluation_spread(run.directory)
    return [Line("evaluations", _thin(points))] if len(points) else []


def _lines(scalars: Mapping[str, Float64Array], tags: Mapping[str, str]) -> list[Line]:
    return [Line(name, _thin(scalars[tag])) for name, tag in tags.items() if tag in scalars]


def _thin(points: Float64Array) -> Float64Array:
    return points[evenly_spaced(len(points), MAX_POINTS)]
