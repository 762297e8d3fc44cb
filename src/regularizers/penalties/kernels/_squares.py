"""The kernel of squares."""

from __future__ import annotations

from typing import Any, ClassVar

from regularizers.penalties.arrays import Array
from regularizers.penalties.kernels._kernel import ElementKernel
from regularizers.penalties.kernels._sums import sum_of_squares


class SquaresKernel(ElementKernel):
    """Σx² and 2x."""

    factor: ClassVar[float] = 2.0

    def sum_of(self, library: Any, x: Array, buffer: Array | None) -> Array:
        return sum_of_squares(library, x)

    def slope_of(self, library: Any, x: Array, out: Array | None) -> Array:
        return x
