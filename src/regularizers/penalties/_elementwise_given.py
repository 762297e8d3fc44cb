"""A penalty from any function of an element."""

from __future__ import annotations

from dataclasses import dataclass

from regularizers.penalties._compared_slopes import check_element
from regularizers.penalties._elementwise import ElementwiseTerm
from regularizers.penalties._given_functions import Function, check_given, check_name, name_of
from regularizers.penalties.arrays import Array, Namespace, derivative_of


@dataclass(frozen=True, repr=False)
class Elementwise(ElementwiseTerm):
    r"""Any function of an element, summed: masks, reductions and deliveries come by themselves.

    .. math:: p(x) = s \sum_i f(x_i), \qquad \frac{\partial p}{\partial x_i} = s\,f'(x_i)

    f may be anything but must read each element by itself; it need not be 0 at 0. It is given in
    at least float32.

    Args:
        strength: s, finite and not negative; a number, a schedule or a target.
        element: f, a function `(xp, x)` of the array namespace and an array, which returns an
            array of the shape of x. `xp` has all that the Array API standard has: `xp.log1p`,
            `xp.exp`, `xp.tanh`, `xp.where`, ...
        slope: f', likewise. None: PyTorch and JAX differentiate f; arrays of NumPy then have a
            value and no gradient. One that is given is compared once with differences of f.
        name: what keys and reports call the penalty. None: the name of `element`.
        reduce: `"sum"` over all elements; `"batch_mean"`, the sum over units averaged over
            samples; `"mean"` over all elements. None: a sum on arrays and weights, `"batch_mean"`
            at activity sites.
        batch_axis: the axis of samples, or several. None: 0, or what a module says of its output.

    Raises:
        ConfigurationError: what is no function, or none of each element; a slope that is another
            function's, or missing where the library differentiates nothing.

    Example:
        >>> import numpy as np
        >>> import regularizers as rz
        >>> cauchy = rz.Elementwise(
        ...     0.5,
        ...     element=lambda xp, x: xp.log1p(x * x),
        ...     slope=lambda xp, x: 2 * x / (1 + x * x),
        ...     name="Cauchy",
        ... )
        >>> cauchy.gradient(np.array([1.0, -2.0]))
        array([ 0.5, -0.4])
    """

    element: Function
    slope: Function | None = None
    name: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_name(self.name)
        check_given(self.element, "element")
        if self.slope is not None:
            check_given(self.slope, "slope")
        check_element(self.element, self.slope, self.label)

    @property
    def label(self) -> str:
        return self.name or name_of(self.element, type(self).__name__)

    @property
    def differentiated(self) -> bool:
        return self.slope is None

    def element_slope(self, xp: Namespace, x: Array) -> Array:
        if self.slope is not None:
            return self.slope(xp, x)
        return derivative_of(
            xp,
            lambda x: self.total(xp, x),
            x,
            otherwise=f"{self.label}: expected slope=, the derivative of element, for a gradient",
        )
