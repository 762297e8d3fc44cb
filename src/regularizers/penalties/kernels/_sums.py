"""Sums over a piece of an array, as fast as a dot product and as exact as a pairwise sum.

A dot product over a whole piece is a running sum, which loses two digits in float32. Dot products
of short rows lose none.
"""

from __future__ import annotations

from typing import Any

import array_api_compat

from regularizers.penalties.arrays import Array
from regularizers.penalties.kernels.thresholds import ROW


def sum_of_squares(library: Any, x: Array) -> Array:
    """Return Σx², where `x` has one dimension."""
    if not array_api_compat.is_torch_array(x):
        return sum_of_products(library, x, x)
    rows, rest = _rows(x)
    if len(rows) == 0:
        return library.sum(rest * rest)
    squares = library.sum(library.linalg.vector_norm(rows, dim=1).square_())
    return squares if len(rest) == 0 else squares + library.sum(rest * rest)


def sum_of_products(library: Any, x: Array, y: Array) -> Array:
    """Return Σxy of NumPy's arrays of one dimension."""
    (x_rows, x_rest), (y_rows, y_rest) = _rows(x), _rows(y)
    products = library.sum(library.vecdot(x_rows, y_rows))
    return products if len(x_rest) == 0 else products + library.sum(x_rest * y_rest)


def _rows(x: Array) -> tuple[Array, Array]:
    """Return the whole rows of `x`, and the elements left over."""
    whole = len(x) - len(x) % ROW
    return x[:whole].reshape(-1, ROW), x[whole:]
