"""Rings of several runs in one storage."""

from collections import deque

import numpy as np

from tests.buffer.builders import contents, make_buffer, make_transition

CAPACITIES = [1, 2, 3, 7, 64, 999, 1_000]


def test_each_ring_holds_the_newest_transitions_of_its_run():
    buffer = make_buffer(CAPACITIES)
    rings = [deque(maxlen=capacity) for capacity in CAPACITIES]
    generator, identity = np.random.default_rng(0), 0
    for tick in range(2_500):
        runs = np.flatnonzero(generator.random(len(CAPACITIES)) < 0.9)
        identities = np.arange(identity, identity + len(runs))
        identity += len(runs)
        buffer.add(runs, make_transition(identities))
        for run, one in zip(runs, identities, strict=True):
            rings[run].append(one)
        if tick % 250 == 0 or tick < 12:
            for run, ring in enumerate(rings):
                assert contents(buffer, run) == sorted(ring)
    assert buffer.sizes.tolist() == CAPACITIES


def test_several_transitions_of_a_run_are_stored_in_their_order():
    buffer = make_buffer([5, 3, 4], n_step=3)
    rings = [deque(maxlen=capacity) for capacity in (5, 3, 4)]
    generator, identity = np.random.default_rng(0), 0
    for _ in range(200):
        runs = np.sort(np.repeat(np.arange(3), generator.integers(0, 4, 3)))
        identities = np.arange(identity, identity + len(runs))
        identity += len(runs)
        transition = make_transition(identities)
        rewards = transition.rewards + np.zeros(3)
        buffer.add(runs, transition._replace(rewards=rewards))
        for run, one in zip(runs, identities, strict=True):
            rings[run].append(one)
        for run, ring in enumerate(rings):
            assert contents(buffer, run) == sorted(ring)
