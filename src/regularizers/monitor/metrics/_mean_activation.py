"""The mean of an activation."""

from __future__ import annotations

import dataclasses

from regularizers.monitor.metrics._metric import Metric
from regularizers.monitor.metrics._samples import Samples
from regularizers.monitor.metrics._streaming import State


@dataclasses.dataclass(eq=False)
class MeanActivation(Metric):
    r"""The mean over all elements, of samples and units alike.

    .. math:: \bar x = \frac{1}{NU} \sum_{n,u} x_{nu}

    Example:
        >>> import regularizers as rz
        >>> import torch
        >>> mean = rz.monitor.MeanActivation()
        >>> mean.update(torch.tensor([[0.0, 2.0], [-1.0, 3.0]]))
        >>> mean.value()
        1.0
    """

    def value(self) -> float:
        """Return the mean; NaN before any sample."""
        elements = self._sum("elements")
        return self._sum("total") / elements if elements else float("nan")

    def as_dict(self) -> dict[str, float]:
        return {"mean_activation": self.value()}

    def _measure(self, samples: Samples) -> State:
        return {"total": samples.total(samples.x), "elements": samples.elements}
