"""What reductions divide by."""

from __future__ import annotations

import numpy as np

from regularizers.errors import ShapeError
from regularizers.testing._case import Case, near


def check_repeated(case: Case) -> None:
    """Raise unless means stay as they are where all samples, or all units, are there twice."""
    if case.reduce not in ("batch_mean", "mean") or not case.batch:
        return
    if case.has_samples:
        _check_stays(case, case.batch[0], "samples")
    axis = _unit_axis(case)
    if case.reduce == "mean" and axis is not None:
        _check_stays(case, axis, "units")


def _check_stays(case: Case, axis: int, what: str) -> None:
    value = case.value()
    twice = case.value(np.concatenate([case.x, case.x], axis=axis))
    if not near(twice, value):
        count = case.x.shape[axis]
        raise case.fault(
            f"the value is {twice / value:.4g} times as large where all {what} are there twice; "
            f"it is not divided by the {count} {what}: does value() or denominator() forget "
            f"them? A penalty without this reduction says so in `reductions`"
        )


def _unit_axis(case: Case) -> int | None:
    """Return an axis of units that may be repeated."""
    others = {*case.batch, *case.joint}
    return next((axis for axis in range(case.x.ndim) if axis not in others), None)


def check_one_sample(case: Case) -> None:
    """Raise unless reductions differ by the counts alone, as they do of a sum."""
    if case.reduce == "sum" or not case.batch or "sum" not in case.term.reductions:
        return
    whole = case.under("sum")
    try:
        whole.value()
    except ShapeError:
        return  # settings that fit this reduction need not fit another
    if case.reduce == "batch_mean" and not (case.spans_samples or whole.spans_samples):
        expected, count, what = whole.value() / case.samples, case.samples, "samples"
    elif case.reduce == "mean" and case.term.sums_elements:
        expected, count, what = whole.value() / case.x.size, case.x.size, "elements"
    else:
        return
    if not near(case.value(), expected):
        ratio = case.value() / expected
        raise case.fault(
            f"the value is {ratio:.4g} times that of 'sum' divided by the {count} {what}; "
            f"what does denominator() count?"
        )
