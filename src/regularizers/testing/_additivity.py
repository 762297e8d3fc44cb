"""What adds up over what."""

from __future__ import annotations

from typing import Any

import numpy as np

from regularizers.penalties.arrays import namespace_of
from regularizers.testing._case import Case, near


def check_samples(case: Case) -> None:
    """Raise unless a penalty that says so is the sum, or the mean, over its samples."""
    if case.term.for_weights_only or not case.batch or case.spans_samples:
        return
    axis = case.batch[0]
    number = case.x.shape[axis]
    each = [case.value(np.take(case.x, [n], axis=axis)) for n in range(number)]
    expected = sum(each) / (1 if case.reduce == "sum" else number)
    if near(case.value(), expected):
        return
    kind = "sum" if case.reduce == "sum" else "mean"
    ratio = case.ratio(case.value(), expected)
    why = "" if ratio is None else f", {ratio:.4g} times that{case.why(ratio)}"
    raise case.fault(
        f"the value of the batch is {case.value():.6g}, and the {kind} over its samples "
        f"{expected:.6g}{why}; if it is more than a sum over samples, let spans_samples() "
        f"return True"
    )


def check_units(case: Case) -> None:
    """Raise unless a penalty that says so is the sum over any two parts of the units."""
    if not case.term.adds_over_units:
        return
    for axis in range(case.x.ndim):
        size = case.x.shape[axis]
        if axis in case.batch or size < 2 or axis in case.joint:
            continue
        parts = np.split(case.x, [1], axis=axis)
        total = sum([case.value(part) for part in parts])
        if not near(total, case.value()):
            raise case.fault(
                f"adds_over_units says that parts of the units add up, and along axis {axis} the "
                f"whole is {case.value():.6g} and its parts {total:.6g}; let it return False"
            )


def check_parts(case: Case) -> None:
    """Raise unless the statistics of two parts of a batch, joined, give that of the whole."""
    if case.term.for_weights_only or not case.term.joins or not case.has_samples:
        return
    axis = case.batch[0]
    if case.x.shape[axis] < 2:
        return
    parts = [case.library.array(part) for part in np.split(case.x, [1], axis=axis)]
    xp = namespace_of(parts[0])
    sums, denominators = [], []
    for part in parts:
        frame = case.frame(part)
        statistic, _ = case.term.statistic(part, frame)
        sums.append(case.term.to_sum(statistic, xp))
        denominators.append(case.term.denominator(frame))
    joined = case.term.from_sum(sums[0] + sums[1], xp)
    value = case.term.value(joined, _joined(denominators, parts[0]), xp)
    got = _strength(case) * float(value)
    if not near(got, case.value()):
        raise case.fault(
            f"the statistics of two parts of a batch, joined as processes join them, give "
            f"{got:.6g}, and the whole batch {case.value():.6g}; let to_sum() return what adds "
            f"up, and from_sum() undo it"
        )


def _joined(denominators: list[Any], like: Any) -> Any:
    if denominators[0] is None:
        return None
    total = denominators[0] + denominators[1]
    return namespace_of(like).asarray(total, dtype=like.dtype)


def _strength(case: Case) -> float:
    strength = case.term.strength
    assert isinstance(strength, (int, float))
    return float(strength)
