import numpy as np

from dqn_exp.transition import Transition, pack, row_width, unpack


def make_transitions(*shape: int, num_features: int, num_steps: int) -> Transition:
    generator = np.random.default_rng(0)
    return Transition(
        observation=generator.random((*shape, num_features), dtype=np.float32),
        action=generator.integers(0, 5, shape),
        rewards=generator.random((*shape, num_steps), dtype=np.float32),
        discount=generator.random(shape, dtype=np.float32),
        next_observation=generator.random((*shape, num_features), dtype=np.float32),
    )


def test_unpacked_transitions_are_those_that_were_packed():
    for num_features, num_steps in ((1, 1), (4, 3), (7, 1), (2, 5)):
        sizes = {"num_features": num_features, "num_steps": num_steps}
        transition = make_transitions(3, 2, **sizes)
        rows = np.full((3, 2, row_width(num_features, num_steps)), np.nan, dtype=np.float32)
        pack(transition, rows)
        assert not np.isnan(rows).any()
        for packed, given in zip(unpack(rows, num_features), transition, strict=True):
            np.testing.assert_array_equal(packed, given)
