"""Proximal steps that shrink elements or blocks."""

from __future__ import annotations

from typing import Literal, TypeAlias

from regularizers.penalties.arrays import Array, Namespace, nonzero, safe_scale, scaled_norm

Step: TypeAlias = float | Array
"""The size of a step: one number, or one for each element."""

Stage: TypeAlias = Literal["squares", "elements", "blocks"]
"""The unit that a proximal step acts on."""

_ITERATIONS = 10
"""Enough for 1e-12 of the norm: thousands of random and hard blocks, with steps over 16 decades,
needed no more, and most needed half."""

_FAR = 16.0
"""Above this ratio of the bounds of a root, the search starts between them."""


def shrink_elements(xp: Namespace, x: Array, threshold: Step) -> Array:
    r"""Return each element moved towards 0 by its threshold, and 0 where it would cross.

    .. math:: w_i = \mathrm{sign}(x_i) \max(|x_i| - t_i, 0)
    """
    # x - x is exactly +0
    return x - xp.clip(x, -threshold, threshold)


def shrink_blocks(xp: Namespace, x: Array, threshold: Step, axes: tuple[int, ...] | None) -> Array:
    r"""Return each block moved towards 0, its direction kept if its thresholds are all alike.

    .. math:: w = \left(1 - \frac{t}{\|x\|}\right)_+ x, \qquad
        w_i = \frac{c\, x_i}{c + t_i} \ \text{with}\ c = \|w\| \ \text{if they are not}

    Args:
        xp: the namespace of `x`.
        x: the array.
        threshold: t, a number or an array that broadcasts to `x`.
        axes: those that a block extends over; None for all.
    """
    if _is_alike(x, threshold, axes):
        norm, scale = scaled_norm(xp, x, axes)
        norm = norm / scale
        kept = 1 - threshold / nonzero(xp, norm)
        return xp.where(norm <= threshold, xp.zeros_like(x), x * kept)
    scale = safe_scale(xp, xp.max(xp.abs(x), axis=axes, keepdims=True))
    threshold = threshold * scale
    # an element whose threshold is 0 stays as it is, and is never divided by 0
    least = xp.finfo(x.dtype).smallest_normal
    threshold = xp.where(threshold == 0, xp.zeros_like(threshold) + least, threshold)
    size = _size_of_shrunk(xp, xp.abs(x * scale), threshold, axes)
    return xp.where(size == 0, xp.zeros_like(x), x * (size / (size + threshold)))


def _is_alike(x: Array, threshold: Step, axes: tuple[int, ...] | None) -> bool:
    """Return whether the shape of the thresholds says that a block has only one."""
    shape = getattr(threshold, "shape", ())
    missing = len(x.shape) - len(shape)
    within = range(len(x.shape)) if axes is None else axes
    return {shape[axis - missing] for axis in within if axis >= missing} <= {1}


def _size_of_shrunk(
    xp: Namespace, x: Array, threshold: Array, axes: tuple[int, ...] | None
) -> Array:
    r"""Return c, at which the block has the norm that its elements are shrunk by.

    .. math:: f(c) = 1 \Big/ \left\|\frac{x}{c + t}\right\| - 1 = 0, \qquad c = 0 \iff f(0) \ge 0

    f is concave and increasing (a power mean of exponent -2 is), so that a step of Newton's method
    never goes beyond the root, wherever it starts from. Where the root may still be far, it starts
    from between the bounds. No quotient exceeds 1 at the first of them.
    """
    margin = xp.max(x - threshold, axis=axes, keepdims=True)
    low = xp.where(margin < 0, xp.zeros_like(margin), margin)
    high = xp.sqrt(xp.sum(x * x, axis=axes, keepdims=True))
    size = low
    for _ in range(_ITERATIONS):
        divisor = size + threshold
        quotient = x / divisor
        square = quotient * quotient
        norm = xp.sqrt(xp.sum(square, axis=axes, keepdims=True))
        slope = nonzero(xp, xp.sum(square / divisor, axis=axes, keepdims=True))
        newton = size + norm * norm * (norm - 1) / slope
        low = xp.where(newton > low, newton, low)
        high = xp.where(norm < 1, size, high)
        low = xp.where(low > high, high, low)
        size = xp.where(high > _FAR * low, xp.sqrt(low) * xp.sqrt(high), low)
    return low
