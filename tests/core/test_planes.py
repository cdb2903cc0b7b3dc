import numpy as np

from dqn_exp.core.planes import COLORS, draw_planes


def test_planes_have_a_color_each_and_the_last_one_is_on_top():
    planes = np.zeros((3, 4, 5), dtype=bool)
    for plane in range(5):
        planes[1, min(plane, 3), plane] = True
    image = draw_planes(planes)
    assert image.shape == (3, 4, 3) and image.dtype == np.uint8
    np.testing.assert_array_equal(image[1], COLORS[[0, 1, 2, 4]])
    assert not image[[0, 2]].any()
    assert len({tuple(color) for color in COLORS}) == len(COLORS) == 10
