"""What a mask leaves out."""

from __future__ import annotations

import contextlib
import dataclasses
from typing import Any

import numpy as np

from regularizers.errors import PenaltyError, RegularizersError
from regularizers.penalties import Penalty
from regularizers.testing._case import Case, near
from regularizers.testing._gradients import compare_with_differences


def check_samples_left_out(case: Case) -> None:
    """Raise unless an array with samples masked is as one without them."""
    if not case.has_samples or case.x.shape[case.batch[0]] < 2 or case.term.for_weights_only:
        return
    axis = case.batch[0]
    chosen = np.arange(case.x.shape[axis]) % 2 == 0
    valid = np.moveaxis(np.broadcast_to(chosen, np.moveaxis(case.x, axis, -1).shape), -1, axis)
    short = np.compress(chosen, case.x, axis=axis)
    expected = np.zeros(case.x.shape)
    expected[valid] = case.gradient(short).reshape(-1)
    with _unless_refused():
        _compare(case, valid, case.value(short), expected, "an array without the masked samples")


def check_elements_left_out(case: Case) -> None:
    """Raise unless masked elements count nowhere."""
    valid = np.cos(np.arange(case.x.size)).reshape(case.x.shape) > -0.3
    with _unless_refused():
        compare_with_differences(case, valid)
        gradient = case.gradient(valid=valid)
        _compare(case, valid, case.value(valid=valid), gradient, "other numbers behind the mask")
        if case.term.sums_elements:
            _compare_counts(case, valid)


def _compare_counts(case: Case, valid: Any) -> None:
    whole = dataclasses.replace(case.under("sum").term, batch_axis=None)
    assert isinstance(whole, Penalty)
    total = dataclasses.replace(case, penalty=whole).value(case.x[valid])
    units = tuple([axis for axis in range(case.x.ndim) if axis not in case.batch])
    counts = {"sum": 1, "batch_mean": valid.any(axis=units).sum(), "mean": valid.sum()}
    count = int(counts[case.reduce or "sum"])
    got = case.value(valid=valid)
    if not near(got, total / count):
        raise case.fault(
            f"with a mask the value is {got:.6g}, and that of the elements that count is "
            f"{total:.6g} divided by {count}, {total / count:.6g}; does the formula count what is "
            f"masked, as by its own xp.mean or by a function that is not 0 at 0? Use frame.select "
            f"and frame.count"
        )


def _compare(case: Case, valid: Any, value: float, gradient: Any, than: str) -> None:
    """Raise unless value and gradient are these, whatever is behind the mask."""
    for behind in (0.0, 7.0, np.nan):
        x = np.where(valid, case.x, behind)
        got, slope = case.value(x, valid), case.gradient(x, valid)
        if not near(got, value):
            raise case.fault(
                f"with {behind} behind a mask the value is {got:.6g}, and with {than} {value:.6g}; "
                f"does the formula count what is masked? Use frame.select and frame.count"
            )
        if not np.array_equal(slope[~valid], np.zeros((~valid).sum())):
            raise case.fault(
                f"with {behind} behind a mask the gradient there is {slope[~valid].flat[0]:.6g}, "
                f"where it should be 0"
            )
        if not near(slope, gradient):
            raise case.fault(f"with {behind} behind a mask the gradient differs from {than}")


def check_nothing_left(case: Case) -> None:
    """Raise unless the penalty of nothing is 0."""
    valid = np.zeros(case.x.shape, dtype=bool)
    with _unless_refused():
        value, gradient = case.value(valid=valid), case.gradient(valid=valid)
        if case.term.for_weights_only:
            return
        if value != 0 or np.any(gradient):
            raise case.fault(
                f"where a mask leaves nothing the value is {value:.6g}; it should be 0, with a "
                f"gradient of 0"
            )


@contextlib.contextmanager
def _unless_refused() -> Any:
    """Let a penalty refuse a mask, which is loud."""
    try:
        yield
    except PenaltyError:
        raise
    except RegularizersError as error:
        if "mask" not in str(error):
            raise
