"""Array types; shapes are given in docstrings, with the letters of the package docstring."""

from typing import Any

import numpy as np
import numpy.typing as npt

Float32Array = npt.NDArray[np.float32]
Float64Array = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
Int32Array = npt.NDArray[np.int32]
UInt32Array = npt.NDArray[np.uint32]
UInt8Array = npt.NDArray[np.uint8]
BoolArray = npt.NDArray[np.bool_]
ObservationArray = npt.NDArray[Any]
"""Observations `[..., D]` in single precision, or frames `[..., H * W * c]` of bytes."""


def evenly_spaced(count: int, most: int) -> IntArray:
    """Returns at most `most` evenly spaced rows from 0 to `count - 1`."""
    rows = np.linspace(0, count - 1, min(count, most)).round()
    return np.unique(rows.astype(np.int64))
