"""Vectors of 16 single-precision numbers in compiled code.

By default, LLVM prefers narrow registers on some processors, and does not vectorize loops with an
unknown trip count. Explicit vectors use the widest registers of the machine. Sums are computed in
the order written, but a multiplication and an addition may be fused.
"""

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, lower_builtin, models, register_model, type_callable
from numba.np.arrayobj import make_array

from dqn_exp.core.arrays import Float32Array

LANES = 16
ALIGNMENT = 4 * LANES
"""Of vectors in memory, in bytes: one that crosses a cache line takes twice as long to read."""

NUMBER, INDEX = ir.FloatType(), ir.IntType(32)
NUMBERS, INDICES = ir.VectorType(NUMBER, LANES), ir.VectorType(INDEX, LANES)
ZEROS = ir.Constant(NUMBERS, None)
FUSED = ("contract",)


class VectorType(types.Type):  # type: ignore[misc]
    """Type of a vector in compiled code."""

    def __init__(self) -> None:
        """Takes nothing: all vectors have the same type."""
        super().__init__("Vector")


Vector = VectorType()


@register_model(VectorType)
class _VectorModel(models.PrimitiveModel):  # type: ignore[misc]
    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, NUMBERS)


@intrinsic  # type: ignore[untyped-decorator]
def load(_context: Any, array: Any, start: Any) -> Any:
    """Returns 16 numbers of a flat array from `start` on, which is aligned to 16 numbers."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        found = builder.load(_address(context, builder, signature, arguments))
        found.align = ALIGNMENT
        return found

    return Vector(array, start), generate


@intrinsic  # type: ignore[untyped-decorator]
def store(_context: Any, array: Any, start: Any, vector: Any) -> Any:
    """Writes a vector to a flat array from `start` on, which is aligned to 16 numbers."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        address = _address(context, builder, signature, arguments)
        builder.store(arguments[2], address).align = ALIGNMENT
        return context.get_dummy_value()

    return types.void(array, start, vector), generate


@intrinsic  # type: ignore[untyped-decorator]
def fill(_context: Any, number: Any) -> Any:
    """Returns a vector with the same number in all lanes."""

    def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return fill_lanes(builder, context.cast(builder, arguments[0], number, types.float32))

    return Vector(number), generate


@intrinsic  # type: ignore[untyped-decorator]
def item(_context: Any, array: Any, place: Any) -> Any:
    """Returns an element of a flat array; unlike numba indexing, `place` cannot be negative."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.load(_item_address(context, builder, signature, arguments))

    return array.dtype(array, place), generate


@intrinsic  # type: ignore[untyped-decorator]
def broadcast(_context: Any, array: Any, place: Any) -> Any:
    """Returns a vector with a number of a flat array in all lanes; the place is not negative."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        address = _item_address(context, builder, signature, arguments)
        return fill_lanes(builder, builder.load(address))

    return Vector(array, place), generate


@intrinsic  # type: ignore[untyped-decorator]
def prefetch(_context: Any, array: Any, place: Any) -> Any:
    """Begins to load a number of a flat array, with its neighbors, into the nearest cache."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        address = _item_address(context, builder, signature, arguments)
        place = builder.bitcast(address, ir.IntType(8).as_pointer())
        for_reading, near, of_data = INDEX(0), INDEX(3), INDEX(1)
        operands = [place, for_reading, near, of_data]
        call(builder, "prefetch.p0", ir.VoidType(), operands)
        return context.get_dummy_value()

    return types.void(array, place), generate


@intrinsic  # type: ignore[untyped-decorator]
def zeros(_context: Any) -> Any:
    """Returns a vector of zeros."""

    def generate(_context: Any, _builder: Any, _signature: Any, _arguments: Any) -> Any:
        return ZEROS

    return Vector(), generate


@intrinsic  # type: ignore[untyped-decorator]
def store_four(_context: Any, array: Any, start: Any, vector: Any) -> Any:
    """Writes the first four lanes to a flat array from `start` on, which is aligned to four."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        address = _address(context, builder, signature, arguments)
        four = ir.Constant(ir.VectorType(INDEX, 4), [0, 1, 2, 3])
        found = builder.shuffle_vector(arguments[2], arguments[2], four)
        builder.store(found, builder.bitcast(address, found.type.as_pointer())).align = 16
        return context.get_dummy_value()

    return types.void(array, start, vector), generate


