"""Sparsity that does not depend on scale."""

from __future__ import annotations

from dataclasses import dataclass

from regularizers.penalties._term import Term
from regularizers.penalties.arrays import (
    Array,
    Denominator,
    Frame,
    Namespace,
    divide,
    nonzero,
    root,
    scaled_norm,
)


@dataclass(frozen=True, repr=False)
class Hoyer(Term):
    r"""The squared ratio of two norms: how many elements share the size of an array.

    .. math:: p(x) = s\,\frac{\left(\sum_i |x_i|\right)^2}{\sum_i x_i^2}, \qquad
        \frac{\partial p}{\partial x_i} = \frac{2 s \|x\|_1}{\|x\|_2^2}
        \left(\mathrm{sign}(x_i) - \frac{\|x\|_1}{\|x\|_2^2}\,x_i\right)

    Between s, where one element is not zero, and s·n, where all n are as large as each other. It is
    sparsity without a scale to evade: to halve every element, which halves `L1`, changes nothing
    here, and the gradient is orthogonal to x. An array of zeros has the penalty 0 and no gradient,
    and so has a sample of zeros.

    The metric `monitor.HoyerSparsity` is another function of the same ratio h: (√n − √h)/(√n − 1),
    from 0 where all elements are alike to 1 where one is not zero. The penalty falls where the
    metric rises.

    Very small and very large elements are scaled by a power of two first, so that no square
    vanishes or overflows.

    Args:
        strength: s, finite and not negative; a number, a schedule or a target.
        reduce: `"sum"`, the ratio of the whole array; `"batch_mean"`, the mean over samples of each
            sample's ratio; `"mean"`, the ratio of the whole array divided by its number of
            elements, between 0 and 1. None: `"sum"` on arrays and weights, `"batch_mean"` at
            activity sites.
        batch_axis: the axis of samples, or several. None: 0, or what a module says of its output.

    Example:
        >>> import numpy as np
        >>> import regularizers as rz
        >>> hoyer = rz.Hoyer(1.0)
        >>> float(hoyer(np.array([5.0, 0.0, 0.0]))), float(hoyer(np.array([2.0, -2.0, 2.0, 2.0])))
        (1.0, 4.0)
        >>> hoyer.gradient(np.array([4.0, 2.0, 0.0]))
        array([-0.12,  0.24,  0.  ])

    Source: Yang, Wen and Li, "DeepHoyer: learning sparser neural network with differentiable
    scale-invariant sparsity measures", 2020, `arXiv:1908.09979
    <https://arxiv.org/abs/1908.09979>`__: the squared Hoyer regularizer.
    """

    def statistic(self, x: Array, frame: Frame) -> tuple[Array, tuple[Array, ...]]:
        xp = frame.xp
        within = frame.units if frame.reduce == "batch_mean" else None
        norm, scale = scaled_norm(xp, x, within)
        # unlike abs, its derivative at 0 is 0 in every library
        total = xp.sum(xp.maximum(x, -x) * scale, axis=within, keepdims=True)
        saved = (total, norm, scale)
        if frame.reduce == "batch_mean":
            return xp.sum(_squared_ratio(xp, total, norm)), saved
        # a sum of one element: parts of a sharded array have none to reshape
        return xp.stack([xp.sum(part) for part in saved]), saved

    def pullback(self, x: Array, saved: tuple[Array, ...], cotangent: Array, frame: Frame) -> Array:
        xp, (total, norm, scale) = frame.xp, saved
        norm = nonzero(xp, norm)
        if frame.reduce == "batch_mean":
            of_total, of_norm = _slopes(xp, total, norm)
            of_total, of_norm = cotangent * of_total, cotangent * of_norm
        else:
            of_total, of_norm = cotangent[0], cotangent[1]
        return scale * (of_total * xp.sign(x) + of_norm * (x * scale / norm))

    def spans_samples(self, statistic: Array) -> bool:
        # of ratios within samples there is a sum, a scalar
        return len(statistic.shape) > 0

    def value(self, statistic: Array, denominator: Denominator, xp: Namespace) -> Array:
        if self.spans_samples(statistic):
            statistic = _squared_ratio(xp, statistic[0], statistic[1])
        return divide(xp, statistic, denominator)

    def derivative(self, statistic: Array, denominator: Denominator, xp: Namespace) -> Array:
        if not self.spans_samples(statistic):
            return divide(xp, xp.ones_like(statistic), denominator)
        slopes = _slopes(xp, statistic[0], statistic[1])
        # the scale that both norms have does not change their ratio
        each = [xp.reshape(part, (1,)) for part in (*slopes, xp.zeros_like(statistic[2]))]
        return divide(xp, xp.concat(each), denominator)

    def to_sum(self, statistic: Array, xp: Namespace) -> Array:
        # Σ|x| and Σx² add up, and need the range of float64
        if not self.spans_samples(statistic):
            return statistic
        wide = xp.astype(statistic, xp.float64)
        total, norm, scale = wide[0:1], wide[1:2], wide[2:3]
        return xp.concat([total / scale, (norm / scale) ** 2])

    def from_sum(self, total: Array, xp: Namespace) -> Array:
        if not self.spans_samples(total):
            return total
        ratio = total[0:1] / nonzero(xp, root(xp, total[1:2]))
        one = xp.ones_like(ratio)
        return xp.concat([ratio, one, one])


def _squared_ratio(xp: Namespace, total: Array, norm: Array) -> Array:
    """Return (‖x‖₁ / ‖x‖₂)², 0 where both are 0."""
    return (total / nonzero(xp, norm)) ** 2


def _slopes(xp: Namespace, total: Array, norm: Array) -> tuple[Array, Array]:
    """Return the derivatives of the squared ratio with respect to both norms."""
    norm = nonzero(xp, norm)
    ratio = total / norm
    return 2 * ratio / norm, -2 * ratio * ratio / norm
