import numpy as np

from dqn_exp.buffer.rings import write_rows
from dqn_exp.core.transition import Transition, make_layout, unpack


def make_transitions(count: int, num_features: int, num_steps: int) -> Transition:
    generator = np.random.default_rng(0)
    return Transition(
        observation=generator.random((count, num_features), dtype=np.float32),
        action=generator.integers(0, 5, count),
        rewards=generator.random((count, num_steps), dtype=np.float32),
        discount=generator.random(count),
        next_observation=generator.random((count, num_features), dtype=np.float32),
    )


def test_unpacked_transitions_are_those_that_were_written():
    for num_features, num_steps in ((1, 1), (4, 3), (7, 1), (2, 5)):
        transition = make_transitions(6, num_features, num_steps)
        layout = make_layout(num_features, num_steps)
        storage = np.full((20, layout.width), np.nan, dtype=np.float32)
        rows = np.array([3, 0, 19, 7, 8, 11])
        write_rows(storage, layout, rows, transition)
        assert np.isnan(np.delete(storage, rows, axis=0)).all()
        for packed, given in zip(unpack(storage[rows], layout), transition, strict=True):
            np.testing.assert_array_equal(packed, np.float32(given))
