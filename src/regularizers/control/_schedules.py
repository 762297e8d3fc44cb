"""Schedules: strengths that are functions of the step."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from operator import itemgetter
from typing import Any, Literal, TypeAlias

from array_api_compat import array_namespace

from regularizers.errors import ConfigurationError
from regularizers.penalties.arrays import call_of
from regularizers.penalties.strength import Schedule, check_strength, is_traced

Points: TypeAlias = tuple[tuple[int, float], ...]


class _Known(Schedule):
    def __repr__(self) -> str:
        return call_of(self)


@dataclass(frozen=True, repr=False)
class Constant(_Known):
    """One number at every step, to combine with other schedules.

    Args:
        value: the strength, finite and not negative.

    Example:
        >>> import regularizers as rz
        >>> late = rz.Constant(0.0).then(rz.Constant(1e-3), at=500)
        >>> late.at(499), late.at(500)
        (0.0, 0.001)
    """

    value: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "value", check_strength(self.value, "value"))

    def at(self, step: int) -> float:
        return self.value


@dataclass(frozen=True, repr=False)
class LinearWarmup(_Known):
    r"""A strength that changes linearly, and then stays constant.

    .. math:: s(t) = s_0 + (s - s_0) \min(t / n,\, 1)

    Args:
        strength: s, from step n on.
        steps: n, the number of steps; an integer of 1 or more.
        start: s₀, at step 0; it may be larger than `strength`.

    Raises:
        ConfigurationError: `steps` is no integer of 1 or more.
        StrengthError: a strength is negative or not finite.

    Example:
        >>> import regularizers as rz
        >>> warmup = rz.LinearWarmup(1e-3, steps=1000)
        >>> warmup.at(0), warmup.at(250), warmup.at(1000), warmup.at(5000)
        (0.0, 0.00025, 0.001, 0.001)
    """

    strength: float
    steps: int
    start: float = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "strength", check_strength(self.strength))
        object.__setattr__(self, "start", check_strength(self.start, "start"))
        _check_steps(self.steps)

    def at(self, step: int) -> float:
        return _between(self.start, self.strength, _share(step, self.steps))


@dataclass(frozen=True, repr=False)
class Cosine(_Known):
    r"""A strength that changes along half a cosine, and then stays constant.

    .. math:: s(t) = s_1 + (s_0 - s_1)\,\frac{1 + \cos(\pi \min(t / n,\, 1))}{2}

    Args:
        start: s₀, at step 0.
        end: s₁, from step n on; it may be larger than `start`.
        steps: n, the number of steps; an integer of 1 or more.

    Raises:
        ConfigurationError: `steps` is no integer of 1 or more.
        StrengthError: a strength is negative or not finite.

    Example:
        >>> import regularizers as rz
        >>> decay = rz.Cosine(1e-3, 0.0, steps=1000)
        >>> decay.at(0), decay.at(500), decay.at(1000), decay.at(5000)
        (0.001, 0.0005, 0.0, 0.0)

    Source: Loshchilov and Hutter, "SGDR: stochastic gradient descent with warm restarts", 2017,
    `arXiv:1608.03983 <https://arxiv.org/abs/1608.03983>`__, for the learning rate.
    """

    start: float
    end: float
    steps: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "start", check_strength(self.start, "start"))
        object.__setattr__(self, "end", check_strength(self.end, "end"))
        _check_steps(self.steps)

    def at(self, step: int) -> float:
        angle = math.pi * _share(step, self.steps)
        cosine = array_namespace(angle).cos(angle) if is_traced(angle) else math.cos(angle)
        left = (1 + cosine) / 2
        return _between(self.end, self.start, left)


@dataclass(frozen=True, repr=False)
class Piecewise(Schedule):
    r"""Strengths from given steps on, or on straight lines between them.

    .. math:: s(t) = s_k \quad\text{or}\quad
        s_k + (s_{k+1} - s_k)\,\frac{t - t_k}{t_{k+1} - t_k}, \qquad t_k \le t < t_{k+1}

    From the last point on it is constant.

    Args:
        points: strengths by step; one step is 0. They are stored as pairs, sorted by step.
        interpolate: `"constant"`: each strength holds until the next point; `"linear"`: lines
            between the points.

    Raises:
        ConfigurationError: `points` is no mapping of steps to strengths, has no step 0, or has a
            step that is no integer or negative; or `interpolate` is another word.
        StrengthError: a strength is negative or not finite.

    Example:
        >>> import regularizers as rz
        >>> points = {0: 0.0, 1000: 1e-3, 5000: 1e-4}
        >>> rz.Piecewise(points).at(3000)
        0.001
        >>> rz.Piecewise(points, interpolate="linear").at(3000)
        0.00055
    """

    points: Mapping[int, float] | Points
    interpolate: Literal["constant", "linear"] = field(default="constant", kw_only=True)

    def __post_init__(self) -> None:
        object.__setattr__(self, "points", _checked(self.points))
        if self.interpolate not in ("constant", "linear"):
            raise ConfigurationError(
                f"interpolate: expected 'constant' or 'linear', got {self.interpolate!r}"
            )

    def at(self, step: int) -> float:
        assert isinstance(self.points, tuple)
        if is_traced(step):
            return _at_traced(self.points, step, lines=self.interpolate == "linear")
        reached = bisect_right(self.points, step, key=itemgetter(0))
        begin, strength = self.points[reached - 1]
        if self.interpolate == "constant" or reached == len(self.points):
            return strength
        end, next_strength = self.points[reached]
        return _between(strength, next_strength, (step - begin) / (end - begin))

    def __repr__(self) -> str:
        option = "" if self.interpolate == "constant" else f", interpolate={self.interpolate!r}"
        return f"Piecewise({dict(self.points)!r}{option})"


def _at_traced(points: Points, step: Any, *, lines: bool) -> float:
    """Return what points say at a step that JAX traces, which no `if` can read."""
    xp, strength = array_namespace(step), points[-1][1]
    for (begin, start), (end, stop) in reversed(list(pairwise(points))):
        here = _between(start, stop, (step - begin) / (end - begin)) if lines else start
        strength = xp.where(step < end, here, strength)
    return strength


def _share(step: int, steps: int) -> float:
    """Return the part of `steps` that is done, at most 1."""
    share = step / steps
    if is_traced(share):
        return array_namespace(share).minimum(share, 1.0)  # type: ignore[no-any-return]
    return min(share, 1.0)


def _between(start: float, end: float, share: float) -> float:
    """Interpolate linearly; exact at both ends."""
    return (1 - share) * start + share * end


def _check_steps(steps: object) -> None:
    if type(steps) is not int or steps < 1:
        raise ConfigurationError(
            f"steps: expected an integer of 1 or more, a number of steps of the optimizer, got "
            f"{steps!r}"
        )


def _checked(points: Any) -> Points:
    """Return `points` as pairs, sorted by step."""
    pairs = tuple(points.items()) if isinstance(points, Mapping) else points
    is_pairs = isinstance(pairs, tuple) and all(
        isinstance(pair, tuple) and len(pair) == 2 for pair in pairs
    )
    if not is_pairs:
        raise ConfigurationError(
            f"points: expected strengths by step, such as {{0: 0.0, 1000: 1e-3}}, got {points!r}"
        )
    steps = [step for step, _ in pairs]
    for step in steps:
        if type(step) is not int or step < 0:
            raise ConfigurationError(
                f"points: expected steps that are integers, zero or more, got {step!r}"
            )
    if 0 not in steps or len(set(steps)) < len(steps):
        raise ConfigurationError(
            f"points: expected steps that are distinct, of which one is 0, where training begins, "
            f"got {steps}"
        )
    return tuple([(step, check_strength(s, f"points: step {step}")) for step, s in sorted(pairs)])
