"""Axes: where a value lies, and which values are named."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Scale:
    """Maps values to positions along an axis, from 0 to 1."""

    low: float
    high: float
    ticks: tuple[float, ...]
    place: Callable[[float], float]

    def __call__(self, value: float) -> float:
        """Return how far along the axis `value` lies."""
        low, high = self.place(self.low), self.place(self.high)
        return (self.place(min(max(value, self.low), self.high)) - low) / (high - low)


def linear(largest: float) -> Scale:
    """Return a scale from 0 to `largest` or a little more, with ticks at round values.

    Example:
        >>> linear(87).ticks
        (0.0, 25.0, 50.0, 75.0, 100.0)
    """
    largest = largest if largest > 0 else 1.0
    power = 10 ** math.floor(math.log10(largest))
    steps = [size * power for size in (0.1, 0.2, 0.25, 0.5, 1, 2, 2.5)]
    step = next(step for step in steps if largest / step <= 4)
    count = math.ceil(largest / step - 1e-9)
    return Scale(0, count * step, tuple(_round(i * step) for i in range(count + 1)), lambda v: v)


def logarithmic(values: Sequence[float]) -> Scale:
    """Return a scale around the positive `values`, with ticks at powers of ten, or between them.

    Example:
        >>> logarithmic([3e-4, 2e-2]).ticks
        (0.0001, 0.001, 0.01, 0.1)
    """
    positive = [value for value in values if value > 0] or [1.0]
    low, high = min(positive), max(positive)
    bottom, top = math.floor(math.log10(low) + 1e-9), math.ceil(math.log10(high) - 1e-9)
    if high > 16 * low:
        every = math.ceil((top - bottom) / 5)
        ticks = [10.0**power for power in range(bottom, top + every, every)]
    else:
        ticks = [digit * 10.0**power for power in range(bottom - 1, top + 1) for digit in (1, 2, 5)]
        ticks = _enclosing(ticks, low, high)
    return Scale(ticks[0], ticks[-1], tuple(map(_round, ticks)), math.log10)


def _enclosing(ticks: list[float], low: float, high: float) -> list[float]:
    """Return the ticks from the last below `low` to the first above `high`, or at them."""
    first = max(i for i, tick in enumerate(ticks) if tick <= low * (1 + 1e-9))
    last = min(i for i, tick in enumerate(ticks) if tick >= high * (1 - 1e-9))
    return ticks[first : last + 1] if first < last else ticks[first - 1 : last + 2]


def _round(value: float) -> float:
    return float(f"{value:.6g}")


def named(value: float) -> str:
    """Return a tick's value in few characters.

    Example:
        >>> [named(v) for v in (0, 2500, 0.25, 0.0005, 1e-07)]
        ['0', '2500', '0.25', '0.0005', '1e-7']
    """
    text = f"{value:.6g}" if value == 0 or 1e-4 <= abs(value) < 1e5 else f"{value:.3g}"
    return text.replace("e-0", "e-").replace("e+0", "e").replace("e+", "e")
