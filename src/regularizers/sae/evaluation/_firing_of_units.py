"""Whether the right units fire, pooled over units and for each of them."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

from regularizers.monitor.metrics import PairMetric, Samples, Sums


@dataclasses.dataclass(eq=False)
class FiringOfUnits(PairMetric):
    """`Firing` from counts of each unit, and the mean over units of their own F1.

    A unit that fires in neither code has the F1 of NaN, and is left out of the mean.
    """

    names = ("f1", "precision", "recall", "mean_f1")

    def statistics(self, target: Samples, reconstruction: Samples) -> Sums:
        true, found = target.active(0.0), reconstruction.active(0.0)
        counts = {"both": true & found, "true": true, "found": found}
        return {name: fires.sum(dim=0) for name, fires in counts.items()}

    def compute(self, sums: Sums) -> tuple[Tensor, ...]:
        each = 2 * sums["both"] / (sums["true"] + sums["found"])
        both, true, found = sums["both"].sum(), sums["true"].sum(), sums["found"].sum()
        return 2 * both / (true + found), both / found, both / true, torch.nanmean(each)
