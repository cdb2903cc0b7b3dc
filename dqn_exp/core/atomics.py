"""Numbers that several threads read and write, in compiled code.

What a thread has written before it writes such a number is known to those that read it.
"""

from typing import Any

from numba import types
from numba.extending import intrinsic
from numba.np.arrayobj import make_array


@intrinsic  # type: ignore[untyped-decorator]
def load_atomic(_context: Any, array: Any, place: Any) -> Any:
    """Returns an element of a flat array of 64-bit integers."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.load_atomic(_address(context, builder, signature, arguments), "acquire", 8)

    return types.int64(array, place), generate


@intrinsic  # type: ignore[untyped-decorator]
def store_atomic(_context: Any, array: Any, place: Any, value: Any) -> Any:
    """Writes an element of a flat array of 64-bit integers."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        address = _address(context, builder, signature, arguments)
        new = context.cast(builder, arguments[2], value, types.int64)
        builder.store_atomic(new, address, "release", 8)
        return context.get_dummy_value()

    return types.void(array, place, value), generate


@intrinsic  # type: ignore[untyped-decorator]
def add_atomic(_context: Any, array: Any, place: Any, value: Any) -> Any:
    """Adds to an element of a flat array of 64-bit integers."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        address = _address(context, builder, signature, arguments)
        change = context.cast(builder, arguments[2], value, types.int64)
        builder.atomic_rmw("add", address, change, "acq_rel")
        return context.get_dummy_value()

    return types.void(array, place, value), generate


@intrinsic  # type: ignore[untyped-decorator]
def replace_atomic(_context: Any, array: Any, place: Any, old: Any, new: Any) -> Any:
    """Replaces an element that has an old value; returns whether it had."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        address = _address(context, builder, signature, arguments)
        values = (
            context.cast(builder, arguments[k], signature.args[k], types.int64) for k in (2, 3)
        )
        found = builder.cmpxchg(address, *values, "acq_rel", "acquire")
        return builder.extract_value(found, 1)

    return types.boolean(array, place, old, new), generate


def _address(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    data = make_array(signature.args[0])(context, builder, arguments[0]).data
    return builder.gep(data, [context.cast(builder, arguments[1], signature.args[1], types.intp)])
