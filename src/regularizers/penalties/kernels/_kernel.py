"""A formula computed fast on plain arrays: NumPy, and PyTorch on the CPU outside of any graph.

A kernel is found by the exact type of its formula, and composed with it. A subclass with another
formula never inherits a kernel that is not its own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Protocol

from array_api_compat import array_namespace

from regularizers.penalties.arrays import Array, Namespace
from regularizers.penalties.kernels._pieces import (
    add_scaled,
    converted,
    empty_beside,
    library_of,
    lie_plainly,
    pieces,
    total,
    wide_pieces,
)


class Kernel(Protocol):
    """What reads and writes whole arrays for one formula."""

    slope_is_sign: bool
    """True where the derivative of the statistic is the sign of each element."""

    def fits(self, x: Array, *written: Array) -> bool:
        """Return whether it can read `x`, and write arrays of the shape of `x` with it."""

    def read(
        self, x: Array, signs: Array | None = None, counts: list[Array] | None = None
    ) -> Array:
        """Return the statistic of `x`; write the signs of `x`, if an array for them is given.

        Only where the slope is the sign: the number of elements that are not 0 is appended to
        `counts`, one number a piece.
        """

    def read_at_once(self, library: Any, x: Array) -> Array:
        """Return the statistic of a wide array that is not large, of which nothing is recorded."""

    def gradient(self, x: Array, cotangent: Array, dtype: Any) -> Array:
        """Return the gradient of (statistic · cotangent), of the type `dtype`."""

    def gradient_at_once(self, library: Any, x: Array, cotangent: Array) -> Array:
        """Return the gradient at a wide array that is not large, of the type of `cotangent`."""

    def add(self, x: Array, grads: Array, factor: float) -> Array:
        """Add `factor` times the derivative of the statistic into `grads`; return the statistic."""


class Elements(Protocol):
    """A formula that is a sum over elements."""

    def element(self, xp: Namespace, x: Array) -> Array:
        """Return the function of each element."""

    def element_slope(self, xp: Namespace, x: Array) -> Array:
        """Return its derivative."""


class ElementKernel:
    """Reads a sum over elements in pieces that stay in the cache.

    The methods of a piece are given one dimension, in the precision to accumulate in, of which
    nothing is recorded. `library` is NumPy or PyTorch itself, whose functions take `out`.
    """

    slope_is_sign: bool = False

    factor: ClassVar[float] = 1.0
    """A constant that `slope_of` leaves out, to be multiplied with others."""

    def __init__(self, formula: Elements) -> None:
        self._formula = formula

    def sum_of(self, library: Any, x: Array, buffer: Array | None) -> Array:
        """Return the sum of the function over a piece; `buffer`, of its type, may be written."""
        return library.sum(self._formula.element(array_namespace(x), x))

    def slope_of(self, library: Any, x: Array, out: Array | None) -> Array:
        """Return the derivative at a piece, less `factor`; `out` may be written."""
        return self._formula.element_slope(array_namespace(x), x)

    def sum_and_slope(self, library: Any, x: Array, buffer: Array) -> tuple[Array, Array]:
        """Return both for a piece; the derivative may be written into `buffer`."""
        return self.sum_of(library, x, buffer), self.slope_of(library, x, buffer)

    def fits(self, x: Array, *written: Array) -> bool:
        return lie_plainly(x, *written)

    def read(
        self, x: Array, signs: Array | None = None, counts: list[Array] | None = None
    ) -> Array:
        library, sums = library_of(x), []
        for piece, buffer, *into in wide_pieces(x, *([] if signs is None else [signs])):
            if into:
                into[0][...] = library.sign(piece, out=buffer)
            sums.append(self.sum_of(library, piece, buffer))
            if counts is not None:  # the buffer holds the sizes of a piece that is in the cache
                counts.append(library.sum(library.sign(buffer, out=buffer)))
        return total(sums)

    def read_at_once(self, library: Any, x: Array) -> Array:
        return self.sum_of(library, x.reshape(-1), None)

    def gradient_at_once(self, library: Any, x: Array, cotangent: Array) -> Array:
        return self.slope_of(library, x, None) * (cotangent * self.factor)

    def gradient(self, x: Array, cotangent: Array, dtype: Any) -> Array:
        library = library_of(x)
        gradient = empty_beside(x, dtype)
        factor = cotangent * self.factor
        at_once = x.dtype == dtype == cotangent.dtype
        for piece, into in pieces(x, gradient):
            wide = piece if at_once else converted(piece, cotangent.dtype)
            out = into if at_once else library.empty_like(wide)
            library.multiply(self.slope_of(library, wide, out), factor, out=out)
            if not at_once:
                into[...] = out
        return gradient

    def add(self, x: Array, grads: Array, factor: float) -> Array:
        library, sums = library_of(x), []
        for piece, buffer, into in wide_pieces(x, grads):
            part, slope = self.sum_and_slope(library, piece, buffer)
            add_scaled(into, slope, factor * self.factor, buffer)
            sums.append(part)
        return total(sums)


KERNELS: dict[type, Callable[[Any], Kernel | None]] = {}
"""By the exact type of a formula, the function that makes its kernel."""


def kernel_of(formula: Any) -> Kernel | None:
    """Return the kernel of a formula; None if there is none."""
    make = KERNELS.get(type(formula))
    if make is not None:
        return make(formula)
    return ElementKernel(formula) if formula.sums_elements else None


def element_kernel_of(formula: Any) -> ElementKernel | None:
    """Return the kernel of a formula that is a sum over elements; None of any other."""
    kernel = kernel_of(formula)
    return kernel if isinstance(kernel, ElementKernel) else None
