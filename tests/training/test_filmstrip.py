import numpy as np
import pytest

from dqn_exp.core.frame_format import FrameFormat
from dqn_exp.training.filmstrip import NUM_FRAMES, Filmstrip


def make_format(**changes) -> FrameFormat:
    return FrameFormat(3, 2, 2, is_binary=False, low=0.0, scale=1 / 255)._replace(**changes)


def test_frames_are_evenly_spaced_whatever_the_length():
    for length in range(1, 300):
        filmstrip = Filmstrip(make_format(channels=1))
        for step in range(length):
            filmstrip.add(np.full(6, step % 256 / 255, dtype=np.float32))
        step, frames, steps, *bounds = filmstrip.to_file(7)
        assert step == 7 and bounds == [0, 255]
        assert len(frames) == len(steps) <= NUM_FRAMES
        assert (steps[0] == 0 and length / 4 <= steps[-1] < length) or length == 1
        assert len(set(np.diff(steps))) <= 1
        assert (frames == (steps % 256)[:, None, None, None]).all()
        assert length < NUM_FRAMES or len(frames) > NUM_FRAMES / 2


@pytest.mark.parametrize(("low", "high"), [(0, 255), (0, 1), (3, 17)])
def test_the_newest_frame_of_a_stack_is_kept(low, high):
    form = make_format(stack=3, low=float(low), scale=float(np.float32(1) / np.float32(high - low)))
    frames = np.random.default_rng(0).integers(low, high + 1, (3, 12), dtype=np.uint8)
    filmstrip = Filmstrip(form)
    filmstrip.add(form.join(frames))
    found = filmstrip.to_file(0)
    np.testing.assert_array_equal(found.frames[0], frames[-1].reshape(3, 2, 2))
    assert (found.low, found.high) == (low, high)
