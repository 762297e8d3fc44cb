"""How unequal the units of a sample are, as one number."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import torch
from torch import Tensor

from regularizers.errors import ShapeError
from regularizers.monitor.metrics._reduced import Reduced
from regularizers.monitor.metrics._reductions import Absolute, Norms, Reduction
from regularizers.monitor.metrics._shared import SharedMetric
from regularizers.monitor.metrics._sums import Numbers, Sums


@dataclasses.dataclass(eq=False)
class HoyerSparsity(SharedMetric):
    r"""Hoyer's sparsity of a sample, from 0 (all units alike) to 1 (one unit active), on average.

    .. math:: \frac{1}{N} \sum_n \frac{\sqrt{U} - \|x_n\|_1 / \|x_n\|_2}{\sqrt{U} - 1}

    U counts the units of the sample; with a mask the valid ones. The scale of a sample does not
    matter. For a sample of zeros it is not defined and counts as 1: with one active unit it is 1,
    and when that unit falls silent too, the metric should not drop. `ActiveUnits` and `DeadUnits`
    distinguish silent codes from sparse ones.

    For a single unit it is not defined either: that raises. Samples with fewer than two valid units
    do not count.

    Example:
        >>> import regularizers as rz
        >>> import torch
        >>> hoyer = rz.monitor.HoyerSparsity()
        >>> hoyer.update(torch.tensor([[5.0, 0.0, 0.0, 0.0], [1.0, 1.0, 1.0, -1.0]]))
        >>> hoyer.value()
        0.5

    Source: Hoyer, "Non-negative matrix factorization with sparseness constraints", 2004, section 2.
    """

    def reads(self) -> Sequence[Reduction]:
        return [Absolute(), Norms()]

    def numbers(self, samples: Reduced) -> Numbers:
        if samples.units < 2:
            raise ShapeError(
                "expected samples of two units or more, got one, whose sparsity is not defined; "
                "choose another site, or say by batch_axis which axes count samples"
            )
        defined = samples.per_sample >= 2
        each = torch.where(defined, _sparsity(samples), 0.0)
        return {"total": each.sum(), "samples": defined.sum()}

    def compute(self, sums: Sums) -> Tensor:
        return sums["total"] / sums["samples"]


def _sparsity(samples: Reduced) -> Tensor:
    """Return the sparsity of each sample of at least two units; (samples,)."""
    l1, l2 = samples.absolute_sums, samples.norms
    root = samples.per_sample.clamp(min=2).to(l2.dtype).sqrt()
    return torch.where(l1 == 0, 1.0, (root - l1 / l2) / (root - 1))
