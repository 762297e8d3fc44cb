"""Penalties that are sums over elements, which need not be read all at once."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from typing import Any, ClassVar

import array_api_compat

from regularizers.penalties._arrays import Array, Namespace, size_of
from regularizers.penalties._elementary import Elementary
from regularizers.penalties._frame import Frame, Tally, per
from regularizers.penalties._pieces import PIECE, converted, library_of, pieces


class Separable(Elementary):
    """A penalty that is a sum over elements of a function of each."""

    in_pieces: ClassVar[bool] = True

    times: ClassVar[float] = 1.0
    """What `slope_of` leaves out: a constant, to be multiplied with others."""

    @abstractmethod
    def element(self, xp: Namespace, x: Array) -> Array:
        """Return the function of each element, 0 at 0."""

    @abstractmethod
    def element_slope(self, xp: Namespace, x: Array) -> Array:
        """Return its derivative."""

    def sum_of(self, library: Any, x: Array, scratch: Array | None) -> Array:
        """Return the sum of the function over a piece of an array.

        Args:
            library: NumPy or PyTorch.
            x: of one dimension, in the precision to accumulate in; nothing differentiates it.
            scratch: as long as `x` and of its type, to be written, if there is any.
        """
        return library.sum(self.element(library, x))

    def slope_of(self, library: Any, x: Array, out: Array) -> Array:
        """Return the derivative at a piece of an array, less `times`; `out` may be written."""
        return self.element_slope(library, x)

    def sum_and_slope(self, library: Any, x: Array, scratch: Array) -> tuple[Array, Array]:
        """Return both for a piece of an array; the derivative may be written into `scratch`."""
        return self.sum_of(library, x, scratch), self.slope_of(library, x, scratch)

    def measure(self, x: Array, frame: Frame) -> tuple[Array, tuple[Array, ...]]:
        return frame.xp.sum(self.element(frame.xp, x)), ()

    def pullback(self, x: Array, kept: tuple[Array, ...], cotangent: Array, frame: Frame) -> Array:
        return cotangent * self.element_slope(frame.xp, x)

    def value(self, statistic: Array, tally: Tally, xp: Namespace) -> Array:
        return per(xp, statistic, tally)

    def derivative(self, statistic: Array, tally: Tally, xp: Namespace) -> Array:
        return per(xp, xp.ones_like(statistic), tally)

    def constant(self, tally: float | None) -> float:
        """Return the derivative of the value with respect to the sum, which has no mask."""
        return 1.0 if tally is None else 1 / max(tally, 1)

    def sum_in_pieces(self, x: Array) -> Array:
        """Return the statistic of an array that comes in pieces, or would if it were larger."""
        library = library_of(x)
        if size_of(x) <= PIECE and library.finfo(x.dtype).bits >= 32:
            return self.sum_of(library, x.reshape(-1), None)
        return _total(library, [self.sum_of(library, *of) for of in _wide_pieces(library, x)])

    def slope_in_pieces(self, x: Array, cotangent: Array, dtype: Any) -> Array:
        """Return the gradient of (statistic · cotangent), of the type `dtype`."""
        library = library_of(x)
        gradient = library.empty_like(x, dtype=dtype)
        factor = cotangent * self.times
        at_once = x.dtype == dtype == cotangent.dtype
        for piece, into in zip(pieces(x), pieces(gradient), strict=True):
            wide = piece if at_once else converted(piece, cotangent.dtype)
            out = into if at_once else library.empty_like(wide)
            library.multiply(self.slope_of(library, wide, out), factor, out=out)
            if not at_once:
                into[...] = out
        return gradient

    def add_in_pieces(self, x: Array, grads: Array, factor: float) -> Array:
        """Add the slope of `x`, times `factor`, into `grads`; return the statistic of `x`."""
        library, sums = library_of(x), []
        for (piece, scratch), into in zip(_wide_pieces(library, x), pieces(grads), strict=True):
            part, slope = self.sum_and_slope(library, piece, scratch)
            _add(into, slope, factor * self.times, scratch)
            sums.append(part)
        return _total(library, sums)


def _wide_pieces(library: Any, x: Array) -> Iterator[tuple[Array, Array]]:
    """Yield the pieces of `x` in the precision to accumulate in, each with room to write."""
    dtype = x.dtype if library.finfo(x.dtype).bits >= 32 else library.float32
    scratch = None
    for piece in pieces(x):
        wide = converted(piece, dtype)
        if scratch is None:
            scratch = library.empty_like(wide)
        yield wide, scratch[: len(wide)]


def _add(into: Array, slope: Array, factor: float, scratch: Array) -> None:
    """Add a slope, times a factor, into a piece."""
    if array_api_compat.is_torch_array(into):
        into.add_(slope, alpha=factor)  # in the type of `into`
        return
    slope = library_of(slope).multiply(slope, factor, out=scratch)
    into += converted(slope, into.dtype)


def _total(library: Any, parts: list[Array]) -> Array:
    """Return the sum, which the library takes in pairs: one after the other would be coarser."""
    return library.sum(library.stack(parts))
