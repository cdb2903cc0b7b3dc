"""The look of plots, on light and dark pages."""

import textwrap
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, MaxNLocator


class Theme(NamedTuple):
    """Colors of a page.

    Attributes:
        text: of labels.
        muted: of axes, grids and further settings.
        background: of the plot.
        series: of named settings, distinguishable with color vision deficiencies.
        map_name: of matplotlib's color map.
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


LETTERS_PER_INCH = 16
"""Of a note, so that it fits its picture."""

Draw = Callable[[Axes, Theme], None]


class Plot(NamedTuple):
    """A plot that can be drawn.

    Attributes:
        name: of its files.
        title: of the plot.
        caption: what it shows.
        draw: draws it on axes, in the colors of a theme.
        size: width and height in inches; by default the width of a column of a paper.
        note: what the picture itself says of its data.
        kind: of the plot, by which a page that draws it itself knows it.
        key: that it is about, if any.
    """

    name: str
    title: str
    caption: str
    draw: Draw
    size: tuple[float, float] = (3.5, 2.7)
    note: str = ""
    kind: str = "static"
    key: str = ""


@contextmanager
def drawn(plot: Plot, theme: Theme) -> Iterator[Figure]:
    """Provides the figure of a plot, without a window."""
    with mpl.rc_context(_style(theme)), warnings.catch_warnings():  # type: ignore[arg-type]
        figure = Figure(figsize=plot.size, layout="constrained")
        figure.get_layout_engine().set(w_pad=0.06, h_pad=0.06)  # type: ignore[union-attr, call-arg]
        # A letter that the font does not have.
        warnings.filterwarnings("ignore", message="Glyph", category=UserWarning)
        plot.draw(figure.add_subplot(), theme)
        lines = textwrap.wrap(plot.note, int(LETTERS_PER_INCH * plot.size[0]))
        figure.supxlabel("\n".join(lines), x=0.02, ha="left", fontsize=8, color=theme.text)
        figure.draw_without_rendering()
        figure.set_layout_engine("none")  # Keeps the layout for all formats.
        yield figure


def add_legend(axes: Axes, title: str) -> None:
    """Adds a legend above the axes."""
    axes.figure.legend(
        loc="outside upper left", fontsize=8, title=title, title_fontsize=8, alignment="left"
    )


def label_steps(axes: Axes) -> None:
    """Labels the horizontal axis with environment steps, such as 50k."""
    axes.set_xlabel("environment steps")
    axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10], integer=True))
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))


def shorten_label(text: str, most: int = 20) -> str:
    """Shortens a text to its end, which distinguishes long labels."""
    shown = text if len(text) <= most else f"...{text[3 - most :]}"
    return (
        f" {shown}" if shown.startswith("_") else shown
    )  # Legends omit labels with an underscore in front.


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
        **dict.fromkeys(("font.size", "axes.labelsize", "xtick.labelsize", "ytick.labelsize"), 8),
        "svg.fonttype": "path",
        "pdf.fonttype": 42,  # Embeds the fonts.
        "svg.hashsalt": "dqn_exp",
        "font.family": "sans-serif",
        "text.parse_math": False,
    }
