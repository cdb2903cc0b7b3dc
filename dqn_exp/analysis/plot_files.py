"""Files of plots, and their forms in a page."""

import base64
import io
import logging
from pathlib import Path
from typing import NamedTuple

from dqn_exp.analysis.plot_style import DARK, LIGHT, Plot, Theme, drawn
from dqn_exp.files.atomic_file import write_atomically

DPI = 300

logging.getLogger("fontTools").setLevel(logging.WARNING)  # It tells of each font it embeds.

FORMATS = ("svg", "png", "pdf")

INTERACTIVE = ("settings", "curves", "sensitivity", "returns", "loss", "values")
"""First words of the names of plots that the page draws itself."""


class Embedded(NamedTuple):
    """A plot as the page embeds it, as data URLs for light and dark pages.

    The URLs are empty if the page draws the plot itself.
    """

    name: str
    title: str
    caption: str
    light: str
    dark: str


def write_plot(plot: Plot, directory: Path) -> Embedded:
    """Writes the files of a plot, and returns its form in a page."""
    light = _to_bytes(plot, LIGHT, *FORMATS)
    for suffix, content in zip(FORMATS, light, strict=True):
        write_atomically(directory / f"{plot.name}.{suffix}", content)
    addresses = ("", "")
    if not is_interactive(plot.name):
        (dark,) = _to_bytes(plot, DARK, "svg")
        addresses = (_to_address(light[0]), _to_address(dark))
    return Embedded(plot.name, plot.title, plot.caption, *addresses)


def is_interactive(name: str) -> bool:
    """Returns whether the page draws a plot itself."""
    return name.rsplit("group", 1)[-1].lstrip("0123456789_").startswith(INTERACTIVE)


def _to_bytes(plot: Plot, theme: Theme, *formats: str) -> list[bytes]:
    found = []
    with drawn(plot, theme) as figure:
        for form in formats:
            file = io.BytesIO()
            # Without the date, equal reports are equal files.
            metadata = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(form)
            figure.savefig(file, format=form, dpi=DPI, metadata=metadata)
            found.append(file.getvalue())
    return found


def _to_address(svg: bytes) -> str:
    return f"data:image/svg+xml;base64,{base64.b64encode(svg).decode()}"
