"""Whether reconstructions are too small or too large as a whole."""

from __future__ import annotations

import dataclasses

from torch import Tensor

from regularizers.monitor.metrics._block import widest
from regularizers.monitor.metrics._metric import PairMetric
from regularizers.monitor.metrics._samples import Samples
from regularizers.monitor.metrics._sums import Sums


@dataclasses.dataclass(eq=False)
class RelativeBias(PairMetric):
    r"""The relative reconstruction bias γ; 1 for an unbiased reconstruction, below 1 for shrinkage.

    .. math:: \gamma = \frac{\sum_n \|\hat x_n\|_2^2}{\sum_n x_n \cdot \hat x_n}
        = \arg\min_{c} \sum_n \|x_n - \hat x_n / c\|_2^2

    The reconstruction divided by γ has the least squared error: γ = 1 if no rescaling makes it
    better. If all reconstructions are zeros it is NaN.

    Example:
        >>> import regularizers as rz
        >>> import torch
        >>> x = torch.tensor([[1.0, 2.0], [3.0, -1.0]])
        >>> bias = rz.monitor.RelativeBias()
        >>> bias.update(x, 0.75 * x)
        >>> bias.value()
        0.75

    Source: Rajamanoharan et al., "Improving dictionary learning with gated sparse autoencoders",
    2024, `arXiv:2404.16014 <https://arxiv.org/abs/2404.16014>`__, section 3.2.
    """

    def statistics(self, target: Samples, reconstruction: Samples) -> Sums:
        made = reconstruction.x.to(widest(reconstruction.x.device))
        return {"squares": made.square().sum(), "products": (made * target.x).sum()}

    def compute(self, sums: Sums) -> Tensor:
        return sums["squares"] / sums["products"]
