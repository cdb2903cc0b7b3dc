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
        finish: applied to the sums afterwards, given the elements of `like [R, S]`.

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
