"""Kernels as functions that Python can call."""

from collections.abc import Callable
from typing import Any

import numba


def callable_kernel(kernel: Callable[..., Any]) -> Callable[..., Any]:
    """Wraps a kernel, which compiled code alone can call."""

    @numba.njit(error_model="numpy")
    def call(*arguments):  # type: ignore[no-untyped-def]
        return kernel(*arguments)

    return call
