"""A batch of any number of axes as a matrix."""

from __future__ import annotations

import math

from torch import Tensor
from torch.distributed.tensor import DTensor

from regularizers.errors import ArrayTypeError
from regularizers.modules import Activation, describe, masked
from regularizers.penalties.arrays import Axes, check_batch_axis, normalise_axes


def as_matrix(
    x: Tensor, batch_axis: Axes, mask: Tensor | None, name: str
) -> tuple[Tensor, Tensor | None]:
    """Return `x` as (samples, units), and which of it counts; None for everything.

    What counts is (samples, units), or (samples, 1) if the mask is over axes of samples alone.

    Raises:
        ArrayTypeError: no plain tensor of a real floating type.
        ConfigurationError, ShapeError: a `batch_axis` that is none, or that `x` has not.
        OutputError, ShapeError: a mask that is not boolean, or not over the leading axes.
    """
    _check(x)
    if mask is None and x.ndim == 2 and _is_first(batch_axis):
        return x.detach(), None
    check_batch_axis(batch_axis)
    batch = normalise_axes(batch_axis, x.ndim)
    units = tuple([axis for axis in range(x.ndim) if axis not in batch])
    x = x.detach()
    samples, width = _extent(x, batch), _extent(x, units)

    def matrix(array: Tensor, columns: int) -> Tensor:
        return array.permute(*batch, *units).reshape(samples, columns)

    valid = None
    if mask is not None:
        masked(Activation(x, batch), mask, name)
        whole = all(axis >= mask.ndim for axis in units)
        mask = mask.reshape(mask.shape + (1,) * (x.ndim - mask.ndim))
        over = [1 if whole and axis in units else n for axis, n in enumerate(x.shape)]
        valid = matrix(mask.expand(over), 1 if whole else width)
    return matrix(x, width), valid


def _is_first(batch_axis: Axes) -> bool:
    axes = batch_axis if isinstance(batch_axis, tuple) else (batch_axis,)
    return len(axes) == 1 and type(axes[0]) is int and axes[0] == 0


def _extent(x: Tensor, axes: tuple[int, ...]) -> int:
    return math.prod([x.shape[axis] for axis in axes])


def _check(x: object) -> None:
    if isinstance(x, DTensor):
        raise ArrayTypeError(
            "expected a plain tensor, got a DTensor, of which each process has a part; select "
            "output.full_tensor() of it"
        )
    if not isinstance(x, Tensor) or not x.dtype.is_floating_point:
        raise ArrayTypeError(
            f"expected a torch.Tensor of a real floating type, got {describe(x)}; convert it "
            f"first, for example with x.float()"
        )
