"""The Euclidean norm, and its square: two penalties, never one called L2."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from regularizers.penalties._block_norms import Blocks
from regularizers.penalties._elementwise import ElementwiseTerm
from regularizers.penalties._shrinkage import Stage, Step
from regularizers.penalties.arrays import Array, Denominator, Frame, Namespace, divide
from regularizers.penalties.kernels import KERNELS, SquaresKernel


@dataclass(frozen=True, repr=False)
class L2Squared(ElementwiseTerm):
    r"""The sum of squares, without a factor ½: large elements cost most.

    .. math:: p(x) = s \sum_i x_i^2, \qquad \frac{\partial p}{\partial x_i} = 2 s\, x_i

    Weight decay λ of SGD, which adds λw to the gradient, is `L2Squared(λ / 2)`.

    Args:
        strength: s, finite and not negative; a number, a schedule or a target.
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

    stage: ClassVar[Stage | None] = "squares"

    def element(self, xp: Namespace, x: Array) -> Array:
        return x * x

    def element_slope(self, xp: Namespace, x: Array) -> Array:
        return 2 * x

    def proximal_step(
        self, x: Array, step: Step, strength: float, frame: Frame
    ) -> tuple[Array, Step]:
        factor = 1 + 2 * (step * divide(frame.xp, strength, frame.count))
        return x / factor, step / factor


KERNELS[L2Squared] = SquaresKernel


@dataclass(frozen=True, repr=False)
class L2Norm(Blocks):
    r"""The norm itself, the root of the sum of squares: it pulls with one force at any size.

    .. math:: p(x) = s \sqrt{\textstyle\sum_i x_i^2} = s\,\|x\|, \qquad
        \frac{\partial p}{\partial x_i} = s\,\frac{x_i}{\|x\|}, \quad 0 \text{ where } \|x\| = 0

    The norm is computed on the array divided by its largest element, so that it is right however
    small or large it is.

    Args:
        strength: s, finite and not negative; a number, a schedule or a target.
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

    stage: ClassVar[Stage | None] = "blocks"

    proximal_step, to_sum, from_sum = Blocks.proximal_step, Blocks.to_sum, Blocks.from_sum

    def within(self, frame: Frame) -> tuple[int, ...] | None:
        return frame.units if frame.reduce == "batch_mean" else None

    def gathered(self, norms: Array, frame: Frame) -> Array:
        return frame.xp.sum(norms)

    def weight(self, frame: Frame) -> float:
        return 1.0

    def squared_slope(self, saved: tuple[Array, ...], xp: Namespace) -> Array:
        # the slope of a norm is a vector of length 1, or 0 at the origin
        return xp.sum(xp.astype(saved[0] != 0, xp.float64))

    def spans_samples(self, statistic: Array) -> bool:
        return self.reduce != "batch_mean"

    def value(self, statistic: Array, denominator: Denominator, xp: Namespace) -> Array:
        return divide(xp, statistic, self._divisor(denominator))

    def derivative(self, statistic: Array, denominator: Denominator, xp: Namespace) -> Array:
        return divide(xp, xp.ones_like(statistic), self._divisor(denominator))

    def divisor(self, frame: Frame) -> Denominator:
        return self._divisor(frame.count)

    def _divisor(self, denominator: Denominator) -> Denominator:
        """Return the divisor of the norm: of a root mean square, the root of the count."""
        return denominator if self.reduce != "mean" or denominator is None else denominator**0.5
