"""A batch as a matrix: a row for each sample, a column for each unit."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from regularizers.modules import Totals
from regularizers.monitor.metrics._block import Block, in_float32, is_plain, widest
from regularizers.monitor.metrics._matrix import as_matrix
from regularizers.monitor.metrics._reduced import Reduced
from regularizers.monitor.metrics._reductions import Reduction
from regularizers.penalties.arrays import Axes

_AT_ONCE = {True: 2**17, False: 2**24}
"""Elements in one part, on a CPU (what stays in its cache) and elsewhere (64 MiB of float32)."""


class Samples(Reduced):
    """The samples of one batch, and which of their units count.

    A sample is one index along the batch axes, a unit one along all others. Of a mask only what is
    valid counts: a sample counts if any of its units is valid, and a unit has as many samples as
    are valid for it. Nothing here waits for the device. `Samples.of` makes them of an array.

    Args:
        matrix: (samples, units), real floating.
        valid: what counts, boolean: (samples, units), or (samples, 1) where samples count as a
            whole. None: everything.
        totals: what is known of the whole array, by name; None: nothing.

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
        super().__init__(matrix.shape[0], matrix.shape[1], matrix.device, valid)
        self._matrix = matrix
        self._totals = None if valid is not None else totals
        self._active: dict[float, Tensor] = {}
        self.is_plain = is_plain(matrix)
        """Whether it is an ordinary tensor of a CPU."""

    @classmethod
    def of(
        cls,
        x: Tensor,
        batch_axis: Axes = 0,
        mask: Tensor | None = None,
        name: str = "x",
        totals: Totals | None = None,
    ) -> Samples:
        """Return the samples of an array of any number of axes.

        What `totals` has of the whole array is not read again, and what is read is added to it.

        Args:
            x: real floating.
            batch_axis: which axes count samples; the others count units.
            mask: boolean, over the leading axes of `x`: True where it counts.
            name: of the array, for errors.
            totals: what is known of the whole array, by name; None: nothing.

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
        if reduction not in self._known:
            self.read_together([reduction])
        return self._known[reduction]

    def read_together(self, reductions: Iterable[Reduction]) -> None:
        """Compute reductions in one pass over the samples."""
        missing = [reduction for reduction in reductions if reduction not in self._known]
        for reduction, parts in zip(missing, self.reduced(missing), strict=True):
            self._known[reduction] = reduction.joined(parts)

    def reduced(self, reductions: Sequence[Reduction]) -> list[list[Any]]:
        """Return the parts of each reduction, by blocks that stay in the cache, to be joined."""
        totals: Totals = {} if self._totals is None else self._totals
        names = [reduction.total for reduction in reductions]
        parts: list[list[Any]] = [
            [totals[n]] if n is not None and n in totals else [] for n in names
        ]
        to_read = [
            (reduction, results)
            for reduction, results in zip(reductions, parts, strict=True)
            if not results
        ]
        for matrix, valid in self._pieces():
            block = Block(matrix, valid, is_plain=self.is_plain)
            for reduction, results in to_read:
                results.append(reduction.of(block))
        for name, reduction, results in zip(names, reductions, parts, strict=True):
            if name is not None and name not in totals:
                totals[name] = reduction.joined(results)
        return parts

    @property
    def version(self) -> int | None:
        """How often the array was written; None where that is not counted."""
        return None if self._matrix.is_inference() else self._matrix._version

    @functools.cached_property
    def x(self) -> Tensor:
        """The elements, at least in float32, and 0 where they do not count; (samples, units)."""
        return self.select(in_float32(self._matrix))

    @functools.cached_property
    def absolute(self) -> Tensor:
        """The absolute values of `x`; (samples, units)."""
        return self.x.abs()

    def select(self, y: Tensor) -> Tensor:
        """Return `y` where it counts, and 0 or False elsewhere.

        Args:
            y: (samples, units), computed of `x`. Of zeros it may be another number than 0.
        """
        return y if self.valid is None else torch.where(self.valid, y, torch.zeros_like(y))

    def active(self, threshold: float) -> Tensor:
        """Return where `|x| > threshold`; (samples, units). What does not count is not active."""
        if threshold not in self._active:
            self._active[threshold] = self.absolute > threshold
        return self._active[threshold]

    def total(self, x: Tensor, axis: int | None = None) -> Tensor:
        """Return the sum of `x`, or along one axis of it, added up in the widest type."""
        dtype = widest(x.device)
        return x.sum(dtype=dtype) if axis is None else x.sum(dtype=dtype, dim=axis)
