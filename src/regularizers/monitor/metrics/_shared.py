"""Metrics that read nothing but reductions, which all metrics of a site share."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

import torch

from regularizers.monitor.metrics._metric import Metric
from regularizers.monitor.metrics._reduced import Reduced
from regularizers.monitor.metrics._reductions import Reduction
from regularizers.monitor.metrics._samples import Samples
from regularizers.monitor.metrics._sums import Numbers, Sums, as_tensors


class SharedMetric(Metric):
    """A metric whose statistics follow from reductions, so that it is given whole batches."""

    @abstractmethod
    def reads(self) -> Sequence[Reduction]:
        """Return the reductions that `numbers` reads."""

    @abstractmethod
    def numbers(self, samples: Reduced) -> Numbers:
        """Return the statistics; what follows from a shape alone as int, to add at no cost."""

    def statistics(self, samples: Samples) -> Sums:
        return as_tensors(self.numbers(samples))

    def add(self, samples: Samples) -> None:
        """Count `samples`."""
        if not samples.is_empty:
            with torch.no_grad():
                samples.read_together(self.reads())
                self.take(self.numbers(samples))
