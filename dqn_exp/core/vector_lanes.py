"""Sums over the lanes of vectors, and vectors of rearranged lanes, in compiled code."""

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from dqn_exp.core.vector import INDEX, INDICES, LANES, Vector


@intrinsic  # type: ignore[untyped-decorator]
def total(_context: Any, vector: Any) -> Any:
    """Returns the sum of the lanes, added in pairs."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        (found,) = arguments
        for half in (8, 4, 2, 1):
            found = builder.fadd(found, _rotate(builder, found, half))
        return builder.extract_element(found, INDEX(0))

    return types.float32(vector), generate


@intrinsic(prefer_literal=True)  # type: ignore[untyped-decorator]
def lane(_context: Any, vector: Any, index: Any) -> Any:
    """Returns one lane; its index must be a literal."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.extract_element(arguments[0], INDEX(index.literal_value))

    return types.float32(vector, index), generate


@intrinsic  # type: ignore[untyped-decorator]
def greatest(_context: Any, vector: Any) -> Any:
    """Returns the greatest of the lanes, which are not NaN."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        (found,) = arguments
        for half in (8, 4, 2, 1):
            others = _rotate(builder, found, half)
            found = builder.select(builder.fcmp_ordered(">", others, found), others, found)
        return builder.extract_element(found, INDEX(0))

    return types.float32(vector), generate


@intrinsic  # type: ignore[untyped-decorator]
def four_totals(_context: Any, first: Any, second: Any, third: Any, fourth: Any) -> Any:
    """Returns the sums of the lanes of four vectors, in the first four lanes of a vector."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        a, b, c, d = arguments
        pairs = _merge(builder, a, b, 1), _merge(builder, c, d, 1)
        found = _merge(builder, *pairs, 2)
        for half in (8, 4):
            found = builder.fadd(found, _rotate(builder, found, half))
        return found

    return Vector(first, second, third, fourth), generate


@intrinsic(prefer_literal=True)  # type: ignore[untyped-decorator]
def every_other(_context: Any, low: Any, high: Any, first: Any) -> Any:
    """Returns every other lane of two vectors in a row, from lane `first` on, 0 or 1."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        indices = range(first.literal_value, 2 * LANES, 2)
        return builder.shuffle_vector(*arguments[:2], ir.Constant(INDICES, list(indices)))

    return Vector(low, high, first), generate


@intrinsic(prefer_literal=True)  # type: ignore[untyped-decorator]
def in_turn(_context: Any, first: Any, second: Any, half: Any) -> Any:
    """Interleaves the lower (`half` 0) or upper (`half` 1) lanes of two vectors."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        begin = half.literal_value * LANES // 2
        lanes = [lane for i in range(begin, begin + LANES // 2) for lane in (i, i + LANES)]
        return builder.shuffle_vector(*arguments[:2], ir.Constant(INDICES, lanes))

    return Vector(first, second, half), generate


def _rotate(builder: Any, vector: Any, distance: int) -> Any:
    """Returns the lanes moved by a distance."""
    indices = [(lane + distance) % LANES for lane in range(LANES)]
    return builder.shuffle_vector(vector, vector, ir.Constant(INDICES, indices))


def _merge(builder: Any, first: Any, second: Any, width: int) -> Any:
    """Returns sums of two lanes each: of the first and the second vector, `width` lanes by turns.

    Of each four lanes, the lanes that are added have a distance of `width`.
    """
    lanes = [lane - lane % (2 * width) + lane % width for lane in range(LANES)]
    is_second = [lane // width % 2 for lane in range(LANES)]
    near = [lane + LANES * other for lane, other in zip(lanes, is_second, strict=True)]
    far = [index + width for index in near]
    parts = (
        builder.shuffle_vector(first, second, ir.Constant(INDICES, indices))
        for indices in (near, far)
    )
    return builder.fadd(*parts)
