"""A batch as a matrix: a row for each sample, a column for each unit."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from regularizers.modules import Totals
from regularizers.monitor.metrics._block import Block, in_float32, widest
from regularizers.monitor.metrics._last_active import LastActive
from regularizers.monitor.metrics._matrix import as_matrix
from regularizers.monitor.metrics._reductions import (
    Absolute,
    Active,
    Norms,
    Reduction,
)
from regularizers.penalties.arrays import Axes

_AT_ONCE = {True: 2**18, False: 2**24}
"""Elements in one part, on a CPU (what stays in its cache) and elsewhere (64 MiB of float32)."""


class Samples:
    """The samples of one batch, and which of their units count.

    A sample is one index along the batch axes, a unit one along all others. Of a mask only what is
    valid counts: a sample counts if any of its units is valid, and a unit has as many samples as
    are valid for it. Nothing here waits for the device. `Samples.of` makes them of an array.

    Args:
        matrix: (samples, units), real floating.
        valid: what counts, boolean: (samples, units), or (samples, 1) where samples count as a
            whole. None: everything.

    Example:
        >>> import regularizers as rz
        >>> import torch
        >>> x = torch.tensor([[1.0, 2.0], [3.0, float("nan")]])
        >>> samples = rz.monitor.Samples.of(x, mask=torch.tensor([[True, True], [True, False]]))
        >>> samples.x
        tensor([[1., 2.],
                [3., 0.]])
        >>> samples.count.item(), samples.elements.item(), samples.units
        (2, 3, 2)
    """

    def __init__(
        self, matrix: Tensor, valid: Tensor | None = None, totals: Totals | None = None
    ) -> None:
        self._matrix = matrix
        self.valid = valid
        """What counts: (samples, units), or (samples, 1) of whole samples. None: everything."""
        self._totals = None if valid is not None else totals
        self._active: dict[float, Tensor] = {}
        self._read: dict[Reduction, Any] = {}

    @classmethod
    def of(
        cls,
        x: Tensor,
        batch_axis: Axes = 0,
        mask: Tensor | None = None,
        name: str = "x",
        totals: Totals | None = None,
    ) -> Samples:
        """Return the samples of an array of any number of axes; `name` is for errors.

        What `totals` has of the whole array is not read again, and what is read is added to it.

        Raises:
            ArrayTypeError: no plain tensor of a real floating type.
            ConfigurationError, ShapeError: a `batch_axis` that is none, or that `x` has not.
            OutputError, ShapeError: a mask that is not boolean, or not over the leading axes.
        """
        matrix, valid = as_matrix(x, batch_axis, mask, name)
        return cls(matrix, valid, totals)

    @property
    def is_empty(self) -> bool:
        """Whether there is no element at all."""
        return self._matrix.numel() == 0

    def parts(self) -> Iterator[Samples]:
        """Yield the samples in parts, so that what is computed of one is small."""
        pieces = self._pieces()
        if len(pieces) == 1:
            yield self
            return
        for matrix, valid in pieces:
            yield Samples(matrix, valid)

    def _pieces(self) -> Sequence[tuple[Tensor, Tensor | None]]:
        matrix, valid = self._matrix, self.valid
        samples, units = matrix.shape
        rows = max(_AT_ONCE[matrix.is_cpu] // max(units, 1), 1)
        if samples <= rows:
            return [(matrix, valid)]
        matrices = torch.split(matrix, rows)
        if valid is None:
            return [(part, None) for part in matrices]
        return list(zip(matrices, torch.split(valid, rows), strict=True))

    def read(self, reduction: Reduction) -> Any:
        """Return a reduction of all samples, which is computed once."""
        if reduction not in self._read:
            self.read_together([reduction])
        return self._read[reduction]

    def read_together(self, reductions: Iterable[Reduction]) -> None:
        """Compute reductions in one pass over the samples, in blocks that stay in the cache."""
        active, totals = Active(0.0), self._totals
        if totals is not None and "active" in totals:
            known = totals["active"]
            self._read[active] = int(known.item()) if known.is_cpu else known
        missing = [reduction for reduction in reductions if reduction not in self._read]
        if not missing:
            return
        parts: list[list[Any]] = [[] for _ in missing]
        for matrix, valid in self._pieces():
            block = Block(matrix, valid)
            for reduction, results in zip(missing, parts, strict=True):
                results.append(reduction.of(block))
        for reduction, results in zip(missing, parts, strict=True):
            self._read[reduction] = reduction.joined(results)
        if totals is not None and active in self._read:
            count = self._read[active]
            totals["active"] = (
                count.to(widest(count.device))
                if isinstance(count, Tensor)
                else torch.scalar_tensor(count, dtype=torch.float64)
            )

    @property
    def version(self) -> int | None:
        """How often the array was written; None where that is not counted."""
        return None if self._matrix.is_inference() else self._matrix._version

    @property
    def units(self) -> int:
        """The number of units of one sample."""
        return self._matrix.shape[1]

    @functools.cached_property
    def x(self) -> Tensor:
        """The elements, at least in float32, and 0 where they do not count; (samples, units)."""
        return self.select(in_float32(self._matrix))

    @functools.cached_property
    def absolute(self) -> Tensor:
        """|x|; (samples, units)."""
        return self.x.abs()

    @property
    def norms(self) -> Tensor:
        """‖x‖₂ of each sample, in float64; (samples,)."""
        norms: Tensor = self.read(Norms())
        return norms

    @property
    def absolute_sums(self) -> Tensor:
        """‖x‖₁ of each sample, in float64; (samples,)."""
        sums: Tensor = self.read(Absolute())
        return sums

    def select(self, y: Tensor) -> Tensor:
        """Return `y` where it counts, and 0 or False elsewhere.

        Args:
            y: (samples, units), computed of `x`. Of zeros it may be another number than 0.
        """
        return y if self.valid is None else torch.where(self.valid, y, torch.zeros_like(y))

    def active(self, threshold: float) -> Tensor:
        """Return where |x| > `threshold`; (samples, units). What does not count is not active."""
        if threshold not in self._active:
            self._active[threshold] = self.absolute > threshold
        return self._active[threshold]

    def last_active(self, threshold: float) -> Tensor:
        """Return the number of the last sample on which each unit is active; (units,), int64.

        It counts the samples that count for the unit, from 1; 0 is none.
        """
        last: Tensor = self.read(LastActive(threshold))
        return last

    def total(self, x: Tensor, axis: int | None = None) -> Tensor:
        """Return the sum of `x`, or along one axis of it, added up in the widest type."""
        dtype = widest(x.device)
        return x.sum(dtype=dtype) if axis is None else x.sum(dtype=dtype, dim=axis)

    @property
    def sample_count(self) -> Tensor | int:
        """How many samples count; an int where none is masked."""
        return self._matrix.shape[0] if self.valid is None else self.count

    @property
    def element_count(self) -> Tensor | int:
        """How many elements count; an int where none is masked."""
        return self._matrix.numel() if self.valid is None else self.elements

    @property
    def count_per_unit(self) -> Tensor | int:
        """How many samples count for each unit, (units,); an int where none is masked."""
        return self._matrix.shape[0] if self.valid is None else self.per_unit

    @functools.cached_property
    def count(self) -> Tensor:
        """The number of samples that count; int64."""
        if self.valid is None:
            return self._whole((), self._matrix.shape[0])
        return self.valid.any(dim=1).sum()

    @functools.cached_property
    def elements(self) -> Tensor:
        """The number of elements that count; int64."""
        if self.valid is None:
            return self._whole((), self._matrix.numel())
        return self.per_sample.sum()

    @functools.cached_property
    def per_sample(self) -> Tensor:
        """The number of units that count in each sample; (samples,), int64."""
        if self.valid is None:
            return self._whole((self._matrix.shape[0],), self.units)
        return self.valid.sum(dim=1) * (self.units // self.valid.shape[1])

    @functools.cached_property
    def per_unit(self) -> Tensor:
        """The number of samples that count for each unit; (units,), int64."""
        if self.valid is None:
            return self._whole((self.units,), self._matrix.shape[0])
        return self.valid.sum(dim=0).expand(self.units)

    def _whole(self, shape: tuple[int, ...], number: int) -> Tensor:
        return torch.full(shape, number, dtype=torch.int64, device=self._matrix.device)
