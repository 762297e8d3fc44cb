"""The value and the gradient of a sum of formulas, each with its strength.

Large plain arrays are read by the kernels of their formulas, where every formula has one that can.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, TypeAlias

from regularizers.penalties._devices import Devices
from regularizers.penalties._formula import Formula
from regularizers.penalties.arrays import (
    Array,
    Denominator,
    Frame,
    Namespace,
    add_in_place,
    cast,
    is_wide,
    one_over,
    size_of,
    widen,
)
from regularizers.penalties.kernels import Kernel, is_large, kernel_of

Terms: TypeAlias = Sequence[tuple[Formula, float]]
"""Formulas with their strengths."""


def value(
    terms: Terms, xp: Namespace, x: Array, mask: Array | None, devices: Devices | None = None
) -> Array:
    """Return the sum of the penalties of `x`, a scalar that the array's library differentiates.

    With `devices` it is that of the batch of which each of them holds a part.
    """
    if devices is None and (kernels := _kernels(terms, mask, x)):
        return _total(
            strength * term.value(kernel.read(x), _denominator(term, xp, x), xp)
            for (term, strength), kernel in zip(terms, kernels, strict=True)
        )
    wide = widen(xp, x)
    if size_of(x) == 0:
        return xp.sum(wide)
    values = []
    for term, strength, r in _read(terms, xp, wide, mask):
        statistic, denominator = r.statistic, r.denominator
        if devices is not None:
            statistic, denominator = devices.joined(term, statistic, denominator, xp)
        values.append(strength * term.value(statistic, denominator, xp))
    return _total(values)


def value_and_gradient(
    terms: Terms, xp: Namespace, x: Array, mask: Array | None
) -> tuple[Array, Array]:
    """Return the sum of the penalties of `x`, and its gradient of the shape and type of `x`."""
    if is_wide(xp, x) and (kernels := _kernels(terms, mask, x)):
        gradient = xp.zeros_like(x)
        return _add(terms, kernels, xp, x, gradient), gradient
    total, slope = _value_and_slope(terms, xp, x, mask)
    return total, cast(slope, x.dtype)


def add_gradient(terms: Terms, xp: Namespace, x: Array, grads: Array, mask: Array | None) -> Array:
    """Add the gradient of the penalties of `x` into `grads`; return the sum of the penalties."""
    if kernels := _kernels(terms, mask, x, grads):
        return _add(terms, kernels, xp, x, grads)
    total, slope = _value_and_slope(terms, xp, x, mask)
    add_in_place(grads, slope)
    return total


def _kernels(terms: Terms, mask: Array | None, x: Array, *written: Array) -> list[Kernel]:
    """Return a kernel for each formula; none unless all are there and the array is large."""
    if mask is not None or not is_large(x):
        return []
    kernels = [kernel_of(term) for term, _ in terms]
    found = [kernel for kernel in kernels if kernel is not None and kernel.fits(x, *written)]
    return found if len(found) == len(terms) else []


def _add(terms: Terms, kernels: Sequence[Kernel], xp: Namespace, x: Array, grads: Array) -> Array:
    values = []
    for (term, strength), kernel in zip(terms, kernels, strict=True):
        denominator = _denominator(term, xp, x)
        statistic = kernel.add(x, grads, strength * one_over(denominator))
        values.append(strength * term.value(statistic, denominator, xp))
    return _total(values)


def _denominator(term: Formula, xp: Namespace, x: Array) -> Denominator:
    return term.denominator(term.frame(xp, x, None))


def _value_and_slope(
    terms: Terms, xp: Namespace, x: Array, mask: Array | None
) -> tuple[Array, Array]:
    """Return the penalties and their gradient in the precision they were accumulated in."""
    wide = widen(xp, x)
    if size_of(x) == 0:
        return xp.sum(wide), xp.zeros_like(wide)
    values, slopes = [], []
    for term, strength, r in _read(terms, xp, wide, mask):
        values.append(strength * term.value(r.statistic, r.denominator, xp))
        cotangent = strength * term.derivative(r.statistic, r.denominator, xp)
        slopes.append(r.frame.select(term.pullback(r.x, r.saved, cotangent, r.frame)))
    return _total(values), _total(slopes)


class _Read(NamedTuple):
    """One array as one formula reads it."""

    x: Array
    frame: Frame
    denominator: Denominator
    statistic: Array
    saved: tuple[Array, ...]


def _read(
    terms: Terms, xp: Namespace, x: Array, mask: Array | None
) -> Iterator[tuple[Formula, float, _Read]]:
    for term, strength in terms:
        frame = term.frame(xp, x, mask)
        x_valid = frame.select(x)
        read = _Read(x_valid, frame, term.denominator(frame), *term.statistic(x_valid, frame))
        yield term, strength, read


def _total(parts: Iterable[Array]) -> Array:
    return functools.reduce(operator.add, parts)
