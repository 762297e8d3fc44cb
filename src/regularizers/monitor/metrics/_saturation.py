"""The share of an activation where its function is flat."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Self

from torch import Tensor

from regularizers.errors import ConfigurationError
from regularizers.monitor.metrics._reduced import Reduced
from regularizers.monitor.metrics._reductions import Above, Below, Reduction
from regularizers.monitor.metrics._shared import SharedMetric
from regularizers.monitor.metrics._sums import Numbers, Sums


@dataclasses.dataclass(eq=False)
class Saturation(SharedMetric):
    r"""The share of elements below `low` or above `high`, where a squashing function is flat.

    .. math:: \frac{\#\{x_{nu} < low\} + \#\{x_{nu} > high\}}{NU}

    It reads the output y of the function. The function is flat where its derivative, for both
    functions a parabola in y, is less than a share s of its maximum:

    ========  ===========  ================================  =================
    function  derivative   s of its maximum is left where    at s = 0.1
    ========  ===========  ================================  =================
    sigmoid   y(1 − y)     y = ½ ± ½·√(1 − s)                0.0257 and 0.9743
    tanh      1 − y²       y = ± √(1 − s)                    −0.9487 and 0.9487
    ========  ===========  ================================  =================

    Args:
        low: the output below which the function counts as flat; `-math.inf` for none.
        high: the output above which it counts as flat; `math.inf` for none.

    Raises:
        ConfigurationError: `low` is not smaller than `high`.

    Example:
        >>> import regularizers as rz
        >>> import torch
        >>> saturation = rz.monitor.Saturation.of_tanh()
        >>> saturation.update(torch.tensor([[-1.0, 0.0], [0.96, 0.5]]))
        >>> saturation.value()
        0.5
    """

    names = ("saturation", "saturation_low", "saturation_high")
    low: float
    high: float

    def __post_init__(self) -> None:
        if not self.low < self.high:
            raise ConfigurationError(
                f"Saturation: expected two numbers of which low is smaller, got low={self.low!r} "
                f"and high={self.high!r}"
            )

    @classmethod
    def of_sigmoid(cls, share: float = 0.1) -> Self:
        """Return the metric for the output of a sigmoid.

        Args:
            share: the share of its greatest slope, ¼, below which it counts as flat; in (0, 1).

        Raises:
            ConfigurationError: the share is not in (0, 1).
        """
        half = math.sqrt(1 - _checked(share)) / 2
        return cls(0.5 - half, 0.5 + half)

    @classmethod
    def of_tanh(cls, share: float = 0.1) -> Self:
        """Return the metric for the output of a tanh.

        Args:
            share: the share of its greatest slope, 1, below which it counts as flat; in (0, 1).

        Raises:
            ConfigurationError: the share is not in (0, 1).
        """
        edge = math.sqrt(1 - _checked(share))
        return cls(-edge, edge)

    def note(self) -> str | None:
        if self.value() <= 0.5:
            return None
        return f"{self.value():.1%} of the elements are where the function is flat"

    def reads(self) -> Sequence[Reduction]:
        return [Below(self.low), Above(self.high)]

    def numbers(self, samples: Reduced) -> Numbers:
        below, above = [samples.read(reduction) for reduction in self.reads()]
        return {"below": below, "above": above, "elements": samples.element_count}

    def compute(self, sums: Sums) -> tuple[Tensor, ...]:
        below, above = sums["below"] / sums["elements"], sums["above"] / sums["elements"]
        return below + above, below, above


def _checked(share: float) -> float:
    if not 0 < share < 1:
        raise ConfigurationError(
            f"share: expected a number between 0 and 1, of the greatest slope, got {share!r}"
        )
    return share
