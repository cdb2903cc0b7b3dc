"""Products of matrices in compiled code, in blocks of 4 x 4 that use the registers.

A row of a product is computed alone or with three others, by its place and the number of rows; so
its bits depend on nothing but the two matrices.
"""

import numpy as np
import numpy.typing as npt

from dqn_exp.compiled import kernel

Floats = npt.NDArray[np.float32]

ZERO = np.float32(0)


@kernel
def add_product(out: Floats, left: Floats, right: Floats) -> None:
    """Adds `left [R, K] @ right [K, S]` to `out [R, S]`; fast where S is large."""
    rows, inner = left.shape
    whole_rows, whole_inner = rows - rows % 4, inner - inner % 4
    for row in range(0, whole_rows, 4):
        for k in range(0, whole_inner, 4):
            _add_4_rows_of_4(out, left, right, row, k)
        for k in range(whole_inner, inner):
            _add_4_rows_of_1(out, left, right, row, k)
    for row in range(whole_rows, rows):
        for k in range(0, whole_inner, 4):
            _add_row_of_4(out, left, right, row, k)
        for k in range(whole_inner, inner):
            _add_row_of_1(out, left, right, row, k)


@kernel
def multiply_transposed(out: Floats, left: Floats, right: Floats) -> None:
    """Computes `out [R, S] = left [R, K] @ right [S, K].T`; fast where K is large."""
    rows, columns = out.shape
    whole_rows, whole_columns = rows - rows % 4, columns - columns % 4
    for row in range(0, whole_rows, 4):
        for column in range(0, whole_columns, 4):
            _multiply_4_by_4(out, left, right, row, column)
        for column in range(whole_columns, columns):
            _multiply_4_by_1(out, left, right, row, column)
    for row in range(whole_rows, rows):
        for column in range(columns):
            _multiply_1_by_1(out, left, right, row, column)


@kernel
def transpose(out: Floats, matrix: Floats) -> None:
    """Writes `matrix [R, S]` transposed to `out [S, R]`."""
    for s in range(matrix.shape[1]):
        for r in range(matrix.shape[0]):
            out[s, r] = matrix[r, s]


@kernel
def _add_4_rows_of_4(out: Floats, left: Floats, right: Floats, row: int, k: int) -> None:
    a0, a1, a2, a3 = left[row, k], left[row, k + 1], left[row, k + 2], left[row, k + 3]
    b0, b1, b2, b3 = left[row + 1, k], left[row + 1, k + 1], left[row + 1, k + 2], left[row + 1, k + 3]
    c0, c1, c2, c3 = left[row + 2, k], left[row + 2, k + 1], left[row + 2, k + 2], left[row + 2, k + 3]
    d0, d1, d2, d3 = left[row + 3, k], left[row + 3, k + 1], left[row + 3, k + 2], left[row + 3, k + 3]
    for s in range(out.shape[1]):
        w0, w1, w2, w3 = right[k, s], right[k + 1, s], right[k + 2, s], right[k + 3, s]
        out[row, s] += a0 * w0 + a1 * w1 + a2 * w2 + a3 * w3
        out[row + 1, s] += b0 * w0 + b1 * w1 + b2 * w2 + b3 * w3
        out[row + 2, s] += c0 * w0 + c1 * w1 + c2 * w2 + c3 * w3
        out[row + 3, s] += d0 * w0 + d1 * w1 + d2 * w2 + d3 * w3


@kernel
def _add_4_rows_of_1(out: Floats, left: Floats, right: Floats, row: int, k: int) -> None:
    a, b, c, d = left[row, k], left[row + 1, k], left[row + 2, k], left[row + 3, k]
    for s in range(out.shape[1]):
        w = right[k, s]
        out[row, s] += a * w
        out[row + 1, s] += b * w
        out[row + 2, s] += c * w
        out[row + 3, s] += d * w


@kernel
def _add_row_of_4(out: Floats, left: Floats, right: Floats, row: int, k: int) -> None:
    a0, a1, a2, a3 = left[row, k], left[row, k + 1], left[row, k + 2], left[row, k + 3]
    for s in range(out.shape[1]):
        out[row, s] += a0 * right[k, s] + a1 * right[k + 1, s] + a2 * right[k + 2, s] + a3 * right[k + 3, s]


@kernel
def _add_row_of_1(out: Floats, left: Floats, right: Floats, row: int, k: int) -> None:
    a = left[row, k]
    for s in range(out.shape[1]):
        out[row, s] += a * right[k, s]


@kernel
def _multiply_4_by_4(out: Floats, left: Floats, right: Floats, row: int, column: int) -> None:
    a0 = a1 = a2 = a3 = b0 = b1 = b2 = b3 = ZERO
    c0 = c1 = c2 = c3 = d0 = d1 = d2 = d3 = ZERO
    for k in range(left.shape[1]):
        a, b, c, d = left[row, k], left[row + 1, k], left[row + 2, k], left[row + 3, k]
        w0, w1, w2, w3 = right[column, k], right[column + 1, k], right[column + 2, k], right[column + 3, k]
        a0, a1, a2, a3 = a0 + a * w0, a1 + a * w1, a2 + a * w2, a3 + a * w3
        b0, b1, b2, b3 = b0 + b * w0, b1 + b * w1, b2 + b * w2, b3 + b * w3
        c0, c1, c2, c3 = c0 + c * w0, c1 + c * w1, c2 + c * w2, c3 + c * w3
        d0, d1, d2, d3 = d0 + d * w0, d1 + d * w1, d2 + d * w2, d3 + d * w3
    out[row, column], out[row, column + 1], out[row, column + 2], out[row, column + 3] = a0, a1, a2, a3
    out[row + 1, column], out[row + 1, column + 1], out[row + 1, column + 2], out[row + 1, column + 3] = b0, b1, b2, b3
    out[row + 2, column], out[row + 2, column + 1], out[row + 2, column + 2], out[row + 2, column + 3] = c0, c1, c2, c3
    out[row + 3, column], out[row + 3, column + 1], out[row + 3, column + 2], out[row + 3, column + 3] = d0, d1, d2, d3


@kernel
def _multiply_4_by_1(out: Floats, left: Floats, right: Floats, row: int, column: int) -> None:
    a = b = c = d = ZERO
    for k in range(left.shape[1]):
        w = right[column, k]
        a, b, c, d = a + left[row, k] * w, b + left[row + 1, k] * w, c + left[row + 2, k] * w, d + left[row + 3, k] * w
    out[row, column], out[row + 1, column], out[row + 2, column], out[row + 3, column] = a, b, c, d


@kernel
def _multiply_1_by_1(out: Floats, left: Floats, right: Floats, row: int, column: int) -> None:
    total = ZERO
    for k in range(left.shape[1]):
        total += left[row, k] * right[column, k]
    out[row, column] = total
