"""The direction of a reconstruction."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

from regularizers.monitor.metrics._metric import PairMetric
from regularizers.monitor.metrics._samples import Samples
from regularizers.monitor.metrics._sums import Sums


@dataclasses.dataclass(eq=False)
class CosineSimilarity(PairMetric):
    r"""The cosine of the angle between a target and its reconstruction, on average; at best 1.

    .. math:: \frac{1}{N} \sum_n \frac{x_n \cdot \hat x_n}{\|x_n\|_2 \, \|\hat x_n\|_2}

    It does not see the size of a reconstruction, which `NormRatio` does. A sample with a side of
    zeros has no direction: it counts as 0, since nothing of its target is found, unless both sides
    are zeros, which is 1.

    Example:
        >>> import regularizers as rz
        >>> import torch
        >>> cosine = rz.monitor.CosineSimilarity()
        >>> cosine.update(
        ...     torch.tensor([[1.0, 0.0], [1.0, 1.0]]), torch.tensor([[5.0, 0.0], [1.0, -1.0]])
        ... )
        >>> cosine.value()
        0.5
    """

    def statistics(self, target: Samples, reconstruction: Samples) -> Sums:
        counts = target.per_sample > 0
        size, made = target.norms, reconstruction.norms
        # divided before they are multiplied, so that no product leaves the type
        directions = _direction(target.x, size) * _direction(reconstruction.x, made)
        both_zero = (size == 0) & (made == 0)
        cosines = torch.where(both_zero, 1.0, target.total(directions, axis=1))
        return {"total": torch.where(counts, cosines, 0.0).sum(), "samples": target.count}

    def compute(self, sums: Sums) -> Tensor:
        return sums["total"] / sums["samples"]


def _direction(x: Tensor, size: Tensor) -> Tensor:
    return x / torch.where(size == 0, 1.0, size)[:, None]
