"""Plot of what agents with image observations see."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes

from dqn_exp.analysis.aggregates import Setting
from dqn_exp.analysis.plot_style import Plot, Theme
from dqn_exp.analysis.run_reader import RunFiles
from dqn_exp.core.arrays import UInt8Array
from dqn_exp.core.planes import draw_planes
from dqn_exp.files.filmstrip_file import FilmstripFile, read_filmstrip

MOST_ROWS = 8
"""Environments that are shown."""


def make_frames_plot(settings: Sequence[Setting]) -> Plot | None:
    """Returns a plot of an evaluation episode in each environment; None without images.

    Args:
        settings: the largest IQM first.
    """
    shown = list(_choose(settings))[:MOST_ROWS]
    if not shown:
        return None
    height, width = shown[0][1].frames.shape[1:3]
    columns = max(len(strip.frames) for _, strip in shown)

    def draw(axes: Axes, theme: Theme) -> None:
        axes.set_axis_off()
        for row, (name, strip) in enumerate(shown):
            axes.text(0, row * 1.3 - 0.04, _label(name, strip), color=theme.text, va="bottom")
            for column, frame in enumerate(strip.frames):
                place = (column * 1.06, column * 1.06 + 1, row * 1.3 + 1, row * 1.3)
                axes.imshow(to_picture(frame), extent=place, interpolation="nearest")
        axes.set(xlim=(0, columns * 1.06), ylim=(len(shown) * 1.3 - 0.2, -0.25))
        axes.set_aspect(height / width)

    return Plot(
        "frames",
        "What the agent sees",
        _caption(settings, [strip for _, strip in shown]),
        draw,
        (9.0, 9.0 / max(columns, 4) * 1.25 * len(shown) * height / width + 0.7),
    )


def _caption(settings: Sequence[Setting], strips: Sequence[FilmstripFile]) -> str:
    text = "Evenly spaced frames of an evaluation episode"
    if sum(len(setting.runs) for setting in settings) > 1:
        text += ", of the median run of the best setting"
    if any(_has_planes(frame) for strip in strips for frame in strip.frames):
        return f"{text}. Planes of objects have one color each; the last plane is on top."
    return f"{text}."


def _has_planes(frame: UInt8Array) -> bool:
    channels = frame.shape[2]
    return not (channels == 1 or (channels == 3 and frame.max() > 1))


def to_picture(frame: UInt8Array) -> npt.NDArray[Any]:
    """Returns a picture `[H, W, 3]` in [0, 1] of a frame `[H, W, c]`.

    One channel is drawn in gray, and three with large numbers are colors; otherwise each
    channel is a plane of things that are there or not.
    """
    if _has_planes(frame):
        return draw_planes(frame) / 255
    brightest = 255 if frame.max() > 1 else 1
    return np.broadcast_to(frame / brightest, (*frame.shape[:2], 3))


def _choose(settings: Sequence[Setting]) -> Iterator[tuple[str, FilmstripFile]]:
    """Yields each environment with frames of its best setting."""
    seen = set()
    for setting in settings:
        env_id = str(setting.runs[0].config.get("env.id"))
        if env_id not in seen and (strip := read_filmstrip(_median_run(setting).directory)):
            seen.add(env_id)
            yield env_id, strip


def _median_run(setting: Setting) -> RunFiles:
    ordered = sorted(setting.runs, key=lambda run: -np.inf if run.score is None else run.score)
    return ordered[len(ordered) // 2]


def _label(name: str, strip: FilmstripFile) -> str:
    steps = ", ".join(str(step) for step in strip.steps)
    return f"{name} at step {strip.step:,}; steps of the episode: {steps}"
