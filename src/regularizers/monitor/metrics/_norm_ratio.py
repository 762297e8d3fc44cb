"""The size of a reconstruction."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

from regularizers.monitor.metrics._metric import PairMetric
from regularizers.monitor.metrics._samples import Samples
from regularizers.monitor.metrics._sums import Sums


@dataclasses.dataclass(eq=False)
class NormRatio(PairMetric):
    r"""The norm of a reconstruction over that of its target, on average; at best 1.

    .. math:: \frac{1}{N} \sum_n \frac{\|\hat x_n\|_2}{\|x_n\|_2}

    Below 1 reconstructions are shrunk, as an L1 penalty on a code does. Samples whose target is
    zeros have no ratio and do not count.

    Example:
        >>> import regularizers as rz
        >>> import torch
        >>> ratio = rz.monitor.NormRatio()
        >>> ratio.update(
        ...     torch.tensor([[3.0, 4.0], [2.0, 0.0], [0.0, 0.0]]),
        ...     torch.tensor([[0.0, 2.5], [2.0, 0.0], [1.0, 0.0]]),
        ... )
        >>> ratio.value()
        0.75
    """

    def statistics(self, target: Samples, reconstruction: Samples) -> Sums:
        size = target.norms
        counts = size != 0  # NaN counts, so that it is seen
        ratios = torch.where(counts, reconstruction.norms / size, 0.0)
        return {"total": ratios.sum(), "samples": counts.sum()}

    def compute(self, sums: Sums) -> Tensor:
        return sums["total"] / sums["samples"]
