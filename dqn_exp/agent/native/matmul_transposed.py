"""Products with a transposed matrix in compiled code, in register blocks of 4 x 4.

The bits of a product depend only on the two matrices, see `matmul`. Letters: a product has R rows
and S columns, and each of its elements is a sum of K terms.
"""

import numpy as np

from dqn_exp.agent.native.matmul import ZERO
from dqn_exp.core.arrays import Float32Array
from dqn_exp.core.jit import kernel


@kernel
def multiply_transposed(
    out: Float32Array, left: Float32Array, right: Float32Array, begin: Float32Array
) -> None:
    """Computes `out [R, S] = left [R, K] @ right [S, K].T + begin [S]`; fast where K is large."""
    rows, columns = out.shape
    whole_rows, whole_columns = rows - rows % 4, columns - columns % 4
    for row in range(0, whole_rows, 4):
        for column in range(0, whole_columns, 4):
            _multiply_4_by_4(out, left, right, begin, row, column)
        for column in range(whole_columns, columns, 2):
            # An odd one that is left is computed twice.
            other = min(column + 1, columns - 1)
            _multiply_4_by_2(out, left, right, begin, row, column, other)
    for row in range(whole_rows, rows):
        for column in range(columns):
            _multiply_1_by_1(out, left, right, begin, row, column)


@kernel
def transpose(out: Float32Array, matrix: Float32Array) -> None:
    """Writes `matrix [R, S]` transposed to `out [S, R]`."""
    for s in range(matrix.shape[1]):
        for r in range(matrix.shape[0]):
            out[s, r] = matrix[r, s]


@kernel
def _multiply_4_by_4(
    out: Float32Array,
    left: Float32Array,
    right: Float32Array,
    begin: Float32Array,
    row: int,
    column: int,
) -> None:
    """Computes four rows and four columns of `multiply_transposed`."""
    a0 = a1 = a2 = a3 = b0 = b1 = b2 = b3 = ZERO
    c0 = c1 = c2 = c3 = d0 = d1 = d2 = d3 = ZERO
    for k in range(left.shape[1]):
        a, b, c, d = left[row, k], left[row + 1, k], left[row + 2, k], left[row + 3, k]
        w0, w1 = right[column, k], right[column + 1, k]
        w2, w3 = right[column + 2, k], right[column + 3, k]
        a0, a1, a2, a3 = a0 + a * w0, a1 + a * w1, a2 + a * w2, a3 + a * w3
        b0, b1, b2, b3 = b0 + b * w0, b1 + b * w1, b2 + b * w2, b3 + b * w3
        c0, c1, c2, c3 = c0 + c * w0, c1 + c * w1, c2 + c * w2, c3 + c * w3
        d0, d1, d2, d3 = d0 + d * w0, d1 + d * w1, d2 + d * w2, d3 + d * w3
    _set_four(out, begin, row, column, a0, a1, a2, a3)
    _set_four(out, begin, row + 1, column, b0, b1, b2, b3)
    _set_four(out, begin, row + 2, column, c0, c1, c2, c3)
    _set_four(out, begin, row + 3, column, d0, d1, d2, d3)


@kernel
def _set_four(
    out: Float32Array,
    begin: Float32Array,
    row: int,
    column: int,
    a: np.float32,
    b: np.float32,
    c: np.float32,
    d: np.float32,
) -> None:
    """Writes sums to `out [R, S]`, on top of `begin [S]`, in four columns of a row."""
    _set_two(out, begin, row, column, column + 1, a, b)
    _set_two(out, begin, row, column + 2, column + 3, c, d)


@kernel
def _set_two(
    out: Float32Array,
    begin: Float32Array,
    row: int,
    column: int,
    other: int,
    a: np.float32,
    b: np.float32,
) -> None:
    """Writes sums to `out [R, S]`, on top of `begin [S]`, in two columns of a row."""
    out[row, column], out[row, other] = a + begin[column], b + begin[other]


@kernel
def _multiply_4_by_2(
    out: Float32Array,
    left: Float32Array,
    right: Float32Array,
    begin: Float32Array,
    row: int,
    column: int,
    other: int,
) -> None:
    """Computes four rows and two columns of `multiply_transposed`."""
    a0 = a1 = b0 = b1 = c0 = c1 = d0 = d1 = ZERO
    for k in range(left.shape[1]):
        a, b, c, d = left[row, k], left[row + 1, k], left[row + 2, k], left[row + 3, k]
        w0, w1 = right[column, k], right[other, k]
        a0, a1, b0, b1 = a0 + a * w0, a1 + a * w1, b0 + b * w0, b1 + b * w1
        c0, c1, d0, d1 = c0 + c * w0, c1 + c * w1, d0 + d * w0, d1 + d * w1
    _set_two(out, begin, row, column, other, a0, a1)
    _set_two(out, begin, row + 1, column, other, b0, b1)
    _set_two(out, begin, row + 2, column, other, c0, c1)
    _set_two(out, begin, row + 3, column, other, d0, d1)


@kernel
def _multiply_1_by_1(
    out: Float32Array,
    left: Float32Array,
    right: Float32Array,
    begin: Float32Array,
    row: int,
    column: int,
) -> None:
    """Computes one element of `multiply_transposed`."""
    total = ZERO
    for k in range(left.shape[1]):
        total += left[row, k] * right[column, k]
    out[row, column] = total + begin[column]
