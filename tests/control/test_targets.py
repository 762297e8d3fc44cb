"""What targets measure, by hand on arrays; and targets that cannot be."""

import numpy as np
import pytest
from array_api_compat import numpy as xp

import regularizers as rz
from regularizers.control import Batch
from regularizers.errors import ConfigurationError, StrengthError, StrengthTypeError
from regularizers.penalties.arrays import Frame

X = np.array([[0.0, 3.0, -4.0], [0.0, 0.0, 1.0]])


def amount(target: rz.Target, x=X, mask=None, batch_axis=0):
    frame = Frame(xp, x.shape, x.dtype, "sum", batch_axis, mask)
    total, count = target.measure(frame.select(x), Batch(frame))
    return float(total), float(count)


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (rz.TargetActive(2), (3, 2)),
        (rz.TargetActive(2, threshold=2.5), (2, 2)),
        (rz.TargetActive(fraction=0.5), (3, 6)),
        (rz.TargetMean(1.0), (8, 6)),
        (rz.TargetNorm(1.0), (5 + 1, 2)),
    ],
    ids=repr,
)
def test_it_is_measured_as_by_hand(target, expected):
    assert amount(target) == expected


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (rz.TargetActive(2), (2, 1)),
        (rz.TargetActive(fraction=0.5), (2, 3)),
        (rz.TargetMean(1.0), (7, 3)),
        (rz.TargetNorm(1.0), (5, 1)),
    ],
    ids=repr,
)
def test_only_what_is_valid_counts(target, expected):
    x = X.copy()
    x[1] = np.nan
    assert amount(target, x, mask=np.array([True, False])) == expected


def test_tokens_are_samples_along_two_axes():
    x = X.reshape(1, 2, 3)
    assert amount(rz.TargetActive(2), x, batch_axis=(0, 1)) == (3, 2)
    assert amount(rz.TargetNorm(2), x, batch_axis=(0, 1)) == (6, 2)
    assert amount(rz.TargetActive(2), x, batch_axis=0) == (3, 1)


@pytest.mark.parametrize("target", [rz.TargetActive, rz.TargetMean, rz.TargetNorm])
@pytest.mark.parametrize("value", [0, -1.0, float("nan"), float("inf"), True, "10"])
def test_a_target_is_a_number_above_0(target, value):
    with pytest.raises(ConfigurationError, match=f"{target.__name__}: expected a finite number"):
        target(value)


def test_active_units_are_a_number_or_a_share():
    with pytest.raises(ConfigurationError, match="either a number of units"):
        rz.TargetActive()
    with pytest.raises(ConfigurationError, match="either a number of units"):
        rz.TargetActive(10, fraction=0.1)
    with pytest.raises(ConfigurationError, match=r"write TargetActive\(10\)"):
        rz.TargetActive(fraction=10)


def test_settings_are_checked():
    with pytest.raises(StrengthError, match="initial"):
        rz.TargetActive(10, initial=-1.0)
    with pytest.raises(StrengthError, match="threshold"):
        rz.TargetActive(10, threshold=-1.0)


def test_a_target_has_no_factor():
    with pytest.raises(ConfigurationError, match="finds its strength itself"):
        2 * rz.L1(rz.TargetActive(10))
    with pytest.raises(ConfigurationError, match="finds its strength itself"):
        np.float64(2) * rz.TargetActive(10)


def test_a_penalty_with_a_target_has_no_value_on_an_array():
    grads = np.zeros_like(X)
    for call in (
        lambda p: p(X),
        lambda p: p.gradient(X),
        lambda p: p.apply(X, grads),
        lambda p: p.prox(X, 0.1),
    ):
        with pytest.raises(StrengthTypeError, match="only in a Regularization"):
            call(rz.L1(rz.TargetActive(10)))
    assert not grads.any()


def test_they_show_how_they_are_made():
    assert repr(rz.L1(rz.TargetActive(10, initial=1.0))) == "L1(TargetActive(10.0, initial=1.0))"
    assert repr(rz.TargetActive(fraction=0.1)) == "TargetActive(fraction=0.1)"
