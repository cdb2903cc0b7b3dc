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


class Embedded(NamedTuple):
    """A plot as a page shows it.

    Attributes:
        name: of its files.
        title: of the plot.
        caption: what it shows.
        kind: of the plot.
        key: that it is about, if any.
        light: address of the picture for light pages; empty if the page draws the plot itself.
        dark: likewise for dark pages.
    """

    name: str
    title: str
    caption: str
    kind: str
    key: str
    light: str
    dark: str


def write_plot(plot: Plot, directory: Path, *, is_embedded: bool = True) -> Embedded:
    """Writes the files of a plot, and returns its form in a page.

    Args:
        plot: to be written.
        directory: of the files.
        is_embedded: whether pictures are part of the page; otherwise, it refers to the files.
    """
    light = _to_bytes(plot, LIGHT, *FORMATS)
    for suffix, content in zip(FORMATS, light, strict=True):
        write_atomically(directory / f"{plot.name}.{suffix}", content)
    addresses = ("", "")
    if plot.kind == "static" and is_embedded:
        (dark,) = _to_bytes(plot, DARK, "svg")
        addresses = (_to_address(light[0]), _to_address(dark))
    elif plot.kind == "static":
        addresses = (f"{directory.name}/{plot.name}.svg",) * 2
    return Embedded(plot.name, plot.title, plot.caption, plot.kind, plot.key, *addresses)


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
