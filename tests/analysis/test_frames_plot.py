import numpy as np

from dqn_exp.analysis.aggregates import make_settings
from dqn_exp.analysis.frames_plot import make_frames_plot, to_pictures
from dqn_exp.analysis.plot_style import LIGHT, drawn
from dqn_exp.analysis.ranking import rank
from dqn_exp.analysis.run_reader import read_sources
from dqn_exp.core.planes import draw_planes
from dqn_exp.files.filmstrip_file import FilmstripFile, write_filmstrip
from tests.sweep_files import lines_of, report_of, write_sweep


def make_strip(frames: np.ndarray, low: int = 0, high: int = 255) -> FilmstripFile:
    return FilmstripFile(100, frames.astype(np.uint8), np.arange(len(frames)), low, high)


def test_the_median_run_of_the_best_setting_is_shown(tmp_path):
    swept = {"agent.gamma": [0.8, 0.9], "seed": range(3)}
    write_sweep(
        tmp_path / "s", swept, lambda values: {100: 100 * values["agent.gamma"] - values["seed"]}
    )
    runs = read_sources([tmp_path / "s"])[0].runs
    for number, run in enumerate(runs):
        write_filmstrip(run.directory, make_strip(np.full((number + 1, 4, 3, 1), number)))
    plot = make_frames_plot(rank(make_settings(runs, ["agent.gamma"], None)))
    assert plot is not None
    best = sorted(
        (one for one in runs if one.config["agent.gamma"] == 0.9), key=lambda run: run.score
    )
    number = runs.index(best[1])
    with drawn(plot, LIGHT) as figure:
        (axes,) = figure.axes
        (text,) = axes.texts
        assert len(axes.images) == number + 1
    steps = ", ".join(str(step) for step in range(number + 1))
    name = best[1].config["env.id"]
    assert text.get_text() == f"{name} at step 100; steps of the episode: {steps}"
    assert plot.caption.endswith("of the median run of the best setting.")
    report_of([tmp_path / "s"])
    assert "## What the agent sees" in lines_of(tmp_path / "s")


def test_the_caption_speaks_of_settings_and_planes_only_where_there_are_any(tmp_path):
    write_sweep(tmp_path / "s", {"seed": [0]}, lambda values: {100: 1.0})
    (run,) = read_sources([tmp_path / "s"])[0].runs
    for channels, planes in ((1, False), (4, True)):
        write_filmstrip(run.directory, make_strip(np.ones((1, 4, 3, channels)), high=1))
        plot = make_frames_plot(make_settings([run], ["seed"], None))
        assert plot is not None and "median" not in plot.caption
        assert ("Planes" in plot.caption) == planes


def test_without_images_there_is_no_plot(tmp_path):
    write_sweep(tmp_path / "s", {"agent.gamma": [0.8, 0.9]}, lambda values: {100: 1.0})
    runs = read_sources([tmp_path / "s"])[0].runs
    assert make_frames_plot(make_settings(runs, ["agent.gamma"], None)) is None


def test_gray_levels_and_colors_are_drawn_as_they_are():
    gray = np.array([[[[0], [51], [255]]]])
    (picture,) = to_pictures(make_strip(gray))
    np.testing.assert_allclose(picture[0], [[0] * 3, [0.2] * 3, [1] * 3])
    colors = np.array([[[[0, 51, 255], [255, 0, 0]]]])
    np.testing.assert_allclose(to_pictures(make_strip(colors)), colors / 255)


def test_levels_are_those_between_the_bounds_whatever_a_frame_has():
    (picture,) = to_pictures(make_strip(np.array([[[[1], [2], [4]]]]), low=1, high=5))
    np.testing.assert_allclose(picture[0, :, 0], [0, 0.25, 0.75])
    (dark,) = to_pictures(make_strip(np.ones((1, 2, 2, 1))))
    np.testing.assert_allclose(dark, 1 / 255)
    (newest,) = to_pictures(make_strip(np.array([[[[255, 255, 255, 51]]]])))
    np.testing.assert_allclose(newest, 0.2)


def test_planes_are_drawn_in_colors():
    planes = np.zeros((1, 2, 3, 4))
    planes[0, 0, 1, 2] = 1
    np.testing.assert_array_equal(
        to_pictures(make_strip(planes, high=1)), [draw_planes(planes[0]) / 255]
    )
