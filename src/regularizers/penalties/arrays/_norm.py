"""Euclidean norms that neither vanish nor overflow."""

from __future__ import annotations

from regularizers.penalties.arrays._arrays import Array, Namespace


def scaled_norm(xp: Namespace, x: Array, axes: tuple[int, ...] | None) -> tuple[Array, Array]:
    """Return the norm of `x · scale` over `axes` (None: all), kept as ones, and the scale."""
    scale = safe_scale(xp, xp.max(xp.abs(x), axis=axes, keepdims=True))
    scaled = x * scale
    return root(xp, xp.sum(scaled * scaled, axis=axes, keepdims=True)), scale


def root(xp: Namespace, x: Array) -> Array:
    """Return the square root, whose derivative at 0 is 0 here."""
    # the derivative at 0 is infinite, so the root of 1 takes its place
    zero, one = xp.zeros_like(x), xp.ones_like(x)
    return xp.where(x == 0, zero, xp.sqrt(xp.where(x == 0, one, x)))


def safe_scale(xp: Namespace, largest: Array) -> Array:
    """Return the power of two by which the squares neither vanish nor overflow.

    One of three is chosen by comparison, so the choice is exact and has no derivative. Between
    `low` and `high`, squares of elements 2⁻²⁴ (2⁻⁵³) as large still count, and 2³¹ of the largest
    can be added.
    """
    low, high, power = (
        (2.0**-50, 2.0**48, 2.0**98)
        if xp.finfo(largest.dtype).bits == 32
        else (2.0**-474, 2.0**490, 2.0**600)
    )
    one = xp.ones_like(largest)
    return xp.where(largest < low, one * power, xp.where(largest > high, one / power, one))


def nonzero(xp: Namespace, x: Array) -> Array:
    """Return `x` with 1 in place of 0, to divide by."""
    return xp.where(x == 0, xp.ones_like(x), x)
