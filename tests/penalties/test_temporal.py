"""Penalties of successive differences, on arrays: by hand, by the published lines, by autograd."""

from math import nan

import jax
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from penalties.arrays import make, numbers
from penalties.cases import kinds
from penalties.oracle import value_and_gradient
from regularizers import AR, L1, TAR, KLSparsity, L2Norm, L2Squared, Temporal
from regularizers.errors import ConfigurationError, ShapeError

STATES = [[[1.0], [3.0], [2.0]], [[0.0], [0.0], [4.0]]]
"""Two sequences of three steps of one unit: changes 2, -1 and 0, 4."""

BY_HAND = [
    (AR(2.0), 10.0, [[[2 / 3], [2], [4 / 3]], [[0], [0], [8 / 3]]]),
    (TAR(1.0, time_axis=1), 21 / 4, [[[-1], [1.5], [-0.5]], [[0], [-2], [2]]]),
    (Temporal(L1(0.5), 1), 3.5, [[[-0.5], [1], [-0.5]], [[0], [-0.5], [0.5]]]),
    (
        Temporal(L1(0.5, reduce="batch_mean"), time_axis=-2),
        1.75,
        [[[-0.25], [0.5], [-0.25]], [[0], [-0.25], [0.25]]],
    ),
    (Temporal(L2Norm(1.0, reduce="batch_mean"), 1), (5**0.5 + 4) / 2, None),
    (2 * TAR(0.5, time_axis=1) + Temporal(L1(0.5), 1), 21 / 4 + 3.5, None),
]


@pytest.mark.parametrize(("penalty", "value", "gradient"), BY_HAND, ids=repr)
def test_values_by_hand(xp, penalty, value, gradient):
    x = make(xp, STATES)
    found, slope = penalty.value_and_gradient(x)
    assert float(found) == pytest.approx(value, rel=1e-14)
    assert float(penalty(x)) == pytest.approx(value, rel=1e-14)
    expected = value_and_gradient(penalty, STATES)[1] if gradient is None else gradient
    assert_allclose(numbers(slope), expected, rtol=1e-13)


def published(h, *, alpha=0.0, beta=0.0, dropped=None):
    """The lines of the AWD-LSTM, of states with time first."""
    loss = 0.0
    if alpha:
        loss = loss + alpha * dropped.pow(2).mean()
    if beta:
        loss = loss + (beta * (h[1:] - h[:-1]).pow(2)).mean()
    return loss


@pytest.mark.parametrize("batch_first", [True, False])
def test_the_published_lines_to_float64_precision(batch_first):
    generator = torch.Generator().manual_seed(0)
    h = torch.randn(7, 3, 5, dtype=torch.float64, generator=generator)
    dropped = h * (torch.rand(1, 3, 5, generator=generator) > 0.4) / 0.6
    expected = published(h, alpha=2.0, beta=1.0, dropped=dropped).item()
    seen = [x.transpose(0, 1) if batch_first else x for x in (h, dropped)]
    tar = TAR(1.0, time_axis=1) if batch_first else Temporal(
        L2Squared(1.0, reduce="mean", batch_axis=1), time_axis=0
    )  # fmt: skip
    value = (tar(seen[0]) + AR(2.0)(seen[1])).item()
    assert value == pytest.approx(expected, rel=1e-15)


@pytest.mark.parametrize("reduce", [None, "sum", "batch_mean", "mean"])
def test_any_penalty_against_autograd(reduce):
    x = np.random.default_rng(0).random((4, 6, 3))
    for kind in kinds(reduce=reduce):
        penalty = Temporal(kind, time_axis=1)
        value, gradient = penalty.value_and_gradient(x)
        expected, slope = value_and_gradient(penalty, x)
        assert float(value) == pytest.approx(expected, rel=1e-12)
        assert_allclose(gradient, slope, rtol=1e-10, atol=1e-12)


def test_differentiated_by_other_libraries():
    penalty, values = TAR(0.7, time_axis=1), np.random.default_rng(0).random((2, 4, 3))
    expected = penalty.gradient(values)
    x = torch.tensor(values, requires_grad=True)
    penalty(x).backward()
    assert_allclose(x.grad.numpy(), expected, rtol=1e-13)
    with jax.enable_x64(True):
        for gradient in (jax.grad(penalty), jax.jit(jax.grad(penalty))):
            assert_allclose(gradient(jax.numpy.asarray(values)), expected, rtol=1e-13)


