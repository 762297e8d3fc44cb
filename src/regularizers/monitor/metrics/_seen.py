"""How much there was to see."""

from __future__ import annotations

import dataclasses

from regularizers.monitor.metrics._metric import Metric
from regularizers.monitor.metrics._samples import Samples
from regularizers.monitor.metrics._streaming import State


@dataclasses.dataclass(eq=False)
class Seen(Metric):
    """The number of samples that counted, and of units in each."""

    def value(self) -> int:
        """Return the number of samples; 0 before any."""
        return 0 if self._state is None else int(self._state["samples"].item())

    def units(self) -> float:
        """Return the number of units of a sample, of unequal ones the mean."""
        return self._sum("elements") / self.value() if self.value() else float("nan")

    def as_dict(self) -> dict[str, float]:
        return {"samples": float(self.value()), "units": self.units()}

    def _measure(self, samples: Samples) -> State:
        return {"samples": samples.count, "elements": samples.elements}
