"""Views of memory without bounds checks and reference counts, for compiled code."""

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic
from numba.np.arrayobj import make_array, populate_array


@intrinsic  # type: ignore[untyped-decorator]
def unowned(_context: Any, values: Any) -> Any:
    """Returns a tuple of arrays on the same memory, which the caller must keep alive.

    Every slice of an array counts a reference to its memory. Threads that slice the same arrays
    would update the same counter and wait for each other; these arrays have no counter.
    """

    def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        made = [
            _without_owner(context, builder, kind, builder.extract_value(arguments[0], place))
            for place, kind in enumerate(values)
        ]
        return context.make_tuple(builder, values, made)

    return values(values), generate


def _without_owner(context: Any, builder: Any, kind: Any, value: Any) -> Any:
    if not isinstance(kind, types.Array):
        return value
    given = make_array(kind)(context, builder, value)
    made = make_array(kind)(context, builder)
    shape = cgutils.unpack_tuple(builder, given.shape, kind.ndim)
    strides = cgutils.unpack_tuple(builder, given.strides, kind.ndim)
    populate_array(made, given.data, shape, strides, given.itemsize, meminfo=None)
    return made._getvalue()


@intrinsic  # type: ignore[untyped-decorator]
def matrix(_context: Any, memory: Any, start: Any, rows: Any, columns: Any) -> Any:
    """Returns the numbers of `memory [M]` from `start` on as a matrix `[rows, columns]`.

    There are no bounds checks: reshaping an array costs more than adding up one of its rows.
    """
    kind = types.Array(memory.dtype, 2, "C")

    def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        given = make_array(memory)(context, builder, arguments[0])
        first, height, width = (
            context.cast(builder, value, given_kind, types.intp)
            for value, given_kind in zip(arguments[1:], (start, rows, columns), strict=True)
        )
        made = make_array(kind)(context, builder)
        step = builder.mul(width, given.itemsize)
        populate_array(
            made,
            builder.gep(given.data, [first]),
            (height, width),
            (step, given.itemsize),
            given.itemsize,
            meminfo=None,
        )
        return made._getvalue()

    return kind(memory, start, rows, columns), generate


@intrinsic  # type: ignore[untyped-decorator]
def prefetch(_context: Any, memory: Any, place: Any) -> Any:
    """Prefetches the number at a flat position of `memory` into the second-level cache.

    The first-level cache holds the data of the current computation.
    """

    def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        given = make_array(memory)(context, builder, arguments[0])
        pointer = builder.gep(given.data, [context.cast(builder, arguments[1], place, types.intp)])
        number = ir.IntType(32)
        address = builder.bitcast(pointer, ir.IntType(8).as_pointer())
        kind = ir.FunctionType(ir.VoidType(), [address.type, number, number, number])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        is_write, locality, is_data = 0, 2, 1
        flags = [ir.Constant(number, flag) for flag in (is_write, locality, is_data)]
        builder.call(function, [address, *flags])
        return context.get_dummy_value()

    return types.void(memory, place), generate
