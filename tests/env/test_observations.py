import numpy as np
import pytest
from gymnasium import spaces

from dqn_exp.env.observations import observations_of

RANDOM = np.random.default_rng(0)


@pytest.mark.parametrize(
    "space",
    [
        spaces.Discrete(5, start=-1),
        spaces.MultiBinary((2, 3)),
        spaces.MultiDiscrete([2, 4, 3]),
        spaces.Tuple((spaces.Discrete(3), spaces.Box(-1, 1, (2, 2)))),
        spaces.Dict(b=spaces.Discrete(2), a=spaces.Dict(c=spaces.MultiBinary(4))),
    ],
)
def test_spaces_are_flattened_as_gymnasium_does(space):
    space.seed(1)
    kind = observations_of(space)
    for _ in range(20):
        sample = space.sample()
        row = kind.encode(sample)
        assert row.dtype == np.float32 and row.shape == (kind.num_features,)
        np.testing.assert_array_equal(row, spaces.flatten(space, sample))


def test_integers_are_one_hot():
    kind = observations_of(spaces.Discrete(3, start=4))
    assert [kind.encode(value).tolist() for value in (4, np.int8(5), np.array(6))] == [
        [1, 0, 0], [0, 1, 0], [0, 0, 1],
    ]  # fmt: skip


@pytest.mark.parametrize("value", [3, 7, -1, 4.5, None, "4", [4, 5]])
def test_integers_outside_their_space_are_refused(value):
    with pytest.raises(ValueError, match=r"expected an observation of Discrete\(3, start=4\)"):
        observations_of(spaces.Discrete(3, start=4)).encode(value)


def test_vectors_stay_as_they_are():
    kind = observations_of(spaces.Box(0, 255, (4,), np.uint8))
    assert kind.encode(np.array([0, 1, 254, 255], dtype=np.uint8)).tolist() == [0, 1, 254, 255]
    matrix = observations_of(spaces.Box(-np.inf, np.inf, (2, 2)))
    assert matrix.encode([[1, 2], [3, 4]]).tolist() == [1, 2, 3, 4]


@pytest.mark.parametrize("shape", [(6, 7), (3, 5, 2)])
def test_images_are_scaled_by_the_bounds_of_their_space(shape):
    high = RANDOM.integers(2, 200, shape)
    for low, upper in ((0, 255), (-1, 1), (np.ones(shape, int), high)):
        space = spaces.Box(np.int16(low), np.int16(upper), shape, np.int16)
        sample = space.sample()
        expected = (sample - np.float64(low)) / (np.float64(upper) - low)
        found = observations_of(space).encode(sample)
        np.testing.assert_allclose(found, expected.ravel(), rtol=1e-6, atol=1e-7)


def test_an_image_in_another_order_of_axes_is_refused():
    image = RANDOM.integers(0, 256, (10, 10, 4)).astype(np.uint8)
    kind = observations_of(spaces.Box(0, 255, image.shape, np.uint8))
    for same in (image[None].tolist(), image.ravel(), image[:, None]):
        np.testing.assert_allclose(kind.encode(same), image.ravel() / 255)
    with pytest.raises(ValueError, match=r"\(10, 10, 4\).*\(4, 10, 10\)"):
        kind.encode(image.transpose(2, 0, 1))


def test_booleans_are_0_and_1_and_unbounded_integers_stay():
    flags = RANDOM.integers(0, 2, (3, 3)).astype(bool)
    kind = observations_of(spaces.Box(0, 1, (3, 3), np.bool_))
    np.testing.assert_array_equal(kind.encode(flags), flags.ravel())
    bounds = np.iinfo(np.int64)
    far = observations_of(spaces.Box(bounds.min, bounds.max, (1, 2), np.int64))
    assert far.encode(np.array([[3, -4]])).tolist() == [3, -4]


def test_text_is_refused_unless_there_are_numbers_beside_it():
    for space in (spaces.Text(3), spaces.Tuple((spaces.Text(3), spaces.Discrete(2)))):
        with pytest.raises(ValueError, match="can be flattened to a vector of fixed size"):
            observations_of(space)
    with pytest.raises(ValueError, match="of at least one number"):
        observations_of(spaces.Dict(text=spaces.Text(3)))
    kind = observations_of(spaces.Dict(text=spaces.Text(3), bit=spaces.Discrete(2)))
    assert kind.encode({"text": "abc", "bit": 1}).tolist() == [0, 1]


def test_a_row_never_shares_memory_that_scaling_changes():
    picture = np.full((2, 2), 100, dtype=np.uint8)
    observations_of(spaces.Box(0, 200, (2, 2), np.uint8)).encode(picture)
    assert (picture == 100).all()


def test_numbers_beyond_the_bounds_of_a_part_are_kept():
    space = spaces.Dict({"a": spaces.Box(0, 9, (2,), np.uint8), "b": spaces.Discrete(2)})
    row = observations_of(space).encode({"a": np.array([-1, 300]), "b": 1})
    assert row.tolist() == [-1, 300, 0, 1]
