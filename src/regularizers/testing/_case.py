"""A penalty on an array of one library, and what is compared there."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from regularizers.errors import PenaltyError
from regularizers.penalties import Formula, Penalty
from regularizers.penalties.arrays import Frame, Reduce, namespace_of, normalise_axes
from regularizers.testing._libraries import Library


@dataclass(frozen=True)
class Case:
    """A penalty under one reduction, with one library, and numbers to check it on."""

    penalty: Penalty
    library: Library
    x: Any
    reduce: Reduce | None = None
    """None for a penalty that may be a sum of several."""

    @property
    def term(self) -> Formula:
        """The penalty as its mathematics."""
        assert isinstance(self.penalty, Formula)
        return self.penalty

    @property
    def batch(self) -> tuple[int, ...]:
        """The axes of samples."""
        return normalise_axes(self.term.batch_axis, self.x.ndim)

    @property
    def joint(self) -> tuple[int, ...]:
        """The axes of which no part can be left out or repeated by itself."""
        return self.term.joint_axes(self.x.ndim)

    @property
    def has_samples(self) -> bool:
        """Whether there are samples of which any may be left out."""
        return bool(self.batch) and self.batch[0] not in self.joint

    @property
    def samples(self) -> int:
        return int(np.prod([self.x.shape[axis] for axis in self.batch]))

    @property
    def spans_samples(self) -> bool:
        """Whether the penalty says that it is more than a sum over samples."""
        statistic, _ = self.term.statistic(self.array, self.frame())
        return self.term.spans_samples(statistic)

    @property
    def array(self) -> Any:
        return self.library.array(self.x)

    def frame(self, x: Any = None) -> Frame:
        array = self.array if x is None else x
        return self.term.frame(namespace_of(array), array, None)

    def under(self, reduce: Reduce) -> Case:
        """Return the same under another reduction."""
        term = dataclasses.replace(self.term, reduce=reduce)
        assert isinstance(term, Penalty)
        return dataclasses.replace(self, penalty=term, reduce=reduce)

    def of(self, x: Any) -> Case:
        """Return the same of other numbers."""
        return dataclasses.replace(self, x=np.asarray(x))

    def mask(self, valid: Any) -> Any:
        return None if valid is None else self.library.array(valid, "bool")

    def value(self, x: Any = None, valid: Any = None) -> float:
        """Return the value at `x`, where elements are `valid`."""
        array = self.library.array(self.x if x is None else x)
        return float(self.penalty(array, mask=self.mask(valid)))

    def gradient(self, x: Any = None, valid: Any = None) -> Any:
        """Return the gradient at `x`, where elements are `valid`, as numbers."""
        array = self.library.array(self.x if x is None else x)
        return self.library.numbers(self.penalty.gradient(array, mask=self.mask(valid)))

    def fault(self, words: str) -> PenaltyError:
        """Return the error that says what is wrong."""
        how = "" if self.reduce is None else f"with reduce={self.reduce!r} "
        name = self.penalty.label if isinstance(self.penalty, Formula) else repr(self.penalty)
        return PenaltyError(f"{name}: {how}{words} ({self.library.name})")

    def counts(self) -> dict[str, float]:
        """Return what a result may be too large or too small by, and why."""
        number, size = self.samples, self.x.size
        forgotten = "is the division by the denominator forgotten?"
        twice = "is it divided twice?"
        found = {
            f"the number of samples; {forgotten}": float(number),
            f"the number of elements; {forgotten}": float(size),
            f"the number of elements in a sample; {forgotten}": size / number,
            f"one over the number of samples; {twice}": 1 / number,
            f"one over the number of elements; {twice}": 1 / size,
            f"one over the number of elements in a sample; {twice}": number / size,
        }
        strength = self.term.strength
        if isinstance(strength, (int, float)):
            found["the strength; the library multiplies by it, the formula should not"] = strength
        return found

    def ratio(self, got: Any, expected: Any) -> float | None:
        """Return how many times as large as expected something is; None if it varies."""
        got, expected = np.broadcast_arrays(np.asarray(got), np.asarray(expected))
        large = np.abs(expected) > 1e-6 * np.abs(expected).max(initial=0)
        if not large.any() or not np.isfinite(got).all():
            return None
        ratios = got[large] / expected[large]
        ratio = float(ratios.flat[0])
        if not np.allclose(ratios, ratio, rtol=1e-3) or ratio == 0:
            return None
        return ratio

    def why(self, ratio: float) -> str:
        """Return the likely reason of a ratio."""
        ratio = float(f"{ratio:.4g}")  # as it is printed: it comes from differences
        if np.isclose(ratio, -1):
            return "; is its sign wrong?"
        if self.reduce is not None and ratio not in (2, 0.5):
            for reason, count in self.counts().items():
                if np.isclose(ratio, count, rtol=1e-3) and count != 1:
                    return f", {reason}"
        return "; does it forget a factor?"


def near(got: Any, expected: Any, *, rtol: float = 1e-7) -> bool:
    """Return whether numbers are the same but for rounding."""
    scale = float(np.abs(np.asarray(expected)).max(initial=0))
    return bool(np.allclose(got, expected, rtol=rtol, atol=rtol * scale + 1e-12))


def derivative(function: Callable[[Any], float], x: Any) -> Any:
    """Return the derivative of a function by differences; NaN where it is not smooth."""
    found = np.full(x.shape, np.nan)
    for place in np.ndindex(x.shape):
        size = max(abs(float(x[place])), 0.1)
        for step in (1e-3 * size, 1e-5 * size):
            slopes = []
            for h in (step, step / 2):
                above, below = x.copy(), x.copy()
                above[place] += h
                below[place] -= h
                slopes.append((function(above) - function(below)) / (2 * h))
            if abs(slopes[0] - slopes[1]) <= 1e-3 * max(map(abs, slopes)) + 1e-8:
                found[place] = (4 * slopes[1] - slopes[0]) / 3
                break
    return found
