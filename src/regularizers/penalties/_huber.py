"""Squares of small elements, absolute values of large ones."""

from __future__ import annotations

from dataclasses import dataclass

from regularizers.penalties._elementwise import ElementwiseTerm
from regularizers.penalties.arrays import Array, Namespace, check_positive


@dataclass(frozen=True, repr=False)
class Huber(ElementwiseTerm):
    r"""Half the square up to δ and a straight line beyond: no element is pulled harder than δ.

    .. math:: p(x) = s \sum_i h(x_i), \qquad h(x) = \begin{cases}
        \tfrac12 x^2 & |x| \le \delta \\ \delta\,(|x| - \tfrac12 \delta) & \text{beyond}
        \end{cases}

    .. math:: \frac{\partial p}{\partial x_i} = s\,\mathrm{clip}(x_i, -\delta, \delta)

    This is PyTorch's `huber_loss` against 0, with its ½: well within δ it is `L2Squared(s / 2)`,
    and for a small δ, divided by it, `L1(s)`.

    Args:
        strength: s, finite and not negative; a number, a schedule or a target.
        delta: δ, where the line begins; finite and above 0.
        reduce: `"sum"` over all elements; `"batch_mean"`, the sum over units averaged over
            samples; `"mean"` over all elements. None: a sum on arrays and weights, `"batch_mean"`
            at activity sites.
        batch_axis: the axis of samples, or several. None: 0, or what a module says of its output.

    Raises:
        ConfigurationError: a delta that is not finite, or not above 0.

    Example:
        >>> import numpy as np
        >>> import regularizers as rz
        >>> huber = rz.Huber(1.0, delta=2.0)
        >>> float(huber(np.array([1.0, -3.0])))
        4.5
        >>> huber.gradient(np.array([1.0, -3.0]))
        array([ 1., -2.])

    Source: Huber, "Robust estimation of a location parameter", 1964.
    """

    delta: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "delta", check_positive(self.delta, "delta"))

    def element(self, xp: Namespace, x: Array) -> Array:
        clipped = self.element_slope(xp, x)
        return clipped * (x - clipped / 2)

    def element_slope(self, xp: Namespace, x: Array) -> Array:
        return xp.clip(x, -self.delta, self.delta)