@given(lengths=st.lists(st.integers(1, 6), min_size=1, max_size=4), seed=st.integers(0, 99))
def test_a_mask_equals_the_sequences_one_by_one(lengths, seed):
    rng = np.random.default_rng(seed)
    sequences = [rng.standard_normal((n, 2)) for n in lengths]
    padded = np.full((len(lengths), max(lengths), 2), nan)
    for row, sequence in zip(padded, sequences, strict=True):
        row[: len(sequence)] = sequence
    mask = np.arange(max(lengths)) < np.array(lengths)[:, None]
    changes = np.concatenate([np.diff(s, axis=0) for s in sequences])
    value, gradient = TAR(0.7, time_axis=1).value_and_gradient(padded, mask=mask)
    mean = (changes**2).mean() if len(changes) else 0.0
    assert float(value) == pytest.approx(0.7 * mean, rel=1e-13)
    assert_array_equal(gradient[~mask], 0)
    for row, sequence in zip(gradient, sequences, strict=True):
        steps = np.diff(sequence, axis=0)
        slope = np.zeros_like(sequence)
        slope[1:] += 2 * steps
        slope[:-1] -= 2 * steps
        expected = 0.7 * slope / max(changes.size, 1)
        assert_allclose(row[: len(sequence)], expected, rtol=1e-12, atol=1e-15)
    everything = np.concatenate(sequences)
    ar = float(AR(0.7)(padded, mask=mask))
    assert ar == pytest.approx(0.7 * (everything**2).mean(), rel=1e-13)


def test_a_gap_in_the_mask_breaks_two_pairs():
    x, mask = np.array([[1.0, 2.0, nan, 5.0, 7.0]]), np.array([[True, True, False, True, True]])
    assert float(Temporal(L1(1.0), 1)(x, mask=mask)) == 3.0


def test_all_false_gives_0(xp):
    x = make(xp, STATES)
    mask = xp.zeros((2, 3), dtype=xp.bool if hasattr(xp, "bool") else bool)
    value, gradient = TAR(1.0, time_axis=1).value_and_gradient(x, mask=mask)
    assert float(value) == 0
    assert not numbers(gradient).any()


@pytest.mark.parametrize(
    "penalty", [L1(1.0), L2Squared(1.0, reduce="mean"), L2Norm(1.0), KLSparsity(1.0, 0.5)], ids=repr
)
def test_one_step_has_no_change(xp, penalty):
    x = make(xp, [[[1.0, 2.0]], [[3.0, 4.0]]])
    value, gradient = Temporal(penalty, time_axis=1).value_and_gradient(x)
    assert float(value) == 0
    assert numbers(gradient).shape == (2, 1, 2)
    assert not numbers(gradient).any()


def test_no_step_is_an_error(xp):
    with pytest.raises(ShapeError, match="one step of time or more, got a length of 0"):
        TAR(1.0, time_axis=1)(make(xp, np.zeros((2, 0, 3))))


def test_half_precision_is_widened_before_squaring():
    x = torch.tensor([[300.0, -300.0]], dtype=torch.float16)
    value, gradient = TAR(1e-3, time_axis=1).value_and_gradient(x)
    assert value.dtype == torch.float32
    assert value.item() == pytest.approx(360.0)
    assert gradient.dtype == torch.float16


def test_a_gradient_is_added_in_place():
    x, grads = np.array(STATES), np.ones((2, 3, 1))
    value = TAR(1.0, time_axis=1).apply(x, grads)
    assert float(value) == pytest.approx(21 / 4)
    assert_allclose(grads, 1 + np.array(BY_HAND[1][2]))


def test_the_text_is_the_call_that_makes_it():
    assert repr(AR(2.0)) == "AR(2.0)"
    assert repr(TAR(1.0)) == "TAR(1.0)"
    assert repr(2 * TAR(1.0, time_axis=1)) == "TAR(2.0, 1)"
    assert repr(Temporal(L1(0.5), 1)) == "Temporal(L1(0.5), 1)"
    assert repr(TAR(1.0).terms[0]) == "Temporal(L2Squared(1.0, reduce='mean'))"


@pytest.mark.parametrize(
    ("make_it", "match"),
    [
        (lambda: Temporal(3), "expected a penalty such as L1"),
        (lambda: Temporal(TAR(1.0)), r"penalty of single states, got TAR\(1.0\)"),
        (lambda: TAR(1.0, time_axis=1.5), "time_axis: expected"),
        (lambda: TAR(1.0)(np.zeros((2, 3))), "expected the axis of time, got None"),
        (lambda: TAR(1.0, time_axis=1).prox(np.zeros((2, 3)), 1.0), "no proximal"),
    ],
)
def test_bad_settings(make_it, match):
    with pytest.raises(ConfigurationError, match=match):
        make_it()


@pytest.mark.parametrize(
    ("axis", "match"),
    [(2, "array of 2 dimensions, got 2"), (0, r"than those of the batch, \(0,\)")],
)
def test_axes_that_cannot_be_time(axis, match):
    with pytest.raises(ShapeError, match=match):
        TAR(1.0, time_axis=axis)(np.zeros((2, 3)))
