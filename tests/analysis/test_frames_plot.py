import numpy as np

from dqn_exp.analysis.aggregates import make_settings
from dqn_exp.analysis.frames_plot import make_frames_plot, to_picture
from dqn_exp.analysis.plot_style import LIGHT, drawn
from dqn_exp.analysis.ranking import rank
from dqn_exp.analysis.run_reader import read_sources
from dqn_exp.core.planes import draw_planes
from dqn_exp.files.filmstrip_file import FilmstripFile, write_filmstrip
from tests.sweep_files import lines_of, report_of, write_sweep


def test_each_environment_shows_the_median_run_of_its_best_setting(tmp_path):
    swept = {"env.id": ["a-v0", "b-v0"], "agent.gamma": [0.8, 0.9], "seed": range(3)}
    write_sweep(
        tmp_path / "s", swept, lambda values: {100: 100 * values["agent.gamma"] - values["seed"]}
    )
    runs = read_sources([tmp_path / "s"])[0].runs
    for run in runs:
        number = runs.index(run)
        frames = np.full((number + 1, 4, 3, 1), number, dtype=np.uint8)
        write_filmstrip(run.directory, FilmstripFile(100, frames, np.arange(number + 1)))
    plot = make_frames_plot(rank(make_settings(runs, ["env.id", "agent.gamma"], None)))
    assert plot is not None
    medians = {}
    for env_id in ("a-v0", "b-v0"):
        own = [one for one in runs if one.config["env.id"] == env_id]
        own = [one for one in own if one.config["agent.gamma"] == 0.9]
        medians[env_id] = runs.index(sorted(own, key=lambda run: run.score)[1])
    with drawn(plot, LIGHT) as figure:
        (axes,) = figure.axes
        texts = [text.get_text() for text in axes.texts]
        assert len(axes.images) == sum(number + 1 for number in medians.values())
    for text, (env_id, number) in zip(texts, medians.items(), strict=True):
        steps = ", ".join(str(step) for step in range(number + 1))
        assert text == f"{env_id} at step 100; steps of the episode: {steps}"
    assert plot.caption.endswith("of the median run of the best setting.")
    report_of([tmp_path / "s"])
    assert "## What the agent sees" in lines_of(tmp_path / "s")


def test_the_caption_speaks_of_settings_and_planes_only_where_there_are_any(tmp_path):
    write_sweep(tmp_path / "s", {"seed": [0]}, lambda values: {100: 1.0})
    (run,) = read_sources([tmp_path / "s"])[0].runs
    for channels, planes in ((1, False), (4, True)):
        frames = np.ones((1, 4, 3, channels), dtype=np.uint8)
        write_filmstrip(run.directory, FilmstripFile(100, frames, np.arange(1)))
        plot = make_frames_plot(make_settings([run], ["seed"], None))
        assert plot is not None and "median" not in plot.caption
        assert ("Planes" in plot.caption) == planes


def test_without_images_there_is_no_plot(tmp_path):
    write_sweep(tmp_path / "s", {"agent.gamma": [0.8, 0.9]}, lambda values: {100: 1.0})
    runs = read_sources([tmp_path / "s"])[0].runs
    assert make_frames_plot(make_settings(runs, ["agent.gamma"], None)) is None


def test_gray_levels_and_colors_are_drawn_as_they_are():
    gray = np.array([[[0], [51], [255]]], dtype=np.uint8)
    np.testing.assert_allclose(to_picture(gray)[0, :, 0], [0, 0.2, 1])
    colors = np.array([[[0, 51, 255], [255, 0, 0]]], dtype=np.uint8)
    np.testing.assert_allclose(to_picture(colors), colors / 255)


def test_planes_are_drawn_in_colors():
    planes = np.zeros((2, 3, 4), dtype=np.uint8)
    planes[0, 1, 2] = 1
    np.testing.assert_array_equal(to_picture(planes), draw_planes(planes) / 255)
