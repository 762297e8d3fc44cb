"""The kernel of absolute values."""

from __future__ import annotations

import math
from typing import Any

import array_api_compat

from regularizers.penalties.arrays import Array
from regularizers.penalties.kernels._kernel import ElementKernel
from regularizers.penalties.kernels._sums import sum_of_products


class AbsoluteKernel(ElementKernel):
    """Σ|x| and its signs."""

    slope_is_sign = True

    def sum_of(self, library: Any, x: Array, buffer: Array | None) -> Array:
        return library.sum(library.abs(x, out=buffer))

    def slope_of(self, library: Any, x: Array, out: Array | None) -> Array:
        return library.sign(x, out=out)

    def gradient_at_once(self, library: Any, x: Array, cotangent: Array) -> Array:
        sign = library.sign(x)
        sign *= cotangent  # in place: one fresh buffer
        return sign

    def sum_and_slope(self, library: Any, x: Array, buffer: Array) -> tuple[Array, Array]:
        if array_api_compat.is_torch_array(x):
            size, sign = self.sum_of(library, x, buffer), library.sign(x, out=buffer)
        else:
            # NumPy reads the product with the signs faster than the absolute value
            sign = library.sign(x, out=buffer)
            size = sum_of_products(library, x, sign)
        if size != size:
            sign[x != x] = math.nan
        return size, sign
