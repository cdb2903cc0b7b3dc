"""Videos, frame by frame."""

import io

import numpy as np
import pytest
from PIL import Image

from dqn_exp.env.video import Gif, GifFile, Mp4
from tests.films import frames_of


def test_odd_frames_and_slow_ones_are_films_too(tmp_path):
    movies = [Mp4(tmp_path / "a.mp4", 10), GifFile(tmp_path / "a.gif", 10)]
    for level in range(0, 250, 50):
        for movie in movies:
            movie.add(np.full((41, 31, 3), level, dtype=np.uint8))
    for movie in movies:
        with movie:
            pass
    frames = frames_of(tmp_path / "a.mp4")
    assert [frame.shape for frame in frames] == [(40, 30, 3)] * 5
    assert [round(frame.mean() / 50) for frame in frames] == [0, 1, 2, 3, 4]
    with Image.open(tmp_path / "a.gif") as image:
        assert (image.size, image.n_frames, image.info["duration"]) == ((31, 41), 5, 100)


@pytest.mark.parametrize("is_there", [True, False])
def test_a_film_that_is_broken_off_leaves_what_was_there(tmp_path, is_there):
    for name, kind in (("a.mp4", Mp4), ("a.gif", GifFile)):
        path = tmp_path / name
        if is_there:
            path.write_text("an older film")
        with pytest.raises(KeyboardInterrupt), kind(path, 30) as movie:
            movie.add(np.zeros((20, 20, 3), dtype=np.uint8))
            raise KeyboardInterrupt
        with kind(path, 30):
            pass  # Without a frame there is no film, either.
        assert not is_there or path.read_text() == "an older film"
    assert len(list(tmp_path.iterdir())) == 2 * is_there


def test_a_fast_gif_leaves_frames_out_and_keeps_its_time():
    gif = Gif(100)
    for level in range(100):
        gif.add(np.full((4, 4, 3), level, dtype=np.uint8))
    with Image.open(io.BytesIO(gif.to_bytes())) as image:
        assert (image.n_frames, image.info["duration"]) == (25, 40)
