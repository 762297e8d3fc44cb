"""Scaling fitted on training samples, as a module that stands before the network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from regularizers.errors import ConfigurationError, DataError
from regularizers.recipes._settings import Scale
from regularizers.recipes.data import Floats, Samples

_NAMED = 20
"""Columns that a line names at most; a network's file has all of them."""


class Scaling(nn.Module):
    r"""Maps samples to what a network reads: :math:`(x - a) / b`, without constant columns.

    It computes in float64 and returns float32: a timestamp in seconds needs more digits than
    float32 has until its shift is taken off. A cast such as `half()` changes what it returns, and
    not its buffers.

    Args:
        shift: a, of shape (columns,). Of a column that is left out, the value that it has.
        scale: b, of shape (columns,).
        kept: the columns that are returned, in order; all by default.

    Shape:
        (..., columns) in float64 or float32 to (..., kept columns) in float32.

    Example:
        >>> scaling = Scaling(torch.tensor([1.0, 7.0, 0.0]), torch.tensor([2.0, 1.0, 10.0]), [0, 2])
        >>> scaling(torch.tensor([[5.0, 7.0, 20.0]]))
        tensor([[2., 2.]])
        >>> scaling.inverse(torch.tensor([[2.0, 2.0]]))
        tensor([[ 5.,  7., 20.]], dtype=torch.float64)
    """

    shift: Tensor
    scale: Tensor
    kept: Tensor
    _returned: Tensor

    def __init__(self, shift: Tensor, scale: Tensor, kept: Sequence[int] | None = None) -> None:
        super().__init__()
        columns = range(len(shift)) if kept is None else kept
        self.register_buffer("shift", shift.double())
        self.register_buffer("scale", scale.double())
        self.register_buffer("kept", torch.tensor([*columns], dtype=torch.int64))
        # an empty tensor of the dtype that is returned, which follows the casts of the module
        self.register_buffer("_returned", torch.empty(0, dtype=torch.float32), persistent=False)

    @classmethod
    def from_state(cls, state: dict[str, Tensor]) -> Scaling:
        """Return the scaling whose `state_dict()` this is."""
        return cls(state["shift"], state["scale"], state["kept"].tolist())

    def forward(self, x: Tensor) -> Tensor:
        """Return what the network reads."""
        scaled = (x.double() - self.shift) / self.scale
        return scaled.index_select(-1, self.kept).to(self._returned.dtype)

    def of_rows(self, x: Floats) -> Tensor:
        """Return what the network reads, of rows as they are in a file."""
        # PyTorch warns of arrays that cannot be written, such as those of a mapped file
        scaled: Tensor = self(torch.from_numpy(np.require(x, requirements="W")))
        return scaled

    def inverse(self, y: Tensor) -> Tensor:
        """Return the samples whose scaled values are `y`, in float64; constant columns included."""
        x = self.shift.expand(*y.shape[:-1], -1).clone()
        x[..., self.kept] += y.double() * self.scale[self.kept]
        return x

    def _apply(self, fn: Callable[..., Any], recurse: bool = True) -> Self:
        shift, scale = self.shift, self.scale
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        self.shift, self.scale = (b.to(self.shift.device) for b in (shift, scale))
        return self

    @property
    def dropped(self) -> list[int]:
        """The columns that are left out."""
        kept = set(self.kept.tolist())
        return [column for column in range(len(self.shift)) if column not in kept]

    def extra_repr(self) -> str:
        """Return how many columns are read, and how many are returned."""
        return f"{len(self.shift)} columns, {len(self.kept)} kept"


def scaling_of(samples: Samples, training: Floats, how: Scale | None, *, table: Scale) -> Scaling:
    """Return the scaling of samples, fitted on those for training.

    Args:
        samples: where they are from: pictures are divided by their largest value.
        training: of shape (samples, features).
        how: what was asked for; None for the default.
        table: the default of a table.

    Raises:
        ConfigurationError: pictures, of which columns are no scale, are to be scaled by them.
        DataError: as `fit_scaling`.
    """
    if samples.picture is None:
        names = [repr(name) for name in samples.features]
        return fit_scaling(training, how or table, samples.name, names)
    if how not in (None, "none"):
        raise ConfigurationError(
            f"scale: expected none for pictures, which are divided by their largest value by "
            f"default, got {how} for {samples.name}"
        )
    if (training == training[:1]).all():
        raise _all_the_same(samples.name, len(training))
    largest = samples.largest or float(np.abs(training).max())
    return divided_by(largest if how is None else 1.0, training.shape[1])


