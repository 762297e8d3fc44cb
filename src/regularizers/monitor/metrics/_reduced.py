"""What metrics know of samples without their elements: reductions, and how many they are."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from regularizers.monitor.metrics._last_active import LastActive
from regularizers.monitor.metrics._reductions import Absolute, Norms, Reduction


class Reduced:
    """Reductions of samples, and counts of what is valid of them. Nothing waits for the device.

    Args:
        rows: the number of samples, whether they count or not.
        units: the number of units of one sample.
        device: where they are.
        valid: as in `Samples`.
        known: the reductions.
    """

    def __init__(
        self,
        rows: int,
        units: int,
        device: torch.device,
        valid: Tensor | None = None,
        known: Mapping[Reduction, Any] | None = None,
    ) -> None:
        self.rows = rows
        """The number of samples, whether they count or not."""
        self.device = device
        self._known: dict[Reduction, Any] = dict(known or ())
        self.units = units
        """The number of units of one sample."""
        self.valid = valid
        """What counts, (samples, units), or (samples, 1) of whole samples; None is everything."""

    def read(self, reduction: Reduction) -> Any:
        """Return a reduction of all samples."""
        return self._known[reduction]

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

    def last_active(self, threshold: float) -> Tensor:
        """Return the number of the last sample on which each unit is active; (units,), int64.

        It counts the samples that count for the unit, from 1; 0 is none.
        """
        last: Tensor = self.read(LastActive(threshold))
        return last

    @property
    def sample_count(self) -> Tensor | int:
        """How many samples count; an int where none is masked."""
        return self.rows if self.valid is None else self.count

    @property
    def element_count(self) -> Tensor | int:
        """How many elements count; an int where none is masked."""
        return self.rows * self.units if self.valid is None else self.elements

    @property
    def count_per_unit(self) -> Tensor | int:
        """How many samples count for each unit, (units,); an int where none is masked."""
        return self.rows if self.valid is None else self.per_unit

    @functools.cached_property
    def count(self) -> Tensor:
        """The number of samples that count; int64."""
        if self.valid is None:
            return self._whole((), self.rows)
        return self.valid.any(dim=1).sum()

    @functools.cached_property
    def elements(self) -> Tensor:
        """The number of elements that count; int64."""
        if self.valid is None:
            return self._whole((), self.rows * self.units)
        return self.per_sample.sum()

    @functools.cached_property
    def per_sample(self) -> Tensor:
        """The number of units that count in each sample; (samples,), int64."""
        if self.valid is None:
            return self._whole((self.rows,), self.units)
        return self.valid.sum(dim=1) * (self.units // self.valid.shape[1])

    @functools.cached_property
    def per_unit(self) -> Tensor:
        """The number of samples that count for each unit; (units,), int64."""
        if self.valid is None:
            return self._whole((self.units,), self.rows)
        return self.valid.sum(dim=0).expand(self.units)

    def _whole(self, shape: tuple[int, ...], number: int) -> Tensor:
        return torch.full(shape, number, dtype=torch.int64, device=self.device)
