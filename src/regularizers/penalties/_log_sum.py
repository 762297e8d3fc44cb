"""Sums of logarithms: nearer to a count of what is not zero than absolute values are."""

from __future__ import annotations

from dataclasses import dataclass

from regularizers.penalties._elementwise import ElementwiseTerm
from regularizers.penalties.arrays import Array, Namespace, check_positive


@dataclass(frozen=True, repr=False)
class LogSum(ElementwiseTerm):
    r"""Logarithms of absolute values: small elements are pulled hard, large ones hardly.

    .. math:: p(x) = s \sum_i \log\left(1 + \frac{|x_i|}{\varepsilon}\right), \qquad
        \frac{\partial p}{\partial x_i} = s\,\frac{\mathrm{sign}(x_i)}{\varepsilon + |x_i|},
        \quad 0 \text{ at } 0

    Elements well above ε cost nearly alike, so that it shrinks them less than `L1` for the same
    zeros; it is not convex. For a large ε it is `L1(s / ε)`. Its gradient is that of the reweighted
    L1 whose weights `1/(ε + |x|)` are taken anew at every step.

    Args:
        strength: s, finite and not negative; a number, a schedule or a target.
        epsilon: ε, in the units of x, the size from which on an element counts as not zero; finite
            and above 0. The steepest pull is s/ε.
        reduce: `"sum"` over all elements; `"batch_mean"`, the sum over units averaged over
            samples; `"mean"` over all elements. None: a sum on arrays and weights, `"batch_mean"`
            at activity sites.
        batch_axis: the axis of samples, or several. None: 0, or what a module says of its output.

    Raises:
        ConfigurationError: an epsilon that is not finite, or not above 0.

    Example:
        >>> import numpy as np
        >>> import regularizers as rz
        >>> log_sum = rz.LogSum(1.0, epsilon=0.5)
        >>> round(float(log_sum(np.array([0.5, -1.5, 0.0]))), 4)  # log 2 + log 4
        2.0794
        >>> log_sum.gradient(np.array([0.5, -1.5, 0.0]))
        array([ 1. , -0.5,  0. ])

    Source: Candès, Wakin and Boyd, "Enhancing sparsity by reweighted l1 minimization", 2008.
    """

    epsilon: float

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "epsilon", check_positive(self.epsilon, "epsilon"))

    def element(self, xp: Namespace, x: Array) -> Array:
        # unlike abs, its derivative at 0 is 0 in every library
        return xp.log1p(xp.maximum(x, -x) / self.epsilon)

    def element_slope(self, xp: Namespace, x: Array) -> Array:
        return xp.sign(x) / (xp.maximum(x, -x) + self.epsilon)
