"""The sum of p-th powers of absolute values."""

from __future__ import annotations

from dataclasses import dataclass

from regularizers.penalties._elementwise import ElementwiseTerm
from regularizers.penalties.arrays import Array, Namespace, check_positive, nonzero


@dataclass(frozen=True, repr=False)
class Lp(ElementwiseTerm):
    r"""Powers of absolute values: below p = 1 the sparser the smaller p, above it the smoother.

    .. math:: p(x) = s \sum_i |x_i|^p, \qquad
        \frac{\partial p}{\partial x_i} = s\,p\,|x_i|^{p-1}\,\mathrm{sign}(x_i),
        \quad 0 \text{ at } 0

    It is the sum of the powers, not its root: `Lp(s, 1)` is `L1(s)`, and `Lp(s, 2)` is
    `L2Squared(s)`. Below p = 1 it is not convex, and the pull grows without bound towards 0, where
    it is 0 all the same: an element at 0 stays there.

    Args:
        strength: s, finite and not negative; a number, a schedule or a target.
        p: the exponent, finite and above 0.
        reduce: `"sum"` over all elements; `"batch_mean"`, the sum over units averaged over
            samples; `"mean"` over all elements. None: a sum on arrays and weights, `"batch_mean"`
            at activity sites.
        batch_axis: the axis of samples, or several. None: 0, or what a module says of its output.

    Raises:
        ConfigurationError: an exponent that is not finite, or not above 0.

    Example:
        >>> import numpy as np
        >>> import regularizers as rz
        >>> half = rz.Lp(1.0, p=0.5)
        >>> float(half(np.array([4.0, -9.0, 0.0])))
        5.0
        >>> half.gradient(np.array([4.0, -1.0, 0.0]))
        array([ 0.25, -0.5 ,  0.  ])

    Source: Frank and Friedman, "A statistical view of some chemometrics regression tools", 1993.
    """

    p: float

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "p", check_positive(self.p, "p"))

    def element(self, xp: Namespace, x: Array) -> Array:
        # a square has a second derivative at 0, which the power of |x| would lose
        return x * x if self.p == 2 else _power(xp, x, self.p)

    def element_slope(self, xp: Namespace, x: Array) -> Array:
        return 2 * x if self.p == 2 else self.p * xp.sign(x) * _power(xp, x, self.p - 1)


def _power(xp: Namespace, x: Array, exponent: float) -> Array:
    """Return a power of |x|, 0 where x is 0, whose derivatives there are 0 too."""
    size = xp.maximum(x, -x)
    # the power is taken of 1 where x is 0, because its derivative at 0 may be infinite
    return xp.where(size == 0, xp.zeros_like(x), nonzero(xp, size) ** exponent)
