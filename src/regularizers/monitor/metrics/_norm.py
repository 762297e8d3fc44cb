"""The norm of an activation."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from torch import Tensor

from regularizers.monitor.metrics._reduced import Reduced
from regularizers.monitor.metrics._reductions import NormTotal, Reduction, SquareTotal
from regularizers.monitor.metrics._shared import SharedMetric
from regularizers.monitor.metrics._sums import Numbers, Sums


@dataclasses.dataclass(eq=False)
class Norm(SharedMetric):
    r"""The L2 norm over the units of a sample, on average; and the root mean square.

    .. math:: \frac{1}{N} \sum_n \|x_n\|_2
        \qquad \sqrt{\frac{1}{NU} \sum_{n,u} x_{nu}^2}

    These are `L2Norm` with the reductions `"batch_mean"` and `"mean"`.

    Example:
        >>> import regularizers as rz
        >>> import torch
        >>> norm = rz.monitor.Norm()
        >>> norm.update(torch.tensor([[3.0, 4.0], [0.0, 1.0]]))
        >>> norm.value()
        3.0
        >>> round(norm.root_mean_square() ** 2, 12)
        6.5
    """

    names = ("norm", "root_mean_square")

    def root_mean_square(self) -> float:
        """Return the root of the mean square over all elements; NaN before any sample."""
        return self.as_dict()["root_mean_square"]

    def reads(self) -> Sequence[Reduction]:
        return [NormTotal(), SquareTotal()]

    def numbers(self, samples: Reduced) -> Numbers:
        return {
            "norms": samples.read(NormTotal()),
            "squares": samples.read(SquareTotal()),
            "samples": samples.sample_count,
            "elements": samples.element_count,
        }

    def compute(self, sums: Sums) -> tuple[Tensor, ...]:
        return sums["norms"] / sums["samples"], (sums["squares"] / sums["elements"]).sqrt()
