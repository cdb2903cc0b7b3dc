"""The look of plots, on light and dark pages."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure


class Theme(NamedTuple):
    """Colours of a page.

    Attributes:
        text: of labels.
        muted: of axes, grids and further settings.
        background: of the plot.
        series: of named settings, distinguishable with colour vision deficiencies.
        map_name: of matplotlib's colour map.
    """

    text: str
    muted: str
    background: str
    series: tuple[str, ...]
    map_name: str


LIGHT = Theme(
    "#1f2933",
    "#9aa5b1",
    "#ffffff",
    ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#b58900"),
    "Blues",
)


DARK = Theme(
    "#e4e7eb",
    "#7b8794",
    "#16191d",
    ("#56b4e9", "#ff8a5b", "#2fbf94", "#e09bc4", "#e6c229"),
    "Blues",
)


Draw = Callable[[Axes, Theme], None]


class Plot(NamedTuple):
    """A plot that can be drawn.

    Attributes:
        name: of its files.
        title: of the plot.
        caption: what it shows.
        draw: draws it on axes, in the colours of a theme.
        size: width and height in inches.
    """

    name: str
    title: str
    caption: str
    draw: Draw
    size: tuple[float, float] = (7.0, 4.2)


@contextmanager
def drawn(plot: Plot, theme: Theme) -> Iterator[Figure]:
    """Provides the figure of a plot, without a window."""
    with mpl.rc_context(_style(theme)):  # type: ignore[arg-type]
        figure = Figure(figsize=plot.size, layout="constrained")
        plot.draw(figure.add_subplot(), theme)
        yield figure


def _style(theme: Theme) -> dict[str, Any]:
    colored = ("text.color", "axes.labelcolor", "xtick.color", "ytick.color")
    return {
        **dict.fromkeys(colored, theme.text),
        **dict.fromkeys(("figure.facecolor", "axes.facecolor"), theme.background),
        "savefig.facecolor": theme.background,
        "axes.edgecolor": theme.muted,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "grid.color": theme.muted,
        "grid.alpha": 0.25,
        "legend.frameon": False,
        "font.size": 9.5,
        "svg.fonttype": "none",
        "svg.hashsalt": "dqn_exp",
        "font.family": "sans-serif",
        "text.parse_math": False,
    }
