"""Penalties that are sums over elements, which need not be read all at once."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar, TypeGuard

from array_api_compat import array_namespace

from regularizers.penalties._elementary import Elementary
from regularizers.penalties.arrays import Array, Frame, Namespace
from regularizers.penalties.kernels import (
    add_scaled,
    converted,
    empty_beside,
    library_of,
    lie_plainly,
    pieces,
    total,
    wide_pieces,
)


class Separable(Elementary):
    """A penalty that is a sum over elements of a function of each."""

    sums_elements: ClassVar[bool] = True

    times: ClassVar[float] = 1.0
    """What `slope_of` leaves out: a constant, to be multiplied with others."""

    @abstractmethod
    def element(self, xp: Namespace, x: Array) -> Array:
        """Return the function of each element."""

    @abstractmethod
    def element_slope(self, xp: Namespace, x: Array) -> Array:
        """Return its derivative."""

    def sum_of(self, library: Any, x: Array, room: Array | None) -> Array:
        """Return the sum of the function over a piece of an array.

        Args:
            library: NumPy or PyTorch.
            x: of one dimension, in the precision to accumulate in; nothing differentiates it.
            room: as long as `x` and of its type, to be written, if there is any.
        """
        return library.sum(self.element(array_namespace(x), x))

    def slope_of(self, library: Any, x: Array, out: Array | None) -> Array:
        """Return the derivative at a piece of an array, less `times`; `out` may be written."""
        return self.element_slope(array_namespace(x), x)

    def sum_and_slope(self, library: Any, x: Array, room: Array) -> tuple[Array, Array]:
        """Return both for a piece of an array; the derivative may be written into `room`."""
        return self.sum_of(library, x, room), self.slope_of(library, x, room)

    def measure(self, x: Array, frame: Frame) -> tuple[Array, tuple[Array, ...]]:
        if frame.mask is None:
            return self.total(frame.xp, x), ()
        # the zeros that the mask leaves do not count, whatever the function of 0 is
        return frame.xp.sum(frame.select(self.element(frame.xp, x))), ()

    def total(self, xp: Namespace, x: Array) -> Array:
        """Return the sum of the function over all elements, in the graph of `x`."""
        return xp.sum(self.element(xp, x))

    def pullback(self, x: Array, kept: tuple[Array, ...], cotangent: Array, frame: Frame) -> Array:
        return cotangent * self.element_slope(frame.xp, x)

    def constant(self, tally: float | None) -> float:
        """Return the derivative of the value with respect to the sum, which has no mask."""
        return 1.0 if tally is None else 1 / max(tally, 1)

    def lies_in_pieces(self, x: Array, *written: Array) -> bool:
        return lie_plainly(x, *written)

    def sum_in_pieces(self, x: Array, signs: Array | None = None) -> Array:
        library, sums = library_of(x), []
        for piece, room, *into in wide_pieces(x, *([] if signs is None else [signs])):
            if into:
                into[0][...] = library.sign(piece, out=room)
            sums.append(self.sum_of(library, piece, room))
        return total(sums)

    def slope_in_pieces(self, x: Array, cotangent: Array, dtype: Any) -> Array:
        library = library_of(x)
        gradient = empty_beside(x, dtype)
        factor = cotangent * self.times
        at_once = x.dtype == dtype == cotangent.dtype
        for piece, into in pieces(x, gradient):
            wide = piece if at_once else converted(piece, cotangent.dtype)
            out = into if at_once else library.empty_like(wide)
            library.multiply(self.slope_of(library, wide, out), factor, out=out)
            if not at_once:
                into[...] = out
        return gradient

    def add_in_pieces(self, x: Array, grads: Array, factor: float) -> Array:
        library, sums = library_of(x), []
        for piece, room, into in wide_pieces(x, grads):
            part, slope = self.sum_and_slope(library, piece, room)
            add_scaled(into, slope, factor * self.times, room)
            sums.append(part)
        return total(sums)


def is_separable(term: Elementary) -> TypeGuard[Separable]:
    """Return whether a penalty may be added up element by element, and then divided."""
    return term.sums_elements and isinstance(term, Separable)
