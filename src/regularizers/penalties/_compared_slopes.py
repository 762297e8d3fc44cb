"""Whether a function that a user gives is one of each element, and a slope its derivative."""

from __future__ import annotations

import contextlib
import importlib
import math
import sys
import weakref
from collections.abc import Sequence
from typing import Any, NamedTuple

import array_api_compat

from regularizers.errors import ConfigurationError
from regularizers.penalties._given_functions import (
    Function,
    array_of,
    libraries,
    library_name,
    quiet,
)
from regularizers.penalties.arrays import Array, Namespace

POINTS = (0.0, *[s * 10 ** (k / 4) * 1.0371 for k in range(-16, 9) for s in (1, -1)])
"""Where functions are compared: six decades of both signs, at no round number, and 0."""

_STEPS = (1e-2, 1e-3, 1e-4)
"""Steps of differences, relative to x: a large one has less noise, a small one fewer kinks."""

_compared: weakref.WeakKeyDictionary[Function, list[Any]] = weakref.WeakKeyDictionary()


def check_element(element: Function, slope: Function | None, label: str) -> None:
    """Raise unless `element` is a function of each element, and `slope` its derivative.

    The same two are compared once.

    Raises:
        ConfigurationError: one of them is not; or they do not run in any library that is there.
    """
    with contextlib.suppress(TypeError):  # what cannot be referred to weakly
        known = _compared.get(element, [])
        if any(slope is other() for other in known):
            return
    sample = _Sample.of(element, slope, label)
    sample.check_shapes()
    if slope is not None:
        sample.check_slope()
    else:
        _check_autograd_at_zero(element, label)
    with contextlib.suppress(TypeError):
        reference = (lambda: None) if slope is None else weakref.ref(slope)
        _compared.setdefault(element, []).append(reference)


def _check_autograd_at_zero(element: Function, label: str) -> None:
    """Raise if autograd's derivative at 0, where many activations are, is no number."""
    torch = sys.modules.get("torch")
    if torch is None:
        return
    try:
        xp = importlib.import_module("array_api_compat.torch")
        with torch.inference_mode(False), torch.enable_grad():
            x = torch.zeros(1, dtype=torch.float64, requires_grad=True)
            value = element(xp, x)
            slope = torch.autograd.grad(value.sum(), x)[0].item()
    except Exception:  # whatever a user's function raises; it may be for another library
        return
    if math.isfinite(value.item()) and not math.isfinite(slope):
        raise ConfigurationError(
            f"{label}: slope: autograd's derivative of element at x = 0, where many activations "
            f"are, is {slope}; give slope=, which may be 0 there: use xp.where"
        )


