"""The public base of all constraints."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from regularizers.errors import ShapeError
from regularizers.penalties.arrays import (
    Array,
    ArrayT,
    Namespace,
    call_of,
    cast,
    namespace_of,
    size_of,
    widen,
)


@dataclass(frozen=True, repr=False)
class Constraint(ABC):
    r"""A set that an array is kept in: array in, the projected array out.

    .. math:: P(x) = \operatorname*{argmin}_{w \in C} \|w - x\|

    A constraint is a frozen value: it holds its settings and no state. `rz.constraint` makes it a
    rule for the weights of a model, which then hold it after every step of an optimizer.

    Every method takes an array of any library of the Array API standard, of a real floating type.
    Half precision is converted to float32 first. NaN stays NaN.

    To write one, derive a frozen dataclass with its settings as fields and define
    `projection(x, xp)`. If an optimizer is to see only a part of a gradient, define
    `tangent(gradient, x, xp)` too. Both are given arrays of at least float32, and the namespace of
    their library.

    Example:
        >>> from dataclasses import dataclass
        >>> import numpy as np
        >>> import regularizers as rz
        >>> @dataclass(frozen=True)
        ... class SumsToZero(rz.Constraint):
        ...     def projection(self, x, xp):
        ...         return x - xp.mean(x)
        >>> SumsToZero().project(np.array([1.0, 2.0, 6.0]))
        array([-2., -1.,  3.])
    """

    def project(self, x: ArrayT) -> ArrayT:
        """Return the projection of `x`, an array of its shape and type.

        Args:
            x: the array. It is not changed.

        Raises:
            ArrayTypeError: the array is integer, boolean or complex, or no array.
            ConfigurationError: an axis that only the weight of a module has.
            ShapeError: an axis that `x` does not have, or a projection of another shape.
        """
        array: Array = x
        result: ArrayT = project(namespace_of(array), array, self)
        return result

    def tangential(self, gradient: ArrayT, x: ArrayT) -> ArrayT:
        """Return the part of a gradient at `x` that an optimizer is to see.

        It is all of the gradient, unless the constraint defines a `tangent`, as `UnitNorm` does.

        Args:
            gradient: an array of the shape of `x`.
            x: where the gradient is taken.

        Raises:
            ArrayTypeError, ConfigurationError: as `project`.
            ShapeError: an axis that `x` does not have, or a gradient of another shape.
        """
        array: Array = x
        slope: Array = gradient
        namespace_of(slope, "gradient")
        result: ArrayT = tangential(namespace_of(array), slope, array, self)
        return result

    @abstractmethod
    def projection(self, x: Array, xp: Namespace) -> Array:
        """Return the projection of `x`.

        Args:
            x: an array that has elements, of the type float32 or wider.
            xp: the namespace of its library.
        """

    def tangent(self, gradient: Array, x: Array, xp: Namespace) -> Array:
        """Return the part of `gradient` that an optimizer is to see at `x`.

        Args:
            gradient: an array of the shape of `x`.
            x: where the gradient is taken, of the type float32 or wider.
            xp: the namespace of its library.
        """
        return gradient

    @property
    def has_tangent(self) -> bool:
        """True if an optimizer is to see only a part of a gradient."""
        return type(self).tangent is not Constraint.tangent

    def check_shape(self, shape: tuple[int, ...]) -> None:  # noqa: B027 -- most fit any shape
        """Raise unless an array has the axes that are named.

        Args:
            shape: the shape of the array.
        """

    def __repr__(self) -> str:
        return call_of(self)


def project(xp: Namespace, x: Array, constraint: Constraint) -> Array:
    """Return the projection of `x`, whose namespace is `xp`.

    Args:
        xp: the namespace of the library of `x`.
        x: an array of a real floating type.
        constraint: what `x` is projected onto.

    Raises:
        ConfigurationError, ShapeError: as `Constraint.project`.

    Example:
        >>> import numpy as np
        >>> import regularizers as rz
        >>> from regularizers.constraints import project
        >>> project(np, np.array([1.5, -2.0]), rz.NonNegative())
        array([1.5, 0. ])
    """
    shape = tuple(x.shape)
    constraint.check_shape(shape)
    if size_of(x) == 0:
        return xp.zeros_like(x)
    projected = constraint.projection(widen(xp, x), xp)
    if tuple(projected.shape) != shape:
        raise ShapeError(
            f"{constraint!r}: projection: expected an array of the shape of x, {shape}, got "
            f"{tuple(projected.shape)}"
        )
    return cast(projected, x.dtype)


def tangential(xp: Namespace, gradient: Array, x: Array, constraint: Constraint) -> Array:
    """Return the part of a gradient at `x`, whose namespace is `xp`, that an optimizer is to see.

    Args:
        xp: the namespace of the library of `x`.
        gradient: an array of the shape of `x`.
        x: where the gradient is taken.
        constraint: what `x` is kept in.

    Raises:
        ConfigurationError, ShapeError: as `Constraint.tangential`.

    Example:
        >>> import numpy as np
        >>> import regularizers as rz
        >>> from regularizers.constraints import tangential
        >>> gradient, x = np.array([5.0, 0.0]), np.array([3.0, 4.0])
        >>> tangential(np, gradient, x, rz.UnitNorm(axis=()))
        array([ 3.2, -2.4])
    """
    shape = tuple(x.shape)
    constraint.check_shape(shape)
    if tuple(gradient.shape) != shape:
        raise ShapeError(f"gradient: expected the shape of x, {shape}, got {tuple(gradient.shape)}")
    if not constraint.has_tangent or size_of(x) == 0:
        return gradient
    return cast(constraint.tangent(widen(xp, gradient), widen(xp, x), xp), gradient.dtype)
