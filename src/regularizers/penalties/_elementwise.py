"""Formulas that are sums over elements of a function of each."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import ClassVar, TypeGuard

from regularizers.penalties._formula import Formula
from regularizers.penalties._term import Term
from regularizers.penalties.arrays import Array, Frame, Namespace


class ElementwiseTerm(Term):
    """A penalty that is a sum over elements of a function of each."""

    sums_elements: ClassVar[bool] = True

    element: Callable[[Namespace, Array], Array]
    """Returns the function of each element: a method of a class, or a field of an instance."""

    @abstractmethod
    def element_slope(self, xp: Namespace, x: Array) -> Array:
        """Return its derivative."""

    def statistic(self, x: Array, frame: Frame) -> tuple[Array, tuple[Array, ...]]:
        if frame.mask is None:
            return self.total(frame.xp, x), ()
        # the zeros that the mask leaves do not count, whatever the function of 0 is
        return frame.xp.sum(frame.select(self.element(frame.xp, x))), ()

    def total(self, xp: Namespace, x: Array) -> Array:
        """Return the sum of the function over all elements, in the graph of `x`."""
        return xp.sum(self.element(xp, x))

    def pullback(self, x: Array, saved: tuple[Array, ...], cotangent: Array, frame: Frame) -> Array:
        return cotangent * self.element_slope(frame.xp, x)


def is_elementwise(term: Formula) -> TypeGuard[ElementwiseTerm]:
    """Return whether a penalty may be added up element by element, and then divided."""
    return term.sums_elements and isinstance(term, ElementwiseTerm)