@intrinsic  # type: ignore[untyped-decorator]
def load_some(_context: Any, array: Any, start: Any, count: Any) -> Any:
    """Returns at most 16 numbers of an array from any `start` on, and zeros after `count`."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        address = _address(context, builder, signature, arguments)
        mask = _first_lanes(context, builder, arguments[2], count)
        operands = [address, INDEX(4), mask, ZEROS]
        return call(builder, "masked.load.v16f32.p0", NUMBERS, operands)

    return Vector(array, start, count), generate


@intrinsic  # type: ignore[untyped-decorator]
def store_some(_context: Any, array: Any, start: Any, vector: Any, count: Any) -> Any:
    """Writes the first `count` lanes, at most 16, to an array from any `start` on."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        address = _address(context, builder, signature, arguments)
        mask = _first_lanes(context, builder, arguments[3], count)
        operands = [arguments[2], address, INDEX(4), mask]
        call(builder, "masked.store.v16f32.p0", ir.VoidType(), operands)
        return context.get_dummy_value()

    return types.void(array, start, vector, count), generate


@intrinsic  # type: ignore[untyped-decorator]
def load_integers(_context: Any, array: Any, start: Any) -> Any:
    """Returns 16 unsigned integers of a flat array from `start` on, as a vector."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        address = _item_address(context, builder, signature, arguments)
        found = builder.load(builder.bitcast(address, INDICES.as_pointer()))
        found.align = 4
        return builder.uitofp(found, NUMBERS)

    return Vector(array, start), generate


@intrinsic  # type: ignore[untyped-decorator]
def load_bytes(_context: Any, array: Any, start: Any) -> Any:
    """Returns 16 bytes of an array from `start` on, as if it were flat, as a vector."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        address = _item_address(context, builder, signature, arguments)
        some = ir.VectorType(ir.IntType(8), LANES)
        found = builder.load(builder.bitcast(address, some.as_pointer()))
        found.align = 1
        return builder.uitofp(found, NUMBERS)

    return Vector(array, start), generate


def _item_address(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    array, start = signature.args[:2]
    data = make_array(array)(context, builder, arguments[0]).data
    place = context.cast(builder, arguments[1], start, types.intp)
    return builder.gep(data, [place])


def _address(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    address = _item_address(context, builder, signature, arguments)
    return builder.bitcast(address, NUMBERS.as_pointer())


def _first_lanes(context: Any, builder: Any, count: Any, kind: Any) -> Any:
    """Returns which lanes are below a count."""
    limit = builder.trunc(context.cast(builder, count, kind, types.int64), INDEX)
    lanes = ir.Constant(INDICES, list(range(LANES)))
    return builder.icmp_signed("<", lanes, fill_lanes(builder, limit))


def fill_lanes(builder: Any, value: Any) -> Any:
    """Builds a vector with the same value in all lanes."""
    undefined = ir.Constant(ir.VectorType(value.type, LANES), ir.Undefined)
    first = builder.insert_element(undefined, value, INDEX(0))
    return builder.shuffle_vector(first, undefined, ir.Constant(INDICES, None))


def call(builder: Any, name: str, result: Any, arguments: Any) -> Any:
    """Builds a call of an intrinsic function of LLVM."""
    kind = ir.FunctionType(result, [argument.type for argument in arguments])
    function = cgutils.get_or_insert_function(builder.module, kind, f"llvm.{name}")
    return builder.call(function, arguments)


def _define_operator(symbol: Callable[[Any, Any], Any], instruction: str) -> None:
    @type_callable(symbol)  # type: ignore[untyped-decorator]
    def infer(_context: Any) -> Any:
        return lambda first, second: Vector if first == second == Vector else None

    @lower_builtin(symbol, Vector, Vector)  # type: ignore[untyped-decorator]
    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return getattr(builder, instruction)(*arguments, flags=FUSED)


for _symbols, _instruction in (
    ((operator.add, operator.iadd), "fadd"),
    ((operator.sub, operator.isub), "fsub"),
    ((operator.mul, operator.imul), "fmul"),
    ((operator.truediv, operator.itruediv), "fdiv"),
):
    for _symbol in _symbols:
        _define_operator(_symbol, _instruction)


def aligned_zeros(count: int) -> Float32Array:
    """Returns `[count]` zeros whose first number is aligned."""
    memory = np.zeros(count + LANES, dtype=np.float32)
    first = -memory.ctypes.data % ALIGNMENT // memory.itemsize
    return memory[first : first + count]


def pad(count: int, multiple: int = LANES) -> int:
    """Returns the smallest multiple that is at least `count`."""
    return -(-count // multiple) * multiple
