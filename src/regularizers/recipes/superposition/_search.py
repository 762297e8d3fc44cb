"""The search of a coefficient at which a code has the L0 that is asked for."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

from regularizers.recipes.superposition._figures import Figures

CLOSE = 0.02
"""How near the L0 that was asked for a search ends, as a share of it."""

SEARCHES = 4
"""Trainings that a search takes at most."""


def matched(
    train: Callable[[float], Figures | None], active: float, first: float = 1.0
) -> Figures | None:
    """Return the figures of the training whose L0 came nearest; None if one did not end well.

    Args:
        train: trains with a coefficient; None says that the weights were not finite.
        active: the L0 that is asked for.
        first: the coefficient to begin with.
    """
    tried: list[Figures] = []
    while len(tried) < SEARCHES:
        coefficient = following([(_of(one), one.l0) for one in tried], active, first)
        found = train(coefficient)
        if found is None:
            return None
        tried.append(replace(found, coefficient=coefficient))
        if abs(log_ratio(found.l0, active)) <= math.log1p(CLOSE):
            break
    best = min(tried, key=lambda one: abs(log_ratio(one.l0, active)))
    return replace(best, tries=len(tried))


def following(tried: Sequence[tuple[float, float]], active: float, first: float) -> float:
    """Return the coefficient to try next, from log L0 over its logarithm.

    Between trainings on both sides of the L0 it is interpolated: by all where that stays between
    them, else by the nearest two. A code that has collapsed counts as one eightfold too sparse.
    Beyond trainings on one side it goes on by a factor of 2 to 10.

    Args:
        tried: pairs of a coefficient and its L0.
        active: the L0 that is asked for.
        first: the coefficient to begin with.
    """
    if not tried:
        return first
    points = [(math.log(c), log_ratio(l0, active, most=8)) for c, l0 in tried]
    dense, sparse = [p for p in points if p[1] > 0], [p for p in points if p[1] <= 0]
    if dense and sparse:
        (x, y), (u, v) = min(dense, key=lambda p: p[1]), max(sparse, key=lambda p: p[1])
        through = _root(points)
        between = min(x, u) < through < max(x, u)
        return math.exp(through if between else x + (u - x) * y / (y - v))
    x, y = max(dense) if dense else min(sparse)
    step = min(max(abs(2 * y), math.log(2)), math.log(10))  # as if L0 went as c^-1/2
    return math.exp(x + math.copysign(step, y))


def log_ratio(l0: float, active: float, most: float = 1e6) -> float:
    """Return the logarithm of an L0 over the one asked for, within ± that of `most`."""
    return math.log(min(max(l0 / active, 1 / most), most))


def _root(points: Sequence[tuple[float, float]]) -> float:
    """Return x at y = 0 of the polynomial in y through points (x, y); NaN where two y are one."""
    if len({y for _, y in points}) < len(points):
        return math.nan
    others = [[q for j, (_, q) in enumerate(points) if j != i] for i in range(len(points))]
    weights = [
        math.prod(q / (q - y) for q in rest) for (_, y), rest in zip(points, others, strict=True)
    ]
    return sum(x * weight for (x, _), weight in zip(points, weights, strict=True))


def _of(figures: Figures) -> float:
    assert figures.coefficient is not None
    return figures.coefficient
