"""A line fitted to costs: a fixed cost and a cost each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class Fit(NamedTuple):
    """The line cost = fixed + each·n, and how well it fits.

    `deviation` is the largest of |cost − line| / line. `slope` is that of a line through the upper
    half of the points on logarithmic scales: 1 where the cost is proportional to n.
    """

    fixed: float
    each: float
    r_squared: float
    deviation: float
    slope: float

    def at(self, n: float) -> float:
        """Return the cost on the line."""
        return self.fixed + self.each * n


def straight_line(numbers: Sequence[float], costs: Sequence[float]) -> Fit:
    """Fit by least squares of the residuals divided by n, so that small n count as much as large.

    Args:
        numbers: three or more, rising and positive.
        costs: one for each.
    """
    n, cost = np.asarray(numbers, float), np.asarray(costs, float)
    each, fixed = np.polyfit(n, cost, 1, w=1 / n)
    line = fixed + each * n
    mean = np.average(cost, weights=1 / n**2)
    unexplained = np.sum(((cost - line) / n) ** 2) / np.sum(((cost - mean) / n) ** 2)
    upper = len(n) // 2
    slope = math.nan
    if (cost[upper:] > 0).all():
        slope = np.polyfit(np.log(n[upper:]), np.log(cost[upper:]), 1)[0]
    deviation = np.max(np.abs(cost - line) / np.abs(line))
    return Fit(*map(float, (fixed, each, 1 - unexplained, deviation, slope)))