def left_out(dropped: Sequence[str]) -> list[str]:
    """Return a line on the columns that are constant in the training part; none if none is."""
    if not dropped:
        return []
    # columns of a file without names are called by their numbers
    some = ", ".join(n if n.isdigit() else repr(n) for n in dropped[:_NAMED])
    more = f" and {len(dropped) - _NAMED} more" if len(dropped) > _NAMED else ""
    column, is_ = ("column", "is") if len(dropped) == 1 else ("columns", "are")
    return [f"{column} {some}{more} {is_} left out: the same in all samples for training"]


def divided_by(largest: float, features: int) -> Scaling:
    """Return the scaling of pictures, whose largest value maps to 1 and 0 to 0."""
    return Scaling(torch.zeros(features), torch.full((features,), largest, dtype=torch.float64))


def fit_scaling(x: NDArray[Any], how: Scale, name: str, columns: Sequence[str]) -> Scaling:
    """Return the scaling of a table, fitted by scikit-learn in float64.

    A column that is constant is left out. It has no scale of its own, and elsewhere it may be
    anything: scikit-learn would pass it on as it is.

    Args:
        x: training samples, of shape (samples, columns).
        how: the scaler.
        name: the data, as an error names them.
        columns: the columns, as an error names them.

    Raises:
        DataError: all columns are constant, or one spans more than float64 holds.
    """
    x = x.astype(np.float64, copy=False)
    low, high = x.min(axis=0), x.max(axis=0)
    with np.errstate(over="ignore"):
        span = high - low
    if not np.isfinite(span).all():
        column = int(np.flatnonzero(~np.isfinite(span))[0])
        raise DataError(
            f"{name}, column {columns[column]}: expected a column whose span is finite, got values "
            f"from {low[column]:g} to {high[column]:g}; take its logarithm, or drop it"
        )
    varying = np.flatnonzero(high > low)
    if not len(varying):
        raise _all_the_same(name, len(x))
    shift, scale = low.copy(), np.ones_like(low)
    if how == "none":
        shift[varying] = 0
    else:
        # brought to [0, 1] first: scikit-learn takes a column of a tiny span for a constant one
        unit = x[:, varying]
        unit -= low[varying]
        unit /= span[varying]
        centre, spread = _fitted(unit, how)
        shift[varying] += centre * span[varying]
        scale[varying] = spread * span[varying]
    if not (scale > 0).all():
        column = int(np.flatnonzero(scale <= 0)[0])
        raise DataError(
            f"{name}, column {columns[column]}: expected a column whose span is a number of "
            f"float64, got {span[column]:g}; multiply it by a power of ten, or drop it"
        )
    return Scaling(torch.from_numpy(shift), torch.from_numpy(scale), varying.tolist())


def _all_the_same(name: str, samples: int) -> DataError:
    return DataError(
        f"{name}: expected samples that differ, got {samples} for training that are all the same; "
        f"a network has nothing to learn from them"
    )


def _fitted(x: NDArray[np.float64], how: Scale) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return what scikit-learn takes off columns, and what it divides them by."""
    from sklearn.preprocessing import MinMaxScaler, RobustScaler, StandardScaler

    if how == "minmax":
        fitted = MinMaxScaler().fit(x)
        return fitted.data_min_, fitted.data_range_
    standard = StandardScaler().fit(x)
    if how == "standard":
        return standard.mean_, standard.scale_
    robust = RobustScaler().fit(x)
    lower, upper = np.percentile(x, [25, 75], axis=0)
    # half of its values are the same: scikit-learn would pass on such a column as it is
    return robust.center_, np.where(upper > lower, robust.scale_, standard.scale_)
