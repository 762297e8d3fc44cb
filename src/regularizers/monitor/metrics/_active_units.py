"""How many units of a sample are active."""

from __future__ import annotations

import dataclasses

from regularizers.monitor.metrics._metric import Metric
from regularizers.monitor.metrics._samples import Samples
from regularizers.monitor.metrics._streaming import State
from regularizers.penalties.arrays import check_not_negative


@dataclasses.dataclass(eq=False)
class ActiveUnits(Metric):
    r"""Active units of a sample, the L0 of a code: how many of |x| exceed a threshold, on average.

    .. math:: \frac{1}{N} \sum_{n=1}^{N} \#\{u : |x_{nu}| > \theta\}

    N counts samples. With the threshold 0 it is exact: of a ReLU, what is not zero. NaN exceeds
    nothing, so that units which became NaN count as silent.

    Args:
        threshold: θ, in the units of the activation; finite, 0 or more.

    Raises:
        StrengthError, StrengthTypeError, ConfigurationError: a threshold that is no such number.

    Example:
        >>> import regularizers as rz
        >>> import torch
        >>> l0 = rz.monitor.ActiveUnits()
        >>> l0.update(torch.tensor([[0.0, 2.0, -1.0], [0.0, 0.0, 3.0]]))
        >>> l0.value(), l0.fraction()
        (1.5, 0.5)
    """

    threshold: float = 0.0

    def __post_init__(self) -> None:
        check_not_negative(self.threshold, "threshold")

    def value(self) -> float:
        """Return the mean number of active units of a sample; NaN before any."""
        samples = self._sum("samples")
        return self._sum("active") / samples if samples else float("nan")

    def fraction(self) -> float:
        """Return the share of all elements that is active, in [0, 1]; NaN before any."""
        elements = self._sum("elements")
        return self._sum("active") / elements if elements else float("nan")

    def as_dict(self) -> dict[str, float]:
        return {"active_units": self.value(), "active_fraction": self.fraction()}

    def _measure(self, samples: Samples) -> State:
        return {
            "active": samples.active(self.threshold).sum(),
            "samples": samples.count,
            "elements": samples.elements,
        }