class _Sample(NamedTuple):
    """A function of each element and its derivative, in a library that they run in."""

    xp: Namespace
    element: Function
    slope: Function | None
    label: str

    @classmethod
    def of(cls, element: Function, slope: Function | None, label: str) -> _Sample:
        failed = []
        for xp in libraries():
            sample = cls(xp, element, slope, label)
            try:
                for function in filter(None, (element, slope)):
                    sample.at(function, POINTS)
            except ConfigurationError:
                raise
            except Exception as error:  # whatever a user's function raises
                failed.append(f"in {library_name(xp)} {type(error).__name__}: {error}")
            else:
                return sample
        raise ConfigurationError(
            f"{label}: expected functions (xp, x) of arrays, which use the functions of the "
            f"namespace xp, got {'; '.join(failed)}"
        )

    def at(self, function: Function, points: Sequence[float]) -> Array:
        """Return a function of an array of these points; raise unless it has its shape."""
        what = "element" if function is self.element else "slope"
        x = array_of(self.xp, points)
        before = [float(v) for v in x]
        with quiet(self.xp):
            result = function(self.xp, x)
        if [float(v) for v in x] != before:
            raise ConfigurationError(
                f"{self.label}: {what}: expected a function that leaves its array as it is, got "
                f"one that writes into it; make a new array"
            )
        shape = getattr(result, "shape", None)
        if shape is None or tuple(shape) != tuple(x.shape):
            raise ConfigurationError(
                f"{self.label}: {what}: expected an array of the shape of x, {tuple(x.shape)}, got "
                + (f"{result!r}" if shape is None else f"one of the shape {tuple(shape)}")
                + "; the library itself adds the elements up"
            )
        namespace = array_api_compat.array_namespace(result)
        if not namespace.isdtype(result.dtype, "real floating"):
            raise ConfigurationError(
                f"{self.label}: {what}: expected an array of a floating type, got {result.dtype}"
            )
        return result

    def numbers(self, function: Function, points: Sequence[float]) -> list[float]:
        return [float(v) for v in self.at(function, points)]

    def check_shapes(self) -> None:
        """Raise unless each element of the result depends on that element alone."""
        whole = self.numbers(self.element, POINTS)
        positive = self.numbers(self.element, POINTS[1::2])
        for x, together, apart in zip(POINTS[1::2], whole[1::2], positive, strict=True):
            near = math.isclose(together, apart, rel_tol=1e-4, abs_tol=1e-6)
            if math.isfinite(apart) and not near:
                raise ConfigurationError(
                    f"{self.label}: element: expected a function of each element, got one that "
                    f"depends on the others: at x = {x:.4g} it is {together:.6g} in one array and "
                    f"{apart:.6g} in another; for a function of the whole array use FromFunction"
                )

    def check_slope(self) -> None:
        """Raise unless the slope is the derivative, wherever differences are smooth."""
        assert self.slope is not None
        slopes = self.numbers(self.slope, POINTS)
        values = self.numbers(self.element, POINTS)
        result = self.at(self.element, POINTS)
        eps = float(array_api_compat.array_namespace(result).finfo(result.dtype).eps)
        known = self._differences(values, eps)
        wrong = []
        for x, got, by in zip(POINTS, slopes, known, strict=True):
            if by is not None and not abs(got - by.slope) <= by.tolerance:
                wrong.append((x, by.slope, got))
        if math.isfinite(values[0]) and not math.isfinite(slopes[0]):
            raise ConfigurationError(
                f"{self.label}: slope: expected a number at x = 0, where many activations are, got "
                f"{slopes[0]}; at a kink or an infinite slope it may be 0: use xp.where"
            )
        if wrong:
            raise ConfigurationError(self._is_another(wrong))
        if not any(known):
            raise ConfigurationError(
                f"{self.label}: element: expected a function that is finite and smooth somewhere "
                f"between -100 and 100, where its slope can be compared, got {values[1:4]} at "
                f"{POINTS[1:4]}"
            )

    def _differences(self, values: Sequence[float], eps: float) -> list[_Difference | None]:
        """Return the derivative at each point by differences; None where it has none there."""
        found: list[_Difference | None] = [None] * len(POINTS)
        for step in _STEPS if eps < 1e-12 else _STEPS[:1]:
            h = [step * (abs(x) or 1.0) for x in POINTS]
            whole, half = self._around(h), self._around([h / 2 for h in h])
            for n, x in enumerate(POINTS):
                if found[n] is None:
                    found[n] = _difference(x, values[n], h[n], whole[n], half[n], eps)
        return found

    def _around(self, h: Sequence[float]) -> list[tuple[float, float]]:
        """Return the function at x - h and x + h."""
        below = self.numbers(self.element, [x - h for x, h in zip(POINTS, h, strict=True)])
        above = self.numbers(self.element, [x + h for x, h in zip(POINTS, h, strict=True)])
        return list(zip(below, above, strict=True))

    def _is_another(self, wrong: Sequence[tuple[float, float, float]]) -> str:
        x, expected, got = max(wrong, key=lambda w: abs(w[2] - w[1]) / (abs(w[1]) + abs(w[2])))
        ratios = [got / expected for _, expected, got in wrong if expected]
        alike = ratios and all(math.isclose(r, ratios[0], rel_tol=0.01) for r in ratios)
        factor = f", everywhere {ratios[0]:.3g} times as much" if alike else ""
        cure = "is it that of another function?"
        if alike:
            cure = "is its sign wrong?" if ratios[0] < 0 else "does it forget a factor?"
        return (
            f"{self.label}: slope: expected the derivative of element, which at x = {x:.4g} is "
            f"{expected:.6g}, got {got:.6g}{factor}; {cure}"
        )


class _Difference(NamedTuple):
    """A derivative by differences, and how far off it may be."""

    slope: float
    tolerance: float


def _difference(
    x: float,
    value: float,
    h: float,
    whole: tuple[float, float],
    half: tuple[float, float],
    eps: float,
) -> _Difference | None:
    """Return the derivative from the values at x ± h and x ± h/2; None where it is not smooth."""
    if not all(map(math.isfinite, (value, *whole, *half))):
        return None
    by_whole, by_half = (whole[1] - whole[0]) / (2 * h), (half[1] - half[0]) / h
    noise = 50 * eps * (1 + abs(value)) / h
    if abs(by_whole - by_half) > 1e-2 * max(abs(by_whole), abs(by_half)) + noise:
        return None
    # a kink bends as much over half the step
    bend_of_whole, bend_of_half = abs(sum(whole) - 2 * value), abs(sum(half) - 2 * value)
    if bend_of_half > 0.4 * bend_of_whole + 50 * eps * (1 + abs(value)):
        return None
    slope = (4 * by_half - by_whole) / 3
    return _Difference(slope, (1e-4 if eps < 1e-12 else 2e-2) * abs(slope) + noise)
