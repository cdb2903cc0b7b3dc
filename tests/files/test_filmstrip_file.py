import numpy as np
import pytest

from dqn_exp.files.filmstrip_file import NAME, FilmstripFile, read_filmstrip, write_filmstrip


def test_frames_are_read_as_they_were_written(tmp_path):
    frames = np.arange(48, dtype=np.uint8).reshape(2, 4, 3, 2)
    write_filmstrip(tmp_path, FilmstripFile(70, frames, np.array([0, 9]), 0, 99))
    found = read_filmstrip(tmp_path)
    assert found is not None and (found.step, found.low, found.high) == (70, 0, 99)
    assert found.steps.tolist() == [0, 9]
    np.testing.assert_array_equal(found.frames, frames)
    first = (tmp_path / NAME).read_bytes()
    write_filmstrip(tmp_path, found)
    assert (tmp_path / NAME).read_bytes() == first


@pytest.mark.parametrize("content", [None, b"", b"PK\x03\x04 broken", b"no archive"])
def test_missing_or_damaged_frames_are_no_frames(tmp_path, content):
    if content is not None:
        (tmp_path / NAME).write_bytes(content)
    assert read_filmstrip(tmp_path) is None
