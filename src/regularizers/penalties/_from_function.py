"""A penalty from any function of a whole array."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Literal

import array_api_compat

from regularizers.errors import ConfigurationError, RegimeError
from regularizers.penalties._given_functions import (
    Function,
    check_adds_up,
    check_given,
    check_leaves_array,
    check_name,
    name_of,
)
from regularizers.penalties._term import Term
from regularizers.penalties.arrays import (
    REDUCTIONS,
    Array,
    Frame,
    Reduce,
    derivative_of,
    in_own_precision,
    size_of,
)

_REDUCTIONS: dict[str | None, tuple[Reduce, ...]] = {
    "elements": REDUCTIONS,
    "samples": ("sum", "batch_mean"),
    None: ("sum",),
}


@dataclass(frozen=True, repr=False)
class FromFunction(Term):
    r"""Any function of a whole array, differentiated by PyTorch or JAX.

    .. math:: p(x) = s\,f(x)

    What f adds up over decides how it is reduced, whether elements can be left out, and whether
    several processes can share a batch:

    =============  ====================  ======================  ==================  ============
    `additive`     f is given            reductions              masks               processes
    =============  ====================  ======================  ==================  ============
    `"elements"`   one dimension         all                     any                 yes
    `"samples"`    samples × units       `sum`, `batch_mean`     of whole samples    yes
    None           the array as it is    `sum`                   none                raises
    =============  ====================  ======================  ==================  ============

    With `"samples"` the axes of samples are made the first axis, where they are not. Where
    elements are left out, f is given only those that count, which compiled or transformed code
    cannot do.

    Args:
        strength: s, finite and not negative; a number, a schedule or a target.
        function: f, a function `(xp, x)` of the array namespace and an array in at least float32,
            which returns one number, an array without dimensions.
        additive: over what f adds up.
        name: what keys and reports call the penalty. None: the name of `function`.
        reduce: as the table says. None: a sum on arrays and weights, `"batch_mean"` at activity
            sites where f adds up, else a sum.
        batch_axis: the axis of samples, or several. None: 0, or what a module says of its output.

    Raises:
        ConfigurationError: what is no function, or does not add up; a reduction or a mask that it
            has not; the gradient of an array whose library differentiates nothing.
        RegimeError: a mask where code is compiled or transformed; a function of the whole batch
            where several processes share it.

    Example:
        >>> import regularizers as rz
        >>> import torch
        >>> def spread(xp, x):
        ...     return xp.sum(xp.max(x, axis=1) - xp.min(x, axis=1))
        >>> penalty = rz.FromFunction(0.5, spread, additive="samples", reduce="batch_mean")
        >>> penalty(torch.tensor([[1.0, 3.0, 2.0], [4.0, 4.5, 8.0]]))
        tensor(1.5000)
        >>> penalty.gradient(torch.tensor([[1.0, 3.0, 2.0], [4.0, 4.5, 8.0]]))
        tensor([[-0.2500,  0.2500,  0.0000],
                [-0.2500,  0.0000,  0.2500]])
    """

    function: Function
    additive: Literal["samples", "elements"] | None = None
    name: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.additive not in _REDUCTIONS:
            raise ConfigurationError(
                f"additive: expected 'samples', 'elements' or None, got {self.additive!r}"
            )
        check_name(self.name)
        check_given(self.function, "function")
        if self.reduce not in (None, *self.reductions):
            raise ConfigurationError(
                f"{self.label}: reduce: expected {' or '.join(map(repr, self.reductions))} of a "
                f"function with additive={self.additive!r}, got {self.reduce!r}; divide the "
                f"strength, or say over what it adds up"
            )
        check_leaves_array(self.function, self.additive, self.label)
        if self.additive is not None:
            check_adds_up(self.function, self.additive, self.label)

    @property
    def label(self) -> str:
        return self.name or name_of(self.function, type(self).__name__)

    @property
    def reductions(self) -> tuple[Reduce, ...]:
        return _REDUCTIONS[self.additive]

    @property
    def joins(self) -> bool:
        return self.additive is not None

    @property
    def reads_samples(self) -> bool:
        return self.additive == "samples" or super().reads_samples

    @property
    def differentiated(self) -> bool:
        return True

    @property
    def adds_over_units(self) -> bool:
        return self.additive == "elements" and self.reduce != "mean"

    def spans_samples(self, statistic: Array) -> bool:
        return self.additive is None

    def statistic(self, x: Array, frame: Frame) -> tuple[Array, tuple[Array, ...]]:
        return self._value(x, frame), ()

    def pullback(self, x: Array, saved: tuple[Array, ...], cotangent: Array, frame: Frame) -> Array:
        otherwise = (
            f"{self.label}: expected an array of PyTorch or JAX for a gradient, or a penalty that "
            f"says its own: derive from Term, or use Elementwise with slope="
        )
        return cotangent * derivative_of(
            frame.xp, lambda x: self._value(x, frame), x, otherwise=otherwise
        )

    def _value(self, x: Array, frame: Frame) -> Array:
        xp, given = frame.xp, self._given(x, frame)
        if size_of(given) == 0:
            return xp.sum(given)
        value = in_own_precision(xp, partial(self.function, xp), given)
        if getattr(value, "shape", None) != ():
            shape = getattr(value, "shape", None)
            got = f"{value!r}" if shape is None else f"an array of the shape {tuple(shape)}"
            raise ConfigurationError(
                f"{self.label}: expected a function that returns one number, an array without "
                f"dimensions, got {got}; sum it, as by xp.sum"
            )
        return value

    def _given(self, x: Array, frame: Frame) -> Array:
        """Return what the function is given: only what counts, in the shape that it knows."""
        xp, mask = frame.xp, frame.mask
        if mask is not None:
            self._check_mask(mask)
        if self.additive is None:
            return x
        if self.additive == "elements":
            return xp.reshape(x, (-1,)) if mask is None else x[mask]
        rows = self._rows(x, frame)
        if mask is None:
            return rows
        valid = xp.reshape(self._rows(mask, frame), (rows.shape[0], -1))
        whole = xp.all(valid, axis=1)
        if not bool(xp.all(whole == xp.any(valid, axis=1))):
            raise ConfigurationError(
                f"{self.label}: mask: expected one of whole samples, since the function adds up "
                f"over samples, got one that leaves out a part of a sample"
            )
        return rows[whole]

    def _rows(self, x: Array, frame: Frame) -> Array:
        """Return `x` with its samples along the first axis."""
        if frame.batch in ((), (0,)):
            return x if frame.shape else frame.xp.reshape(x, (1,))
        units = [frame.shape[axis] for axis in frame.units]
        turned = frame.xp.permute_dims(x, (*frame.batch, *frame.units))
        return frame.xp.reshape(turned, (-1, *units))

    def _check_mask(self, mask: Array) -> None:
        if self.additive is None:
            raise ConfigurationError(
                f"{self.label}: mask: expected none, since a function of the whole array cannot "
                f"leave elements out, got one; say over what it adds up: additive='samples' or "
                f"'elements', or derive from Term"
            )
        if any(_is_traced(mask)):
            raise RegimeError(
                f"{self.label}: mask: compiled or transformed code cannot select the elements that "
                f"count, which the function is given; use Elementwise, or derive from Term"
            )


def _is_traced(mask: Array) -> Iterator[bool]:
    if array_api_compat.is_torch_array(mask):
        torch = sys.modules["torch"]
        yield torch.compiler.is_compiling()
        yield torch._C._functorch.is_batchedtensor(mask)
    elif array_api_compat.is_jax_array(mask):
        yield isinstance(mask, sys.modules["jax"].core.Tracer)
