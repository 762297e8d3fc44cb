"""Whether a proximal step is a minimum."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from regularizers.testing._case import Case

_STEPS = (0.05, 0.6)


def check_proximal_step(case: Case) -> None:
    """Raise unless the proximal step, if there is one, is a minimum of what it should be of."""
    if case.term.stage is None or case.library.name != "NumPy":
        return
    uneven = 0.1 + 0.5 * np.abs(np.sin(np.arange(case.x.size))).reshape(case.x.shape)
    for step in (*_STEPS, uneven):
        _check(case, step)


def _check(case: Case, step: Any) -> None:
    given = case.library.array(step) if isinstance(step, np.ndarray) else step
    at = case.library.numbers(case.penalty.prox(case.array, given))

    def objective(w: Any) -> float:
        return case.value(w) + float(((w - case.x) ** 2 / (2 * np.asarray(step))).sum())

    here = objective(at)
    tolerance = 1e-9 * (1 + abs(here))
    for w in _candidates(case, at, objective):
        if objective(w) < here - tolerance:
            raise case.fault(
                f"the proximal step is no minimum: p(w) + |w - x|²/(2 step) is {here:.9g} there "
                f"and {objective(w):.9g} at a point {np.abs(w - at).max():.3g} away; "
                + _likely(case, step, objective)
            )


def _candidates(case: Case, at: Any, objective: Any) -> Iterator[Any]:
    """Yield points that may be better: near the step, towards others, and found by a search."""
    rng = np.random.default_rng(0)
    for size in (1e-4, 1e-3, 1e-2, 1e-1):
        for _ in range(4):
            yield at + size * rng.standard_normal(at.shape)
    for end in (np.zeros(at.shape), case.x):
        for share in (1e-3, 1e-2, 0.1, 0.3, 1.0):
            yield at + share * (end - at)
    yield np.where(np.abs(at) < 1e-3, 0, at)
    yield _searched(case.x, objective)


def _searched(start: Any, objective: Any) -> Any:
    """Return a point that a search along each element in turn finds no better one near."""
    w, best, size = start.copy(), objective(start), 0.5
    while size > 1e-3:
        improved = False
        for place in np.ndindex(w.shape):
            for sign in (1, -1):
                tried = w.copy()
                tried[place] += sign * size
                if (value := objective(tried)) < best:
                    w, best, improved = tried, value, True
        size *= 0.7 if improved else 0.25
    return w


def _likely(case: Case, step: Any, objective: Any) -> str:
    """Return the likely cure: a threshold that is too large or too small by a number."""
    given = case.library.array(step) if isinstance(step, np.ndarray) else step
    reasons = {"twice the strength": 2.0, "half the strength": 0.5}
    count = case.term.denominator(case.frame())
    if isinstance(count, (int, float)):
        reasons |= {
            f"the strength divided by the denominator, {count}": 1 / count,
            f"the strength times the denominator, {count}": count,
        }
    found = {
        name: objective(case.library.numbers((factor * case.penalty).prox(case.array, given)))
        for name, factor in reasons.items()
    }
    best = min(found, key=lambda name: found[name])
    here = objective(case.library.numbers(case.penalty.prox(case.array, given)))
    if found[best] < here:
        return f"with {best}, it would be lower: what is the threshold?"
    return "is it step · strength / denominator that elements are moved by?"
