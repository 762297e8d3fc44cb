"""The number of samples and units."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from torch import Tensor

from regularizers.monitor.metrics._reduced import Reduced
from regularizers.monitor.metrics._reductions import Reduction
from regularizers.monitor.metrics._shared import SharedMetric
from regularizers.monitor.metrics._sums import Numbers, Sums


@dataclasses.dataclass(eq=False)
class Seen(SharedMetric):
    """The number of samples that counted, and of their units."""

    names = ("samples", "units")

    def value(self) -> int:
        """Return the number of samples; 0 before any."""
        return int(self.sums["samples"].item()) if self.sums else 0

    def units(self) -> float:
        """Return the number of units of a sample, on average."""
        return self.as_dict()["units"]

    def reads(self) -> Sequence[Reduction]:
        return ()

    def numbers(self, samples: Reduced) -> Numbers:
        return {"samples": samples.sample_count, "elements": samples.element_count}

    def compute(self, sums: Sums) -> tuple[Tensor, ...]:
        return sums["samples"], sums["elements"] / sums["samples"]
