"""The number of active units of a sample."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from torch import Tensor

from regularizers.monitor.metrics._reduced import Reduced
from regularizers.monitor.metrics._reductions import Active, Reduction
from regularizers.monitor.metrics._shared import SharedMetric
from regularizers.monitor.metrics._sums import Numbers, Sums
from regularizers.penalties.arrays import check_not_negative


@dataclasses.dataclass(eq=False)
class ActiveUnits(SharedMetric):
    r"""Active units of a sample, the L0 of a code: how many `|x|` exceed θ, on average.

    .. math:: \frac{1}{N} \sum_{n=1}^{N} \#\{u : |x_{nu}| > \theta\}

    N counts samples. With the threshold 0 it is exact: it counts the elements that are not zero.
    NaN exceeds nothing, so units that became NaN count as silent.

    Args:
        threshold: θ, in the units of the activation; finite, 0 or more.

    Raises:
        StrengthError, StrengthTypeError, ConfigurationError: the threshold is no such number.

    Example:
        >>> import regularizers as rz
        >>> import torch
        >>> l0 = rz.monitor.ActiveUnits()
        >>> l0.update(torch.tensor([[0.0, 2.0, -1.0], [0.0, 0.0, 3.0]]))
        >>> l0.value(), l0.fraction()
        (1.5, 0.5)
    """

    names = ("active_units", "active_fraction")
    threshold: float = 0.0

    def __post_init__(self) -> None:
        check_not_negative(self.threshold, "threshold")

    def fraction(self) -> float:
        """Return the share of all elements that are active, in [0, 1]; NaN before any."""
        return self.as_dict()["active_fraction"]

    def reads(self) -> Sequence[Reduction]:
        return [Active(self.threshold)]

    def numbers(self, samples: Reduced) -> Numbers:
        return {
            "active": samples.read(Active(self.threshold)),
            "samples": samples.sample_count,
            "elements": samples.element_count,
        }

    def compute(self, sums: Sums) -> tuple[Tensor, ...]:
        return sums["active"] / sums["samples"], sums["active"] / sums["elements"]
