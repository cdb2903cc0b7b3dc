"""The compiled generator against that of numpy."""

import numpy as np
import pytest

from dqn_exp.env import pcg64
from tests.kernels import callable_kernel

make_generator = callable_kernel(pcg64.make_generator)
next_unit = callable_kernel(pcg64.next_unit)


@pytest.mark.parametrize(
    "seed", [0, 1, 2, 12_345, 2**31 - 1, 2**32, 2**33 + 5, 2**62 + 3, 2**63 - 1]
)
def test_the_numbers_are_those_of_numpy(seed):
    generator = pcg64.Generator(*map(np.uint64, make_generator(seed)))
    expected = np.random.default_rng(seed).random(20)
    for one in expected:
        found, generator = next_unit(generator)
        generator = pcg64.Generator(*map(np.uint64, generator))
        assert found == one
