import numpy as np
import pytest

from dqn_exp.core import philox
from dqn_exp.core.random_streams import Stream, draw, to_range, to_unit
from tests.kernels import callable_kernel

fill, pair = callable_kernel(philox.fill), callable_kernel(philox.pair)
to_unit_of, to_range_of = callable_kernel(philox.to_unit), callable_kernel(philox.to_range)


@pytest.mark.parametrize("seed", [0, 1, 2**63 - 1])
@pytest.mark.parametrize("stream", [Stream.EXPLORATION, Stream.SAMPLING])
@pytest.mark.parametrize("first, count", [(0, 64), (8, 1), (13, 30), (7, 2), (8 * 10**12 + 3, 50)])
def test_the_numbers_are_those_of_numpy(seed, stream, first, count):
    found = np.zeros(count, dtype=np.uint32)
    fill(found, count, np.uint64(seed), int(stream), first)
    begin = first // 8 * 8
    expected = draw(seed, stream, begin, -(-(first + count - begin) // 8) * 8)
    np.testing.assert_array_equal(found, expected[first - begin :][:count])


def test_a_pair_is_two_numbers_of_the_stream():
    expected = draw(5, Stream.EXPLORATION, 0, 80).reshape(-1, 2)
    found = [pair(np.uint64(5), int(Stream.EXPLORATION), index) for index in range(40)]
    np.testing.assert_array_equal(found, expected)


def test_numbers_are_converted_as_elsewhere():
    numbers = np.array([0, 1, 2**31, 2**32 - 1], dtype=np.uint32)
    assert [to_unit_of(number) for number in numbers] == to_unit(numbers).tolist()
    for size in (1, 2, 10_000, 2**31):
        found = [to_range_of(number, size) for number in numbers]
        assert found == to_range(numbers, size).tolist()
