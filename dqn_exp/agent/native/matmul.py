"""Matrix products in compiled code, in register blocks of 4 x 4.

Whether a row of a product is computed alone or with three others follows from its position and the
number of rows, so its bits depend only on the two matrices. Where fewer than four terms of a sum
are left, the missing ones are zero times an existing row.

Letters: a product has R rows and S columns, and each of its elements is a sum of K terms.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from dqn_exp.core.arrays import Float32Array
from dqn_exp.core.jit import kernel

ZERO = np.float32(0)

Function = Callable[..., Any]


@kernel
def add_product(out: Float32Array, left: Float32Array, right: Float32Array) -> None:
    """Adds `left [R, K] @ right [K, S]` to `out [R, S]`; fast where S is large."""
    rows, inner = left.shape
    for k in range(0, inner, 4):
        row = 0
        while row + 4 <= rows:
            _add_4_rows(out, left, right, right[0], out, row, k)
            row += 4
        if row + 2 <= rows:
            _add_2_rows(out, left, right, row, k)
            row += 2
        if row < rows:
            _add_row(out, left, right, right[0], out, row, k)


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


@kernel
def _four(
    left: Float32Array, row: int, k: int
) -> tuple[np.float32, np.float32, np.float32, np.float32]:
    """Returns four elements of a row of `left [R, K]` from k on, 0 where there are none."""
    count = left.shape[1] - k
    if count >= 4:
        return left[row, k], left[row, k + 1], left[row, k + 2], left[row, k + 3]
    return (
        left[row, k],
        left[row, k + 1] if count > 1 else ZERO,
        left[row, k + 2] if count > 2 else ZERO,
        ZERO,
    )


@kernel
def _as_it_is(value: np.float32, like: np.float32) -> np.float32:
    return value


@kernel
def _positive_part(value: np.float32, like: np.float32) -> np.float32:
    return ZERO if value < ZERO else value  # NaN stays NaN.


@kernel
def _where_positive(value: np.float32, like: np.float32) -> np.float32:
    return value if like > ZERO else ZERO


def _make_4_rows(begins: bool, finish: Function) -> Function:
    """Makes a kernel that adds four terms to the sums of four rows.

    Args:
        begins: whether the sums begin with these terms, on top of `begin`.
        finish: what is done to the sums then, given the elements of `like [R, S]`.

    The kernel takes `out [R, S]`, `left [R, K]`, `right [K, S]`, `begin [S]`, `like [R, S]`, the
    first row and the first term.
    """

    @kernel
    def add_4_rows(
        out: Float32Array,
        left: Float32Array,
        right: Float32Array,
        begin: Float32Array,
        like: Float32Array,
        row: int,
        k: int,
    ) -> None:
        """Adds terms k to k + 4 in four rows."""
        a0, a1, a2, a3 = _four(left, row, k)
        b0, b1, b2, b3 = _four(left, row + 1, k)
        c0, c1, c2, c3 = _four(left, row + 2, k)
        d0, d1, d2, d3 = _four(left, row + 3, k)
        last = left.shape[1] - 1
        k1, k2, k3 = min(k + 1, last), min(k + 2, last), min(k + 3, last)
        for s in range(out.shape[1]):
            w0, w1, w2, w3 = right[k, s], right[k1, s], right[k2, s], right[k3, s]
            a = begin[s] if begins else out[row, s]
            b = begin[s] if begins else out[row + 1, s]
            c = begin[s] if begins else out[row + 2, s]
            d = begin[s] if begins else out[row + 3, s]
            a += a0 * w0 + a1 * w1 + a2 * w2 + a3 * w3
            b += b0 * w0 + b1 * w1 + b2 * w2 + b3 * w3
            c += c0 * w0 + c1 * w1 + c2 * w2 + c3 * w3
            d += d0 * w0 + d1 * w1 + d2 * w2 + d3 * w3
            out[row, s] = finish(a, like[row, s])
            out[row + 1, s] = finish(b, like[row + 1, s])
            out[row + 2, s] = finish(c, like[row + 2, s])
            out[row + 3, s] = finish(d, like[row + 3, s])

    return add_4_rows


def _make_row(begins: bool, finish: Function) -> Function:
    """Makes a kernel for one row, as `_make_4_rows` does for four."""

    @kernel
    def add_row(
        out: Float32Array,
        left: Float32Array,
        right: Float32Array,
        begin: Float32Array,
        like: Float32Array,
        row: int,
        k: int,
    ) -> None:
        """Adds terms k to k + 4 in one row."""
        a0, a1, a2, a3 = _four(left, row, k)
        last = left.shape[1] - 1
        k1, k2, k3 = min(k + 1, last), min(k + 2, last), min(k + 3, last)
        for s in range(out.shape[1]):
            a = begin[s] if begins else out[row, s]
            a += a0 * right[k, s] + a1 * right[k1, s] + a2 * right[k2, s] + a3 * right[k3, s]
            out[row, s] = finish(a, like[row, s])

    return add_row


@kernel
def _add_2_rows(
    out: Float32Array, left: Float32Array, right: Float32Array, row: int, k: int
) -> None:
    """Adds terms k to k + 4 to `out [R, S]` in two rows of `left [R, K] @ right [K, S]`."""
    a0, a1, a2, a3 = _four(left, row, k)
    b0, b1, b2, b3 = _four(left, row + 1, k)
    last = left.shape[1] - 1
    k1, k2, k3 = min(k + 1, last), min(k + 2, last), min(k + 3, last)
    for s in range(out.shape[1]):
        w0, w1, w2, w3 = right[k, s], right[k1, s], right[k2, s], right[k3, s]
        a = out[row, s]
        b = out[row + 1, s]
        a += a0 * w0 + a1 * w1 + a2 * w2 + a3 * w3
        b += b0 * w0 + b1 * w1 + b2 * w2 + b3 * w3
        out[row, s] = a
        out[row + 1, s] = b


_begin_4_rows, _begin_row = _make_4_rows(True, _as_it_is), _make_row(True, _as_it_is)
_add_4_rows, _add_row = _make_4_rows(False, _as_it_is), _make_row(False, _as_it_is)


def _make_product(finish: Function) -> Function:
    whole_4_rows, whole_row = _make_4_rows(True, finish), _make_row(True, finish)
    last_4_rows, last_row = _make_4_rows(False, finish), _make_row(False, finish)

    @kernel
    def product(
        out: Float32Array,
        left: Float32Array,
        right: Float32Array,
        begin: Float32Array,
        like: Float32Array,
    ) -> None:
        rows, inner = left.shape
        last = (inner - 1) // 4 * 4
        whole = rows - rows % 4
        for row in range(0, whole, 4):
            if last == 0:
                whole_4_rows(out, left, right, begin, like, row, 0)
            else:
                _begin_4_rows(out, left, right, begin, like, row, 0)
                for k in range(4, last, 4):
                    _add_4_rows(out, left, right, begin, like, row, k)
                last_4_rows(out, left, right, begin, like, row, last)
        for row in range(whole, rows):
            if last == 0:
                whole_row(out, left, right, begin, like, row, 0)
            else:
                _begin_row(out, left, right, begin, like, row, 0)
                for k in range(4, last, 4):
                    _add_row(out, left, right, begin, like, row, k)
                last_row(out, left, right, begin, like, row, last)

    return product


product = _make_product(_as_it_is)
"""Computes `out [R, S] = left [R, K] @ right [K, S] + begin [S]`; `like` is `out` again."""

relu_product = _make_product(_positive_part)
"""Computes the positive part of `product`."""

relu_gradient_product = _make_product(_where_positive)
"""Computes `product` where `like [R, S]` is positive, and 0 elsewhere."""
