"""Calls from compiled code back into Python."""

import ctypes
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

SIGNATURE = ctypes.CFUNCTYPE(None, ctypes.POINTER(ctypes.c_int64))

FUNCTION, HAS_FAILED = range(2)
"""Places of a callback's numbers: address of the function, and whether a call has failed."""

INTEGER = ir.IntType(64)
SIGNATURE_IN_CODE = ir.FunctionType(ir.VoidType(), (INTEGER.as_pointer(),))


@contextmanager
def callback(function: Callable[[], None]) -> Iterator[int]:
    """Lets compiled code call a function of Python, for which it takes the GIL.

    Args:
        function: takes nothing and returns nothing.

    Yields:
        Address for `call_back`.

    Raises:
        BaseException: What the function has raised, at the end of the block.
        KeyboardInterrupt: If a call was interrupted before or after the function.
    """
    errors: list[BaseException] = []

    def call(is_done: Any) -> None:
        try:
            function()
        except BaseException as error:  # It cannot pass through compiled code.
            errors.append(error)
        else:
            is_done[0] = 1

    pointer = SIGNATURE(call)
    numbers = np.array([ctypes.cast(pointer, ctypes.c_void_p).value, 0], dtype=np.int64)
    yield int(numbers.ctypes.data)
    if errors:
        raise errors[0]
    if numbers[HAS_FAILED]:  # A signal handler has raised where `call` cannot catch it.
        raise KeyboardInterrupt


@intrinsic  # type: ignore[untyped-decorator]
def call_back(_context: Any, address: Any) -> Any:
    """Calls the function of a `callback`; returns false if it was not called to its end."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        numbers = builder.inttoptr(arguments[0], INTEGER.as_pointer())
        is_done = cgutils.alloca_once(builder, INTEGER)
        builder.store(INTEGER(0), is_done)
        function = builder.load(builder.gep(numbers, [INTEGER(FUNCTION)]))
        builder.call(builder.inttoptr(function, SIGNATURE_IN_CODE.as_pointer()), (is_done,))
        result = builder.icmp_signed("!=", builder.load(is_done), INTEGER(0))
        with builder.if_then(builder.not_(result), likely=False):
            builder.store(INTEGER(1), builder.gep(numbers, [INTEGER(HAS_FAILED)]))
        return result

    return types.boolean(address), generate
