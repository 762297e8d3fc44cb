"""The public base of all penalties, and sums of them."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

from regularizers.penalties._devices import Devices, check_samples
from regularizers.penalties._evaluate import add_gradient, value, value_and_gradient
from regularizers.penalties._formula import Formula
from regularizers.penalties._proximal import check_step, proximal
from regularizers.penalties._shrinkage import Step
from regularizers.penalties._subclass import settle
from regularizers.penalties.arrays import (
    Array,
    ArrayT,
    Axes,
    Namespace,
    Reduce,
    call_of,
    check_batch_axis,
    check_grads,
    check_mask,
    check_reduce,
    detached,
    namespace_of,
)
from regularizers.penalties.strength import Schedule, as_strength, number_of, scales, strength_at


class Penalty(ABC):
    """Array in, scalar out, with its own analytic gradient.

    A penalty is a frozen value: it holds its strength and its reduction, and no state. Penalties
    add (`L1(1e-3) + L2Squared(1e-4)`) and scale (`2 * L1(1e-3)`).

    Every method takes an array of any library of the Array API standard, of a real floating type
    and any number of dimensions. `mask` is a boolean array over the leading axes; elements where it
    is False count neither in the value nor in a denominator, and have a gradient of zero. Half
    precision is converted to float32 first.

    Raises:
        ArrayTypeError: the array is integer, boolean or complex, or no array.
        ShapeError: a mask, a batch axis or `grads` does not fit the array; or `jax.vmap` has taken
            an axis away and it is not said which one numbers samples.
        StrengthTypeError: the strength is no number; only a Regularization can advance it. A number
            that JAX traces is one, and is not checked.

    Example:
        >>> import numpy as np
        >>> import regularizers as rz
        >>> penalty = rz.L1(0.5) + 2 * rz.L2Squared(0.25)
        >>> penalty
        L1(0.5) + L2Squared(0.5)
        >>> value, gradient = penalty.value_and_gradient(np.array([1.0, -2.0]))
        >>> float(value), gradient
        (4.0, array([ 1.5, -2.5]))
        >>> float(penalty(np.array([1.0, -2.0]), mask=np.array([True, False])))
        1.0
    """

    __array_ufunc__: ClassVar[None] = None  # lets numpy.float64(2) * penalty call __rmul__

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        settle(cls)

    @property
    @abstractmethod
    def terms(self) -> tuple[Formula, ...]:
        """The elementary penalties whose sum this penalty is, each with one strength."""

    def __call__(
        self,
        x: ArrayT,
        *,
        mask: Array | None = None,
        axis_name: str | tuple[str, ...] | None = None,
    ) -> ArrayT:
        """Return the penalty of `x`, a scalar of its library in float32 or wider.

        The library can differentiate it (`jax.grad`, `Tensor.backward`).

        Args:
            x: the array to penalise.
            mask: the elements that count.
            axis_name: of JAX alone: an axis of `shard_map`, `pmap` or `vmap` along which each
                device holds other samples of one batch. Their statistics and denominators are
                added before anything nonlinear, so every device returns the penalty of the whole
                batch. Where gradients are then averaged over devices (`jax.lax.pmean`), as those of
                a mean loss are, they are those of one device with the whole batch. Squares are
                added in float64 if JAX has it enabled, and else in float32, which holds squares of
                norms from 1e-19 to 1e19.

        Raises:
            RegimeError: with `axis_name`, a penalty whose statistics do not add up over samples.
        """
        xp, terms = self._prepared(x, mask)
        devices = None if axis_name is None else Devices(axis_name, x)
        result: ArrayT = value(terms, xp, x, mask, devices)
        return result

    def gradient(self, x: ArrayT, *, mask: Array | None = None) -> ArrayT:
        """Return the analytic gradient of the penalty, of the shape and type of `x`.

        Args:
            x: the array to penalise.
            mask: the elements that count.
        """
        return self.value_and_gradient(x, mask=mask)[1]

    def value_and_gradient(self, x: ArrayT, *, mask: Array | None = None) -> tuple[ArrayT, ArrayT]:
        """Return the penalty and its gradient; the array is read once for both.

        Args:
            x: the array to penalise.
            mask: the elements that count.
        """
        xp, terms = self._prepared(x, mask)
        return value_and_gradient(terms, xp, x, mask)

    def _with_strengths(self) -> list[tuple[Formula, float]]:
        """Return the terms with their strengths; raise unless these are numbers."""
        return [(term, number_of(term.strength, self)) for term in self.terms]

    def _prepared(
        self, x: Array, mask: Array | None
    ) -> tuple[Namespace, list[tuple[Formula, float]]]:
        """Check the arguments; return the namespace of `x`, and the terms with strengths."""
        terms = self._with_strengths()
        xp = namespace_of(x)
        if mask is not None:
            check_mask(xp, x, mask)
        for term, _ in terms:
            term.check_shape(tuple(x.shape))
            check_samples(x, term)
        return xp, terms

    def apply(self, x: ArrayT, grads: ArrayT, *, mask: Array | None = None) -> ArrayT:
        """Add the gradient of the penalty at `x` into `grads` in place; return the penalty.

        Args:
            x: the array to penalise. It is not changed.
            grads: a writable array of the shape of `x`; its type may differ, such as float32 for an
                `x` in float16.
            mask: the elements that count.

        Raises:
            ReadOnlyError: `grads` cannot be written. JAX arrays never can; use
                `value_and_gradient`.
        """
        check_grads(namespace_of(x), x, grads)
        xp, terms = self._prepared(x, mask)
        result: ArrayT = add_gradient(terms, xp, detached(x), detached(grads), mask)
        return result

    def prox(self, x: ArrayT, step: Step) -> ArrayT:
        r"""Return the proximal operator of the penalty at `x`.

        .. math:: \operatorname*{argmin}_w \; p(w) + \sum_i \frac{(w_i - x_i)^2}{2\tau_i}

        Applied after each step of gradient descent on a loss, it minimises loss plus penalty. It
        sets elements to exactly 0, as adding the gradient never does.

        Args:
            x: the array. It is not changed.
            step: τ, not negative: a number, such as the learning rate, or an array that broadcasts
                to the shape of `x`, such as Adam's step for each element. The values of an array
                are not checked.

        Returns:
            An array of the shape and type of `x`, computed in at least float32.

        Raises:
            ConfigurationError: the step is negative or not finite, or the penalty has no exact
                proximal step. L1, L2Squared, L1L2, L2Norm, GroupLasso, ActivityRegularization have
                one, and sums of these with at most one L2Norm or GroupLasso.

        Example:
            >>> import numpy as np
            >>> import regularizers as rz
            >>> rz.L1(1.0).prox(np.array([3.0, -0.5]), step=1.0)
            array([2., 0.])

        Source: Parikh and Boyd, "Proximal algorithms", 2014.
        """
        terms = self._with_strengths()
        array: Array = x
        xp = namespace_of(array)
        check_step(xp, array, step)
        for term, _ in terms:
            term.check_shape(tuple(array.shape))
        result: ArrayT = proximal(xp, array, step, terms)
        return result

    def at(self, step: int) -> Penalty:
        """Return the penalty at a step of training: its schedules become numbers.

        Args:
            step: of the optimizer, counted from 0; JAX may trace it.

        Raises:
            StrengthTypeError: a strength has a target, which only a Regularization can follow; or
                a function reads the value of a step that JAX traces.

        Example:
            >>> import numpy as np
            >>> import regularizers as rz
            >>> warmed = rz.L1(rz.LinearWarmup(0.5, steps=100))
            >>> float(warmed.at(50)(np.array([1.0, -3.0])))
            1.0
        """
        parts = [self._part_at(term, step) for term in self.terms]
        return parts[0] if len(parts) == 1 else Sum(tuple(parts))

    def _part_at(self, term: Formula, step: int) -> Penalty:
        strength: Any = term.strength
        if isinstance(strength, Schedule):
            strength = strength_at(strength, step)
        number = number_of(as_strength(strength), self)
        part = dataclasses.replace(term, strength=number)
        assert isinstance(part, Penalty)  # a Formula that is none has no strength of its own
        return part

    def __add__(self, other: Penalty) -> Penalty:
        return Sum((self, *_parts(other))) if isinstance(other, Penalty) else NotImplemented

    def __radd__(self, other: object) -> Penalty:
        # sum([...]) starts with the number 0
        return self if type(other) is int and other == 0 else NotImplemented

    @abstractmethod
    def __mul__(self, factor: float) -> Self:
        """Return the same penalty with every strength multiplied by `factor`."""

    def __rmul__(self, factor: float) -> Self:
        return self.__mul__(factor)

    def __repr__(self) -> str:
        return call_of(self)


def _parts(penalty: Penalty) -> tuple[Penalty, ...]:
    return penalty.parts if isinstance(penalty, Sum) else (penalty,)


@dataclass(frozen=True, repr=False)
class Reduced(Penalty):
    """A penalty with its own reduction."""

    reduce: Reduce | None = field(default=None, kw_only=True)
    batch_axis: Axes | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        check_reduce(self.reduce)
        check_batch_axis(self.batch_axis)


@dataclass(frozen=True, repr=False)
class Sum(Penalty):
    """A sum of penalties of one array, as `L1(1e-3) + L2Squared(1e-4)` makes it.

    Args:
        parts: the penalties, none of them a sum.

    Example:
        >>> import numpy as np
        >>> import regularizers as rz
        >>> elastic = rz.L1(0.5) + rz.L2Squared(0.25)
        >>> elastic.parts
        (L1(0.5), L2Squared(0.25))
        >>> float(elastic(np.array([1.0, -2.0]))), float((2 * elastic)(np.array([1.0, -2.0])))
        (2.75, 5.5)
    """

    parts: tuple[Penalty, ...]

    @property
    def terms(self) -> tuple[Formula, ...]:
        return tuple([term for part in self.parts for term in part.terms])

    def __mul__(self, factor: float) -> Self:
        if not scales(factor):
            return NotImplemented
        return dataclasses.replace(self, parts=tuple([part * factor for part in self.parts]))

    def __add__(self, other: Penalty) -> Penalty:
        # flattens, so that (a + b) + c equals a + b + c
        return Sum((*self.parts, *_parts(other))) if isinstance(other, Penalty) else NotImplemented

    def __repr__(self) -> str:
        return " + ".join(map(repr, self.parts))
