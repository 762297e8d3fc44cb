"""The number of open gates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from regularizers.penalties._elementwise import ElementwiseTerm
from regularizers.penalties._formula import Saves
from regularizers.penalties.arrays import Array, Frame, Namespace


@dataclass(frozen=True, repr=False)
class L0(ElementwiseTerm):
    r"""How many gates are open: the sum of their outputs, which are 0 or 1.

    .. math:: p(g) = s \sum_i g_i, \qquad \frac{\partial p}{\partial g_i} = s,
        \ \text{at zeros, too}

    The slope is one everywhere, so that a closed gate near its threshold is pulled as an open one
    is. The gate makes of it the gradient of its thresholds: `layers.JumpReLU` has such a gate, as
    has any module that returns 0 or 1 and states the window of its gradient,
    `pseudo_gradient_window(z)`. Elsewhere a slope of one would be that of no count: a rule at
    another module, or of weights, is refused.

    Values are not read. Of an array of other numbers than 0 and 1 it is the sum, signs included.

    Args:
        strength: s, finite and not negative; a number, a schedule or a target.
        reduce: `"sum"` over all elements; `"batch_mean"`, the sum over units averaged over
            samples; `"mean"` over all elements. None: a sum on arrays, `"batch_mean"` at activity
            sites.
        batch_axis: the axis of samples, or several. None: 0, or what a module says of its output.

    Example:
        >>> import numpy as np
        >>> import regularizers as rz
        >>> l0 = rz.L0(0.1, reduce="batch_mean")
        >>> gates = np.array([[1.0, 0.0, 1.0], [0.0, 0.0, 1.0]])
        >>> float(l0(gates)), float(l0.gradient(gates)[1, 0])
        (0.15000000000000002, 0.05)

    Source: Rajamanoharan et al., "Jumping ahead: improving reconstruction fidelity with JumpReLU
    sparse autoencoders", 2024, `arXiv:2407.14435 <https://arxiv.org/abs/2407.14435>`__.
    """

    saves: ClassVar[Saves] = "nothing"

    sums_elements: ClassVar[bool] = True

    @property
    def for_gates_only(self) -> bool:
        return True

    def element(self, xp: Namespace, x: Array) -> Array:
        return x

    def element_slope(self, xp: Namespace, x: Array) -> Array:
        return xp.ones_like(x)

    statistic = ElementwiseTerm.statistic

    def pullback(self, x: Array, saved: tuple[Array, ...], cotangent: Array, frame: Frame) -> Array:
        return frame.xp.broadcast_to(cotangent, frame.shape)
