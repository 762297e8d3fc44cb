"""How large an activation is."""

from __future__ import annotations

import dataclasses
import math

import torch

from regularizers.monitor.metrics._metric import Metric
from regularizers.monitor.metrics._samples import Samples, widest
from regularizers.monitor.metrics._streaming import State


@dataclasses.dataclass(eq=False)
class Norm(Metric):
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

    def value(self) -> float:
        """Return the mean norm of a sample; NaN before any."""
        samples = self._sum("samples")
        return self._sum("norms") / samples if samples else float("nan")

    def root_mean_square(self) -> float:
        """Return the root of the mean square over all elements; NaN before any sample."""
        elements = self._sum("elements")
        return math.sqrt(self._sum("squares") / elements) if elements else float("nan")

    def as_dict(self) -> dict[str, float]:
        return {"norm": self.value(), "root_mean_square": self.root_mean_square()}

    def _measure(self, samples: Samples) -> State:
        norms = torch.linalg.vector_norm(samples.x, dim=1, dtype=widest(samples.x.device))
        return {
            "norms": norms.sum(),
            "squares": norms.square().sum(),
            "samples": samples.count,
            "elements": samples.elements,
        }
