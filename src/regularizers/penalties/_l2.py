"""The Euclidean norm, and its square: two penalties, never one called L2."""

from __future__ import annotations

from dataclasses import dataclass

from regularizers.penalties._arrays import Array, Namespace
from regularizers.penalties._elementary import Elementary, Separable
from regularizers.penalties._frame import Frame, Tally, per


@dataclass(frozen=True, repr=False)
class L2Squared(Separable):
    r"""The sum of squares, without a factor ½: large elements cost most.

    .. math:: p(x) = s \sum_i x_i^2, \qquad \frac{\partial p}{\partial x_i} = 2 s\, x_i

    Weight decay λ of SGD, which adds λw to the gradient, is `L2Squared(λ / 2)`.

    Args:
        strength: s, finite and not negative.
        reduce: `"sum"` over all elements; `"batch_mean"`, the sum over units averaged over
            samples; `"mean"` over all elements. None: a sum on arrays and weights, `"batch_mean"`
            at activity sites.
        batch_axis: the axis of samples, or several. None: 0, or what a module says of its output.

    Example:
        >>> import numpy as np
        >>> import regularizers as rz
        >>> float(rz.L2Squared(0.1)(np.array([1.0, 2.0, 3.0])))
        1.4000000000000001
        >>> rz.L2Squared(0.1).gradient(np.array([2.0, 3.0]))
        array([0.4, 0.6])

    Source: Hoerl and Kennard, "Ridge regression", 1970; Keras calls it L2.
    """

    @staticmethod
    def element(xp: Namespace, x: Array) -> Array:
        return x * x

    @staticmethod
    def element_slope(xp: Namespace, x: Array) -> Array:
        return 2 * x


@dataclass(frozen=True, repr=False)
class L2Norm(Elementary):
    r"""The norm itself, the root of the sum of squares: it pulls with one force at any size.

    .. math:: p(x) = s \sqrt{\textstyle\sum_i x_i^2} = s\,\|x\|, \qquad
        \frac{\partial p}{\partial x_i} = s\,\frac{x_i}{\|x\|}, \quad 0 \text{ where } \|x\| = 0

    The norm is computed on the array divided by its largest element, so that it is right however
    small or large it is.

    Args:
        strength: s, finite and not negative.
        reduce: `"sum"`, the norm of the whole array; `"batch_mean"`, the mean over samples of each
            sample's norm; `"mean"`, the root mean square. None: `"sum"` on arrays and weights,
            `"batch_mean"` at activity sites.
        batch_axis: the axis of samples, or several. None: 0, or what a module says of its output.

    Example:
        >>> import numpy as np
        >>> import regularizers as rz
        >>> float(rz.L2Norm(0.1)(np.array([3.0, 4.0])))
        0.5
        >>> rz.L2Norm(0.1).gradient(np.array([3.0, 4.0]))
        array([0.06, 0.08])
    """

    def measure(self, x: Array, frame: Frame) -> tuple[Array, tuple[Array, ...]]:
        xp = frame.xp
        axes = frame.units if frame.reduce == "batch_mean" else None
        scale = _safe_scale(xp.max(xp.abs(x), axis=axes, keepdims=True), frame)
        scaled = x * scale
        squares = xp.sum(scaled * scaled, axis=axes, keepdims=True)
        # the root is taken of 1 where the norm is 0, because its derivative at 0 is infinite
        zero, one = xp.zeros_like(squares), xp.ones_like(squares)
        norm = xp.where(squares == 0, zero, xp.sqrt(xp.where(squares == 0, one, squares)))
        return xp.sum(norm / scale), (norm, scale)

    def pullback(self, x: Array, kept: tuple[Array, ...], cotangent: Array, frame: Frame) -> Array:
        norm, scale = kept
        norm = frame.xp.where(norm == 0, frame.xp.ones_like(norm), norm)
        return cotangent * (x * scale / norm)

    def value(self, statistic: Array, tally: Tally, xp: Namespace) -> Array:
        return per(xp, statistic, self._divisor(tally))

    def derivative(self, statistic: Array, tally: Tally, xp: Namespace) -> Array:
        return per(xp, xp.ones_like(statistic), self._divisor(tally))

    @property
    def adds_over_units(self) -> bool:
        return False

    def to_sum(self, statistic: Array, xp: Namespace) -> Array:
        # norms of samples add up; of a norm of the whole, the squares do, which need the range
        return statistic if self.reduce == "batch_mean" else xp.astype(statistic, xp.float64) ** 2

    def from_sum(self, total: Array, xp: Namespace) -> Array:
        if self.reduce == "batch_mean":
            return total
        zero, one = xp.zeros_like(total), xp.ones_like(total)
        return xp.where(total == 0, zero, xp.sqrt(xp.where(total == 0, one, total)))

    def _divisor(self, tally: Tally) -> Tally:
        """Return the divisor of the norm: of a root mean square, the root of the count."""
        if self.reduce != "mean" or tally is None:
            return tally
        return max(tally, 1) ** 0.5 if isinstance(tally, int) else tally**0.5


def _safe_scale(largest: Array, frame: Frame) -> Array:
    """Return the power of two by which the squares neither vanish nor overflow.

    There are three to choose from by comparison, so the choice is exact and has no derivative.
    Between `low` and `high`, squares of elements 2⁻²⁴ (2⁻⁵³) as large still count, and 2³¹ of the
    largest can be added.
    """
    xp = frame.xp
    low, high, power = (
        (2.0**-50, 2.0**48, 2.0**98)
        if xp.finfo(frame.dtype).bits == 32
        else (2.0**-474, 2.0**490, 2.0**600)
    )
    one = xp.ones_like(largest)
    return xp.where(largest < low, one * power, xp.where(largest > high, one / power, one))
