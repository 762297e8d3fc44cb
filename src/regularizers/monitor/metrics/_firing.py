"""Whether the right units fire."""

from __future__ import annotations

import dataclasses

from torch import Tensor

from regularizers.monitor.metrics._metric import PairMetric
from regularizers.monitor.metrics._samples import Samples
from regularizers.monitor.metrics._sums import Sums
from regularizers.penalties.arrays import check_not_negative


@dataclasses.dataclass(eq=False)
class Firing(PairMetric):
    r"""Which units of a known code are found to fire, `|x| > θ`: F1, precision and recall.

    .. math:: P = \frac{\text{both}}{\text{found}}, \quad R = \frac{\text{both}}{\text{true}}, \quad
        F_1 = \frac{2 \, \text{both}}{\text{found} + \text{true}}

    The target is the true code, the reconstruction the one that was found. It counts over all
    elements (micro-averaged), so frequent units weigh more. Units are compared in their order:
    match those of a dictionary first, by `recovery`. NaN exceeds nothing, so it does not fire in
    either code. If nothing fired in the found code, precision is NaN; in the true code, recall; in
    both, F1.

    Args:
        threshold: θ, for both codes; finite, 0 or more.

    Raises:
        StrengthError, StrengthTypeError, ConfigurationError: the threshold is no such number.

    Example:
        >>> import regularizers as rz
        >>> import torch
        >>> firing = rz.monitor.Firing()
        >>> firing.update(
        ...     torch.tensor([[1.0, 2.0, 0.0, 0.0]]), torch.tensor([[0.5, 0.0, 0.0, 0.1]])
        ... )
        >>> firing.as_dict()
        {'firing_f1': 0.5, 'firing_precision': 0.5, 'firing_recall': 0.5}
    """

    names = ("firing_f1", "firing_precision", "firing_recall")
    threshold: float = 0.0

    def __post_init__(self) -> None:
        check_not_negative(self.threshold, "threshold")

    def statistics(self, target: Samples, reconstruction: Samples) -> Sums:
        true, found = target.active(self.threshold), reconstruction.active(self.threshold)
        return {"both": (true & found).sum(), "true": true.sum(), "found": found.sum()}

    def compute(self, sums: Sums) -> tuple[Tensor, ...]:
        both, true, found = sums["both"], sums["true"], sums["found"]
        return 2 * both / (true + found), both / found, both / true
