"""Formulas that are sums over elements of a function of each."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import ClassVar, TypeGuard

from regularizers.penalties._formula import Formula
from regularizers.penalties._term import Term
from regularizers.penalties.arrays import Array, Frame, Namespace


class ElementwiseTerm(Term):
    """A penalty that is a sum over elements of a function of each.

    Args:
        strength: s, finite and not negative; a number, a schedule or a target.
        reduce: `"sum"`, `"batch_mean"` or `"mean"`. None: a sum on arrays and weights,
            `"batch_mean"` at activity sites.
        batch_axis: the axis of samples, or several. None: 0, or what a module says of its output.

    Example:
        >>> from dataclasses import dataclass
        >>> import numpy as np
        >>> from regularizers.penalties import ElementwiseTerm
        >>> @dataclass(frozen=True)
        ... class Quartic(ElementwiseTerm):
        ...     def element(self, xp, x):
        ...         return x**4
        ...
        ...     def element_slope(self, xp, x):
        ...         return 4 * x**3
        >>> float(Quartic(0.5)(np.array([1.0, -2.0])))
        8.5
        >>> Quartic(0.5).gradient(np.array([1.0, -2.0]))
        array([  2., -16.])
    """

    sums_elements: ClassVar[bool] = True

    element: Callable[[Namespace, Array], Array]
    """Returns the function of each element; a method of a class, or a field of an instance."""

    @abstractmethod
    def element_slope(self, xp: Namespace, x: Array) -> Array:
        """Return the derivative of `element`.

        Args:
            xp: the namespace of the library of `x`.
            x: an array of the type float32 or wider.
        """

    def statistic(self, x: Array, frame: Frame) -> tuple[Array, tuple[Array, ...]]:
        if frame.mask is None:
            return self.total(frame.xp, x), ()
        # the zeros that the mask leaves do not count, whatever the function of 0 is
        return frame.xp.sum(frame.select(self.element(frame.xp, x))), ()

    def total(self, xp: Namespace, x: Array) -> Array:
        """Return the sum of the function over all elements, in the graph of `x`.

        Args:
            xp: the namespace of the library of `x`.
            x: an array of the type float32 or wider.
        """
        return xp.sum(self.element(xp, x))

    def pullback(self, x: Array, saved: tuple[Array, ...], cotangent: Array, frame: Frame) -> Array:
        return cotangent * self.element_slope(frame.xp, x)


def is_elementwise(term: Formula) -> TypeGuard[ElementwiseTerm]:
    """Return whether a penalty may be added up element by element, and then divided.

    Args:
        term: the penalty.

    Example:
        >>> import regularizers as rz
        >>> from regularizers.penalties import is_elementwise
        >>> is_elementwise(rz.L1(0.1)), is_elementwise(rz.L2Norm(0.1))
        (True, False)
    """
    return term.sums_elements and isinstance(term, ElementwiseTerm)
