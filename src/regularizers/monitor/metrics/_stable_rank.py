"""How many directions an activation has."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

from regularizers.errors import ShapeError
from regularizers.monitor.metrics._block import widest
from regularizers.monitor.metrics._metric import Metric
from regularizers.monitor.metrics._samples import Samples
from regularizers.monitor.metrics._sums import Sums

MOST_UNITS = 8192
"""Units up to which XᵀX is kept: it has their square of float64, half a GiB."""


@dataclasses.dataclass(eq=False)
class StableRank(Metric):
    r"""The stable rank of all samples seen: about how many directions share their energy.

    .. math:: \frac{\|X\|_F^2}{\|X\|_2^2}
        = \frac{\operatorname{tr} X^\top X}{\lambda_{\max}(X^\top X)} \in [1, \min(N, U)]

    X has a row for each sample. It is 1 where all samples are multiples of one, and U where all
    directions are alike. Samples are not centred: a large mean makes it small. What a mask leaves
    out is 0. If all elements are 0 it is NaN.

    It keeps XᵀX, of U × U numbers, and an update costs N·U² operations.

    Raises:
        ShapeError: in an update, more than 8192 units.

    Example:
        >>> import regularizers as rz
        >>> import torch
        >>> rank = rz.monitor.StableRank()
        >>> rank.update(torch.tensor([[2.0, 0.0], [0.0, 1.0]]))
        >>> rank.value()
        1.25

    Source: Rudelson and Vershynin, "Sampling from large matrices", 2007, the numerical rank.
    """

    def statistics(self, samples: Samples) -> Sums:
        if samples.units > MOST_UNITS:
            raise ShapeError(
                f"expected at most {MOST_UNITS} units, whose products take half a GiB, got "
                f"{samples.units}; choose a narrower site, or say by batch_axis which axes count "
                f"samples"
            )
        x = samples.x.to(widest(samples.x.device))
        with torch.autocast(x.device.type, enabled=False):
            return {"products": x.mT @ x}

    def compute(self, sums: Sums) -> Tensor:
        products = sums["products"]
        is_finite = products.isfinite().all()
        # no eigenvalue is computed of what is not finite: that would raise
        largest = torch.linalg.eigvalsh(torch.where(is_finite, products, 0.0))[-1]
        rank = products.diagonal().sum() / largest
        return torch.where(is_finite & (largest > 0), rank, torch.nan)
