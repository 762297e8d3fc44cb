"""Moving averages without bias from the first value on."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass
class Average:
    r"""An exponential moving average, corrected for its start at 0.

    .. math:: m_t = \frac{\sum_{k \le t} \beta^{t-k} x_k}{\sum_{k \le t} \beta^{t-k}}, \qquad
        \beta = 1 - 1/\text{steps}

    Args:
        steps: the time constant, in steps.
        total: the weighted sum of the values so far.
        weight: the sum of their weights.

    Example:
        >>> from regularizers.control import Average
        >>> average = Average(steps=10)
        >>> for x in (1.0, 2.0):
        ...     average.add(x)
        >>> round(average.mean, 3)  # (0.9 · 1 + 2) / (0.9 + 1)
        1.526
    """

    steps: int
    total: float = 0.0
    weight: float = 0.0

    def add(self, x: float) -> None:
        """Add a value.

        Args:
            x: the value.
        """
        keep = 1 - 1 / self.steps
        self.total = keep * self.total + x
        self.weight = keep * self.weight + 1

    @property
    def mean(self) -> float:
        """The current average; NaN before the first value."""
        return self.total / self.weight if self.weight else math.nan
