"""Absolute values and squares together."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Self

from regularizers.penalties._formula import Formula
from regularizers.penalties._l1 import L1
from regularizers.penalties._l2 import L2Squared
from regularizers.penalties._penalty import Reduced
from regularizers.penalties.strength import StrengthLike, as_strength, scales


@dataclass(frozen=True, repr=False)
class L1L2(Reduced):
    r"""Absolute values and squares, each with its own strength: the elastic net.

    .. math:: p(x) = s_1 \sum_i |x_i| + s_2 \sum_i x_i^2, \qquad
        \frac{\partial p}{\partial x_i} = s_1\,\mathrm{sign}(x_i) + 2 s_2\, x_i

    Args:
        l1: s₁, finite and not negative; a number, a schedule or a target.
        l2: s₂, finite and not negative; a number, a schedule or a target.
        reduce: of both: `"sum"` over all elements; `"batch_mean"`, the sum over units averaged over
            samples; `"mean"` over all elements. None: a sum on arrays and weights, `"batch_mean"`
            at activity sites.
        batch_axis: the axis of samples, or several. None: 0, or what a module says of its output.

    Example:
        >>> import numpy as np
        >>> import regularizers as rz
        >>> float(rz.L1L2(0.5, 0.25)(np.array([1.0, -2.0])))
        2.75

    Source: Zou and Hastie, "Regularization and variable selection via the elastic net", 2005.
    """

    l1: StrengthLike
    l2: StrengthLike

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "l1", as_strength(self.l1, "l1"))
        object.__setattr__(self, "l2", as_strength(self.l2, "l2"))

    @property
    def terms(self) -> tuple[Formula, ...]:
        reading = {"reduce": self.reduce, "batch_axis": self.batch_axis}
        return L1(self.l1, **reading), L2Squared(self.l2, **reading)  # type: ignore[arg-type]

    def __mul__(self, factor: float) -> Self:
        if not scales(factor):
            return NotImplemented
        l1, l2 = as_strength(self.l1), as_strength(self.l2)
        return dataclasses.replace(self, l1=l1 * factor, l2=l2 * factor)
