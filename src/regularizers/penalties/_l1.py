"""The sum of absolute values."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from regularizers.penalties._elementwise import ElementwiseTerm
from regularizers.penalties._formula import Saves
from regularizers.penalties._shrinkage import Stage, Step, shrink_elements
from regularizers.penalties.arrays import Array, Frame, Namespace, divide, sum_of
from regularizers.penalties.kernels import KERNELS, AbsoluteKernel


@dataclass(frozen=True, repr=False)
class L1(ElementwiseTerm):
    r"""Absolute values: zeros cost nothing, and every other element is pulled alike.

    .. math:: p(x) = s \sum_i |x_i|, \qquad \frac{\partial p}{\partial x_i} = s\,\mathrm{sign}(x_i),
        \quad \mathrm{sign}(0) = 0

    Args:
        strength: s, finite and not negative; a number, a schedule or a target.
        reduce: `"sum"` over all elements; `"batch_mean"`, the sum over units averaged over
            samples; `"mean"` over all elements. None: a sum on arrays and weights, `"batch_mean"`
            at activity sites.
        batch_axis: the axis of samples, or several. None: 0, or what a module says of its output.

    Example:
        >>> import numpy as np
        >>> import regularizers as rz
        >>> l1 = rz.L1(0.1)
        >>> float(l1(np.array([1.0, -2.0, 3.0])))
        0.6000000000000001
        >>> l1.gradient(np.array([1.0, -2.0, 0.0]))
        array([ 0.1, -0.1,  0. ])

    Source: Tibshirani, "Regression shrinkage and selection via the lasso", 1996.
    """

    saves: ClassVar[Saves] = "sign"

    stage: ClassVar[Stage | None] = "elements"

    def element(self, xp: Namespace, x: Array) -> Array:
        # unlike abs, its derivative at 0 is 0 in every library: half of 1 and half of -1
        return xp.maximum(x, -x)

    def total(self, xp: Namespace, x: Array) -> Array:
        return sum_of(xp, partial(self.element, xp), x)

    def element_slope(self, xp: Namespace, x: Array) -> Array:
        return xp.sign(x)

    def proximal_step(
        self, x: Array, step: Step, strength: float, frame: Frame
    ) -> tuple[Array, Step]:
        return shrink_elements(frame.xp, x, step * divide(frame.xp, strength, frame.count)), step


KERNELS[L1] = AbsoluteKernel
