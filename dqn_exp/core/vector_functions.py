"""Functions of the numbers of vectors, lane by lane, in compiled code."""

from typing import Any

from llvmlite import ir
from numba.extending import intrinsic

from dqn_exp.core.vector import INDICES, LANES, NUMBERS, ZEROS, Vector, call


@intrinsic  # type: ignore[untyped-decorator]
def positive_part(_context: Any, vector: Any) -> Any:
    """Returns the greater of each number and 0; NaN stays NaN."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        (given,) = arguments
        return builder.select(builder.fcmp_ordered("<", given, ZEROS), ZEROS, given)

    return Vector(vector), generate


@intrinsic  # type: ignore[untyped-decorator]
def where_positive(_context: Any, condition: Any, vector: Any) -> Any:
    """Returns the numbers where a condition is positive, and 0 elsewhere."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        given, values = arguments
        return builder.select(builder.fcmp_ordered(">", given, ZEROS), values, ZEROS)

    return Vector(condition, vector), generate


@intrinsic  # type: ignore[untyped-decorator]
def where_greater(_context: Any, found: Any, best: Any, greater: Any, other: Any) -> Any:
    """Returns numbers of `greater` where `found` is greater than `best`, else those of `other`.

    NaN counts as greater than all other numbers.
    """

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        new, old, of_greater, of_other = arguments
        is_greater = builder.fcmp_unordered(">", new, old)
        is_number = builder.fcmp_ordered("ord", old, old)
        return builder.select(builder.and_(is_greater, is_number), of_greater, of_other)

    return Vector(found, best, greater, other), generate


@intrinsic  # type: ignore[untyped-decorator]
def magnitude(_context: Any, vector: Any) -> Any:
    """Returns the numbers without their signs."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return call(builder, "fabs.v16f32", NUMBERS, arguments)

    return Vector(vector), generate


@intrinsic  # type: ignore[untyped-decorator]
def where_small(_context: Any, vector: Any, limit: Any, small: Any, large: Any) -> Any:
    """Returns the numbers of `small` where the magnitude of a vector is at most a limit.

    Elsewhere, and where the vector is NaN, it returns those of `large`.
    """

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        given, greatest, of_small, of_large = arguments
        magnitudes = call(builder, "fabs.v16f32", NUMBERS, [given])
        is_small = builder.fcmp_ordered("<=", magnitudes, greatest)
        return builder.select(is_small, of_small, of_large)

    return Vector(vector, limit, small, large), generate


@intrinsic  # type: ignore[untyped-decorator]
def bounded(_context: Any, vector: Any, low: Any, high: Any) -> Any:
    """Returns the numbers, bounded; NaN stays NaN."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        given, least, greatest = arguments
        found = builder.select(builder.fcmp_ordered("<", given, least), least, given)
        return builder.select(builder.fcmp_ordered(">", found, greatest), greatest, found)

    return Vector(vector, low, high), generate


@intrinsic  # type: ignore[untyped-decorator]
def whole(_context: Any, vector: Any) -> Any:
    """Returns the numbers, rounded to integers."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return call(builder, "rint.v16f32", NUMBERS, arguments)

    return Vector(vector), generate


@intrinsic  # type: ignore[untyped-decorator]
def power_of_two(_context: Any, exponents: Any) -> Any:
    """Returns 2 to the power of integers in [-126, 127]."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        exponent = builder.fptosi(arguments[0], INDICES)
        biased = builder.add(exponent, ir.Constant(INDICES, [127] * LANES))
        bits = builder.shl(biased, ir.Constant(INDICES, [23] * LANES))
        return builder.bitcast(bits, NUMBERS)

    return Vector(exponents), generate


@intrinsic  # type: ignore[untyped-decorator]
def exponent_of(_context: Any, vector: Any) -> Any:
    """Returns the exponents of normal numbers, whose `mantissa_of` is in [0.5, 1)."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        bits = builder.lshr(builder.bitcast(arguments[0], INDICES), _all(23))
        exponent = builder.sub(builder.and_(bits, _all(0xFF)), _all(126))
        return builder.sitofp(exponent, NUMBERS)

    return Vector(vector), generate


@intrinsic  # type: ignore[untyped-decorator]
def mantissa_of(_context: Any, vector: Any) -> Any:
    """Returns the mantissas of positive numbers, in [0.5, 1)."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        bits = builder.and_(builder.bitcast(arguments[0], INDICES), _all(0x7FFFFF))
        return builder.bitcast(builder.or_(bits, _all(126 << 23)), NUMBERS)

    return Vector(vector), generate


@intrinsic  # type: ignore[untyped-decorator]
def with_sign_of(_context: Any, size: Any, vector: Any) -> Any:
    """Returns numbers with the signs of others."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return call(builder, "copysign.v16f32", NUMBERS, arguments)

    return Vector(size, vector), generate


@intrinsic  # type: ignore[untyped-decorator]
def square_root(_context: Any, vector: Any) -> Any:
    """Returns the square roots."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return call(builder, "sqrt.v16f32", NUMBERS, arguments)

    return Vector(vector), generate


def _all(number: int) -> Any:
    return ir.Constant(INDICES, [number] * LANES)
