"""Half precision, empty arrays and large ones."""

from __future__ import annotations

import numpy as np

from regularizers.penalties import Penalty
from regularizers.penalties.arrays import namespace_of
from regularizers.penalties.kernels import kernel_of, thresholds
from regularizers.testing._case import Case, near


def check_half(case: Case) -> None:
    """Raise unless half precision is accumulated in float32."""
    for half in case.library.halves:
        for scale in (1.0, 300.0):
            x = case.library.array(case.x * scale, half)
            with np.errstate(all="ignore"):
                value, expected = float(case.penalty(x)), case.value(case.library.numbers(x))
                gradient = case.penalty.gradient(x)
            fits = np.abs(expected) < 0.01 * np.finfo(np.float32).max
            if fits and not near(value, expected, rtol=1e-4):
                raise case.fault(
                    f"the value of an array in {half} is {value:.6g}, and in float64 "
                    f"{expected:.6g}; does the formula compute in half precision?"
                )
        if gradient.dtype != x.dtype:
            raise case.fault(f"the gradient of an array in {half} is of the type {gradient.dtype}")


def check_empty(case: Case) -> None:
    """Raise unless the penalty of an empty array is 0."""
    if not case.has_samples or case.term.for_weights_only:
        return
    shape = list(case.x.shape)
    shape[case.batch[0]] = 0
    empty = case.of(np.zeros(shape))
    value, gradient = empty.value(), empty.gradient()
    if value != 0 or gradient.shape != tuple(shape):
        raise case.fault(f"the value of an empty array is {value:.6g}; it should be 0")


def check_large(case: Case) -> None:
    """Raise unless a large array read in pieces is as one read at once."""
    if kernel_of(case.term) is None or case.reduce != case.term.reductions[0]:
        return
    copies = thresholds.PIECE // case.x.size + 2
    axis = case.batch[0] if case.batch else 0
    large = case.of(np.concatenate([case.x] * copies, axis=axis) * 1.01)
    x, frame = large.array, large.frame()
    xp, term = namespace_of(x), case.term
    statistic, saved = term.statistic(x, frame)
    denominator = term.denominator(frame)
    assert isinstance(term, Penalty)
    assert isinstance(term.strength, (int, float))
    expected = term.strength * float(term.value(statistic, denominator, xp))
    cotangent = term.strength * term.derivative(statistic, denominator, xp)
    slope = case.library.numbers(term.pullback(x, saved, cotangent, frame))
    value, gradient = large.value(), large.gradient()
    if not (near(value, expected) and near(gradient, slope)):
        raise case.fault(
            f"a large array, which is read in pieces, has the value {value:.6g}, and at once "
            f"{expected:.6g}; is the formula one of each element?"
        )
