"""Calls from compiled code back into Python."""

import ctypes
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

SIGNATURE = ctypes.CFUNCTYPE(ctypes.c_int64)


@contextmanager
def callback(function: Callable[[], None]) -> Iterator[int]:
    """Lets compiled code call a function of Python, for which it takes the GIL.

    Args:
        function: takes nothing and returns nothing.

    Yields:
        Address for `call_back`.

    Raises:
        BaseException: What the function has raised, at the end of the block.
    """
    errors: list[BaseException] = []

    def call() -> bool:
        try:
            function()
            return True
        except BaseException as error:  # It cannot pass through compiled code.
            errors.append(error)
            return False

    pointer = SIGNATURE(call)
    yield ctypes.cast(pointer, ctypes.c_void_p).value or 0
    if errors:
        raise errors[0]


@intrinsic  # type: ignore[untyped-decorator]
def call_back(_context: Any, address: Any) -> Any:
    """Calls the function of a `callback`; returns false if it has raised an error."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        kind = ir.FunctionType(ir.IntType(64), ())
        result = builder.call(builder.inttoptr(arguments[0], kind.as_pointer()), ())
        return builder.icmp_signed("!=", result, result.type(0))

    return types.boolean(address), generate
