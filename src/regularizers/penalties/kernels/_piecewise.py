"""Penalties of arrays that come in pieces: value, and gradient added in place, in one reading."""

from __future__ import annotations

import functools
import operator
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeGuard

from regularizers.penalties.arrays import Array, Frame, Namespace, Tally
from regularizers.penalties.kernels._pieces import is_large

if TYPE_CHECKING:
    from regularizers.penalties._elementary import Elementary

Charged = Sequence[tuple["Elementary", float]]
"""Elementary penalties, each with its strength."""


class Piecewise(Protocol):
    """An elementary penalty that takes arrays piece by piece, where they lie so that it can."""

    def sum_in_pieces(self, x: Array, signs: Array | None = None) -> Array:
        """Return the statistic of `x`; write its signs, where there is room for them."""

    def slope_in_pieces(self, x: Array, cotangent: Array, dtype: Any) -> Array:
        """Return the gradient of (statistic · cotangent), of the type `dtype`."""

    def add_in_pieces(self, x: Array, grads: Array, factor: float) -> Array:
        """Add the derivative of the statistic, times `factor`, into `grads`; return it of `x`."""

    def constant(self, tally: float | None) -> float:
        """Return the derivative of the value with respect to the statistic, without a mask."""

    def frame(self, xp: Namespace, x: Array, mask: Array | None) -> Frame:
        """Return how elements become one number."""

    def tally(self, frame: Frame) -> Any:
        """Return what the statistic is divided by."""

    def value(self, statistic: Array, tally: Tally, xp: Namespace) -> Array:
        """Return the penalty."""


ChargedPiecewise = Sequence[tuple[Piecewise, float]]


def lies_in_pieces(term: Elementary, x: Array) -> TypeGuard[Piecewise]:
    """Return whether a penalty can take an array of any size piece by piece."""
    return term.lies_in_pieces(x)


def goes_piecewise(
    terms: Charged, mask: Array | None, x: Array, *written: Array
) -> TypeGuard[ChargedPiecewise]:
    """Return whether the penalties of an array are better read, or added elsewhere, in pieces."""
    return (
        mask is None and is_large(x) and all(term.lies_in_pieces(x, *written) for term, _ in terms)
    )


def value_piecewise(terms: ChargedPiecewise, xp: Namespace, x: Array) -> Array:
    """Return the sum of the penalties of `x`."""
    values = []
    for term, strength in terms:
        tally = term.tally(term.frame(xp, x, None))
        values.append(strength * term.value(term.sum_in_pieces(x), tally, xp))
    return functools.reduce(operator.add, values)


def add_piecewise(terms: ChargedPiecewise, xp: Namespace, x: Array, grads: Array) -> Array:
    """Add the gradients of the penalties of `x` into `grads`; return the sum of the penalties."""
    values = []
    for term, strength in terms:
        tally = term.tally(term.frame(xp, x, None))
        total = term.add_in_pieces(x, grads, strength * term.constant(tally))
        values.append(strength * term.value(total, tally, xp))
    return functools.reduce(operator.add, values)
