"""Penalties of arrays that come in pieces: value, and gradient added in place, in one reading."""

from __future__ import annotations

import functools
import operator
from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeGuard

from regularizers.penalties._arrays import Array, Namespace
from regularizers.penalties._pieces import come_in_pieces

if TYPE_CHECKING:
    from regularizers.penalties._elementary import Elementary
    from regularizers.penalties._separable import Separable

Charged = Sequence[tuple["Elementary", float]]
"""Elementary penalties, each with its strength."""

ChargedPiecewise = Sequence[tuple["Separable", float]]


def goes_piecewise(
    terms: Charged, mask: Array | None, *arrays: Array
) -> TypeGuard[ChargedPiecewise]:
    """Return whether the penalties of an array can be read, or added elsewhere, piece by piece."""
    return (
        mask is None
        and all(term.in_pieces for term, _ in terms)
        and all(come_in_pieces(array) for array in arrays)
    )


def value(terms: ChargedPiecewise, xp: Namespace, x: Array) -> Array:
    """Return the sum of the penalties of `x`."""
    values = []
    for term, strength in terms:
        tally = term.tally(term.frame(xp, x, None))
        values.append(strength * term.value(term.sum_in_pieces(x), tally, xp))
    return functools.reduce(operator.add, values)


def add(terms: ChargedPiecewise, xp: Namespace, x: Array, grads: Array) -> Array:
    """Add the gradients of the penalties of `x` into `grads`; return the sum of the penalties."""
    values = []
    for term, strength in terms:
        tally = term.tally(term.frame(xp, x, None))
        total = term.add_in_pieces(x, grads, strength * term.constant(tally))
        values.append(strength * term.value(total, tally, xp))
    return functools.reduce(operator.add, values)
