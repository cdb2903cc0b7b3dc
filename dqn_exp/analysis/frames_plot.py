"""Plot of what agents with image observations see."""

from collections.abc import Sequence
from typing import Any

import numpy.typing as npt
from matplotlib.axes import Axes

from dqn_exp.analysis.aggregates import Setting
from dqn_exp.analysis.plot_style import Plot, Theme
from dqn_exp.analysis.run_reader import RunFiles
from dqn_exp.core.planes import draw_planes
from dqn_exp.files.filmstrip_file import FilmstripFile, read_filmstrip


def make_frames_plot(settings: Sequence[Setting]) -> Plot | None:
    """Returns a plot of an evaluation episode; None without images.

    Args:
        settings: of one environment, the best first.
    """
    for setting in settings:
        run = _median_run(setting)
        if (strip := read_filmstrip(run.directory)) is not None:
            return _plot(run, strip, _caption(setting, settings, strip))
    return None


def _plot(run: RunFiles, strip: FilmstripFile, caption: str) -> Plot:
    height, width = strip.frames.shape[1:3]

    def draw(axes: Axes, theme: Theme) -> None:
        axes.set_axis_off()
        axes.text(0, -0.04, _label(run, strip), color=theme.text, va="bottom")
        pictures = to_pictures(strip)
        for column, picture in enumerate(pictures):
            place = (column * 1.06, column * 1.06 + 1, 1, 0)
            axes.imshow(picture, extent=place, interpolation="nearest")
        axes.set(xlim=(0, len(pictures) * 1.06), ylim=(1.1, -0.25))
        axes.set_aspect(height / width)

    shape = (9.0, 9.0 / max(len(strip.frames), 4) * 1.25 * height / width + 0.7)
    return Plot("frames", "What the agent sees", caption, draw, shape)


def to_pictures(strip: FilmstripFile) -> list[npt.NDArray[Any]]:
    """Returns pictures `[H, W, 3]` in [0, 1] of frames `[H, W, c]`.

    Channels with two values are planes of things that are there or not. Three other channels are
    colors; of any other number, the last one is drawn in gray.
    """
    if _has_planes(strip):
        return [draw_planes(frame > strip.low) / 255 for frame in strip.frames]
    levels = (strip.frames - float(strip.low)) / max(strip.high - strip.low, 1)
    pictures = levels if levels.shape[-1] == 3 else levels[..., -1:].repeat(3, axis=-1)
    return list(pictures)


def _has_planes(strip: FilmstripFile) -> bool:
    return strip.high - strip.low == 1 and strip.frames.shape[-1] > 1


def _caption(shown: Setting, settings: Sequence[Setting], strip: FilmstripFile) -> str:
    text = "Evenly spaced frames of an evaluation episode"
    if sum(len(setting.runs) for setting in settings) > 1:
        name = "the best setting" if shown is settings[0] else shown.label
        text += f", of the median run of {name}"
    if _has_planes(strip):
        return f"{text}. Planes of objects have one color each; the last plane is on top."
    return f"{text}."


def _median_run(setting: Setting) -> RunFiles:
    scores = [(run.score, place) for place, run in enumerate(setting.runs)]
    completed = [(score, place) for score, place in scores if score is not None]
    places = [place for _, place in sorted(completed)] or range(len(setting.runs))
    return setting.runs[places[len(places) // 2]]


def _label(run: RunFiles, strip: FilmstripFile) -> str:
    steps = ", ".join(str(step) for step in strip.steps)
    name = run.config.get("env.id")
    return f"{name} at step {strip.step:,}; steps of the episode: {steps}"
