"""Errors of reconstructions that a monitor does not measure."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

from regularizers.monitor.metrics import PairMetric, Samples, Sums


@dataclasses.dataclass(eq=False)
class MeanSquaredError(PairMetric):
    r"""The squared error, on average over samples and features.

    .. math:: \frac{1}{N U} \sum_{n,u} (x_{nu} - \hat x_{nu})^2
    """

    def statistics(self, target: Samples, reconstruction: Samples) -> Sums:
        apart = target.x - reconstruction.x
        return {"errors": target.total(apart.square()), "elements": target.elements}

    def compute(self, sums: Sums) -> Tensor:
        return sums["errors"] / sums["elements"]


@dataclasses.dataclass(eq=False)
class MeanExplainedVariance(PairMetric):
    r"""The explained variance of single samples, on average; it depends on the batches.

    .. math:: \frac{1}{N} \sum_n \left( 1 - \frac{\|x_n - \hat x_n\|_2^2}{\|x_n - \bar x\|_2^2}
        \right)

    The mean x̄ is that of the sample's batch. Samples near the mean weigh as much as those far from
    it, and a few that are very near may rule it. A sample that is the mean of its batch has no
    ratio and does not count.
    """

    def add(self, target: Samples, reconstruction: Samples) -> None:
        if not target.is_empty:
            with torch.no_grad():  # not in parts: the mean is of the whole batch
                self.add_part(target, reconstruction)

    def statistics(self, target: Samples, reconstruction: Samples) -> Sums:
        mean = (target.total(target.x, axis=0) / len(target.x)).to(target.x.dtype)
        variances = target.total((target.x - mean).square(), axis=1)
        errors = target.total((target.x - reconstruction.x).square(), axis=1)
        counts = variances > 0
        ratios = torch.where(counts, 1 - errors / torch.where(counts, variances, 1.0), 0.0)
        return {"total": ratios.sum(), "samples": counts.sum()}

    def compute(self, sums: Sums) -> Tensor:
        return sums["total"] / sums["samples"]
