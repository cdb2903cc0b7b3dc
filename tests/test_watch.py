import csv
import io
import re
import sys
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from dqn_exp import watch
from dqn_exp.env.arguments import EnvArguments
from dqn_exp.env.rollout import check_visible, make_visible
from tests import probes
from tests.command import table_of
from tests.conftest import make_config, train_in_folders
from tests.films import frames_of, seconds_of
from tests.sweep_files import write_sweep

probes.register()


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    """A run of the book's agent, as far as it comes in some seconds."""
    folder = tmp_path_factory.mktemp("trained")
    config = make_config(
        agent__bootstrap_truncated=False,
        trainer__total_steps=6_000,
        eval__every_steps=6_000,
        eval__episodes=3,
        log__video=True,
    )
    (result,) = train_in_folders([config], [folder])
    assert result.status == "completed" and result.objective > 100
    return folder


def evaluations_of(folder: Path) -> list[tuple[str, float, int]]:
    with (folder / "evaluations.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["step"] == "6000"]
    return [(row["seed"], float(row["return"]), int(row["length"])) for row in rows]


def table_from(out: str) -> list[tuple[str, float, int]]:
    rows = re.findall(r"^ +\d+ +(\d+) +([\d.]+) +(\d+)  \w+", out, re.MULTILINE)
    return [(seed, float(value), int(length)) for seed, value, length in rows]


def test_what_is_played_is_the_final_evaluation(trained, capsys):
    watch.main([str(trained)])
    out = capsys.readouterr().out
    expected = evaluations_of(trained)
    assert table_from(out) == expected and len(expected) == 3
    mean = np.mean([value for _, value, _ in expected])
    assert f"Return {mean:.1f} ± " in out and "at step 6,000" in out
    assert ("time limit" in out) == any(length == 200 for *_, length in expected)


def test_other_seeds_give_other_episodes(trained, capsys):
    watch.main([str(trained), "--seed", "5", "--episodes", "2"])
    first = table_from(capsys.readouterr().out)
    watch.main([str(trained), "--seed", "5", "--episodes", "2"])
    assert table_from(capsys.readouterr().out) == first and len(first) == 2
    assert {seed for seed, *_ in first}.isdisjoint({seed for seed, *_ in evaluations_of(trained)})


def test_the_film_plays_and_shows_every_step(trained, tmp_path, capsys):
    mp4, gif = tmp_path / "out.mp4", tmp_path / "out.gif"
    watch.main([str(trained), "--video", str(mp4), "--gif", str(gif)])
    out = capsys.readouterr().out
    assert table_from(out) == evaluations_of(trained)
    assert f"The video is in {mp4}." in out and f"The video is in {gif}." in out
    frames = frames_of(mp4)
    lengths = [length for *_, length in evaluations_of(trained)]
    assert len(frames) == sum(length + 1 for length in lengths)
    assert frames[0].shape == (400, 600, 3)
    with av.open(str(mp4)) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.average_rate) == ("h264", 50)
    # A white sky, a black line, and a pole that moves.
    assert frames[0].max() > 240 and frames[0].min() < 20
    assert (np.abs(frames[0].astype(int) - frames[lengths[0] // 2]) > 60).sum() > 100
    with Image.open(gif) as image:
        assert image.size == (320, 213)
        assert seconds_of(image) == pytest.approx((len(frames) + 1) // 2 * 0.04)


def test_a_film_of_the_final_policy_goes_to_tensorboard(trained):
    events = EventAccumulator(str(trained), {"images": 0}).Reload()
    (event,) = events.Images("policy/greedy")
    assert event.step == 6_000 and (event.width, event.height) == (320, 213)
    with Image.open(io.BytesIO(event.encoded_image_string)) as image:
        assert image.format == "GIF"
        assert seconds_of(image) == (evaluations_of(trained)[0][2] + 2) // 2 * 0.04
    assert len(list(trained.glob("events.*"))) == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--episodes", "0"], "--episodes: expected at least 1, got 0."),
        (["--seed", "-1"], "--seed: expected a number from 0"),
        (["--gif", "a.mp4"], "--gif: expected a file that ends in .gif, got a.mp4."),
        (["--video", "none/a.mp4"], "none is not a directory."),
        (["--human", "--gif", "a.gif"], "--human: expected no --video or --gif"),
    ],
)
def test_bad_input_is_told_and_nothing_is_made(
    trained, tmp_path, monkeypatch, capsys, arguments, said
):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        watch.main([str(trained), *arguments])
    assert ended.value.code == 2 and said in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_run_is_told(tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    write_sweep(tmp_path / "s", {"seed": [1]}, lambda values: None)
    with pytest.raises(SystemExit):
        watch.main([str(tmp_path / "s")])
    assert "expected a sweep with a completed run" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        watch.main([str(tmp_path)])
    assert "expected a run with a checkpoint.pt" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        watch.main([str(tmp_path / "nothing")])
    assert "expected the directory of a run, but it does not exist" in capsys.readouterr().err
    if sys.platform == "linux":
        with pytest.raises(SystemExit):
            watch.main([str(tmp_path), "--human"])
        assert "there is no screen" in capsys.readouterr().err


def test_an_environment_without_pictures_is_told_before_anything_is_made(command, tmp_path):
    with pytest.raises(ValueError, match=r"log\.video: env\.id: expected an environment with the"):
        check_visible(EnvArguments("ProbeWalk-v0", None))
    ended = command("env.id=ProbeWalk-v0", "log.video=true", "hydra.run.dir=r")
    assert ended.status == 2 and "ProbeWalk-v0 has none" in ended.err
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ValueError, match="render mode ansi"):
        make_visible(EnvArguments("CartPole-v1"), "ansi")


def test_every_run_of_a_sweep_is_filmed_that_asks_for_it(command, tmp_path):
    command("-m", "seed=1,2", "log.video=true,false", "hydra.sweep.dir=s")
    for row in table_of(tmp_path / "s"):
        events = EventAccumulator(str(tmp_path / "s" / row["dir"]), {"images": 0}).Reload()
        assert events.Tags()["images"] == ["policy/greedy"] * (row["log.video"].lower() == "true")


def test_a_film_that_fails_costs_the_run_nothing(tmp_path, monkeypatch, caplog):
    def fail(directory):
        raise RuntimeError("no pictures")

    monkeypatch.setattr("dqn_exp.training.population.film_episode", fail)
    config = make_config(trainer__total_steps=30, eval__episodes=1, log__video=True)
    (result,) = train_in_folders([config], [tmp_path])
    assert result.status == "completed"
    assert "cannot be filmed: RuntimeError: no pictures" in caplog.text
