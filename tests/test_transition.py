import numpy as np

from dqn_exp.transition import Transition, pack, row_width, unpack


def make_transitions(*shape: int, num_features: int) -> Transition:
    generator = np.random.default_rng(0)
    return Transition(
        observation=generator.random((*shape, num_features), dtype=np.float32),
        action=generator.integers(0, 5, shape),
        reward=generator.random(shape, dtype=np.float32),
        discount=generator.random(shape, dtype=np.float32),
        next_observation=generator.random((*shape, num_features), dtype=np.float32),
    )


def test_unpacked_transitions_are_those_that_were_packed():
    for num_features in (1, 4, 7):
        transition = make_transitions(3, 2, num_features=num_features)
        rows = np.full((3, 2, row_width(num_features)), np.nan, dtype=np.float32)
        pack(transition, rows)
        assert not np.isnan(rows).any()
        for packed, given in zip(unpack(rows), transition, strict=True):
            np.testing.assert_array_equal(packed, given)
