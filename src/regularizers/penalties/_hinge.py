"""Costs of what lies outside of a range."""

from __future__ import annotations

from dataclasses import dataclass, field

from regularizers.errors import ConfigurationError
from regularizers.penalties._elementwise import ElementwiseTerm
from regularizers.penalties.arrays import Array, Namespace, check_finite


@dataclass(frozen=True, repr=False)
class Hinge(ElementwiseTerm):
    r"""How far elements are above or below a range, in which they cost nothing.

    .. math:: p(x) = s \sum_i \max(0,\, x_i - a) + \max(0,\, b - x_i), \qquad
        \frac{\partial p}{\partial x_i} = \begin{cases}
        s & x_i > a \\ -s & x_i < b \\ 0 & \text{between and at them} \end{cases}

    `Hinge(s, above=10.0)` pulls back what exceeds 10, `Hinge(s, below=0.0)` what is negative.
    It is a soft limit: the pull is s however far an element is outside, so that a loss which pulls
    harder wins. `Hinge(s, above=0.0, below=0.0)` is `L1(s)`.

    Args:
        strength: s, finite and not negative; a number, a schedule or a target.
        above: a, in the units of x, above which elements cost; None: nowhere.
        below: b, at most a, below which elements cost; None: nowhere.
        reduce: `"sum"` over all elements; `"batch_mean"`, the sum over units averaged over
            samples; `"mean"` over all elements. None: a sum on arrays and weights, `"batch_mean"`
            at activity sites.
        batch_axis: the axis of samples, or several. None: 0, or what a module says of its output.

    Raises:
        ConfigurationError: neither bound, one that is not finite, or `below` greater than `above`.

    Example:
        >>> import numpy as np
        >>> import regularizers as rz
        >>> hinge = rz.Hinge(0.5, above=10.0, below=0.0)
        >>> float(hinge(np.array([12.0, 5.0, -1.0])))
        1.5
        >>> hinge.gradient(np.array([12.0, 5.0, -1.0]))
        array([ 0.5,  0. , -0.5])
    """

    above: float | None = field(default=None, kw_only=True)
    below: float | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("above", "below"):
            bound = getattr(self, name)
            if bound is not None:
                object.__setattr__(self, name, check_finite(bound, name))
        if self.above is None and self.below is None:
            raise ConfigurationError(
                "Hinge: expected above= or below=, the bound beyond which elements cost, got "
                "neither; to pull back what exceeds 10 write Hinge(strength, above=10.0)"
            )
        if self.above is not None and self.below is not None and self.below > self.above:
            raise ConfigurationError(
                f"Hinge: expected a range, below <= above, got below={self.below!r} and "
                f"above={self.above!r}; elements cost below the one and above the other: "
                f"exchange them"
            )

    def element(self, xp: Namespace, x: Array) -> Array:
        excess = self._excess(xp, x)
        return xp.maximum(excess, -excess)

    def element_slope(self, xp: Namespace, x: Array) -> Array:
        return xp.sign(self._excess(xp, x))

    def _excess(self, xp: Namespace, x: Array) -> Array:
        """Return how far elements are above the range, negative below it, 0 in it."""
        nothing = xp.zeros_like(x)
        over = nothing if self.above is None else xp.maximum(x - self.above, nothing)
        under = nothing if self.below is None else xp.maximum(self.below - x, nothing)
        return over - under
