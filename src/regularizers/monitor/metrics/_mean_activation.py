"""The mean of an activation."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from torch import Tensor

from regularizers.monitor.metrics._reduced import Reduced
from regularizers.monitor.metrics._reductions import Reduction, Total
from regularizers.monitor.metrics._shared import SharedMetric
from regularizers.monitor.metrics._sums import Numbers, Sums


@dataclasses.dataclass(eq=False)
class MeanActivation(SharedMetric):
    r"""The mean over all elements, over samples and units.

    .. math:: \bar x = \frac{1}{NU} \sum_{n,u} x_{nu}

    Example:
        >>> import regularizers as rz
        >>> import torch
        >>> mean = rz.monitor.MeanActivation()
        >>> mean.update(torch.tensor([[0.0, 2.0], [-1.0, 3.0]]))
        >>> mean.value()
        1.0
    """

    def reads(self) -> Sequence[Reduction]:
        return [Total()]

    def numbers(self, samples: Reduced) -> Numbers:
        return {"total": samples.read(Total()), "elements": samples.element_count}

    def compute(self, sums: Sums) -> Tensor:
        return sums["total"] / sums["elements"]
