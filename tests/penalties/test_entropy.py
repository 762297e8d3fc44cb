"""The entropy of logits, and the confidence penalty, which has the other sign."""

from math import inf, log, nan

import jax
import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import softmax
from scipy.stats import entropy

import regularizers as rz
from penalties.arrays import make, numbers
from penalties.oracle import value_and_gradient
from penalties.test_masks import boolean
from regularizers import ConfidencePenalty, Entropy, Temporal, activity
from regularizers.errors import ConfigurationError, ShapeError

X = np.random.default_rng(0).normal(size=(4, 3, 5)) * 2
BOTH = [Entropy, ConfidencePenalty]
SIGNS = {Entropy: 1, ConfidencePenalty: -1}
both = pytest.mark.parametrize("kind", BOTH, ids=lambda kind: kind.__name__)
few_libraries = pytest.mark.parametrize("xp", [np, torch], ids=["numpy", "torch"])


@both
@pytest.mark.parametrize("axis", [1, -1])
def test_the_value_is_that_of_scipy(xp, kind, axis):
    entropies = SIGNS[kind] * entropy(softmax(X, axis=axis), axis=axis)
    expected = {
        None: entropies.sum(),
        "sum": entropies.sum(),
        "batch_mean": entropies.sum() / 4,
        "mean": entropies.mean(),
    }

    for reduce, value in expected.items():
        penalty = kind(0.5, axis, reduce=reduce)
        assert float(penalty(make(xp, X))) == pytest.approx(0.5 * value, rel=1e-12)


@few_libraries
@both
@pytest.mark.parametrize("axis", [1, -1])
@pytest.mark.parametrize("reduce", ["sum", "batch_mean", "mean"])
def test_the_gradient_is_that_of_autograd(xp, kind, axis, reduce):
    penalty = kind(0.5, axis, reduce=reduce)
    expected = value_and_gradient(penalty, X)[1]

    assert_allclose(numbers(penalty.gradient(make(xp, X))), expected, rtol=1e-11, atol=1e-15)


@both
def test_autograd_and_jax_differentiate_the_value(kind):
    penalty, expected = kind(0.5), value_and_gradient(kind(0.5), X)[1]
    x = torch.tensor(X, requires_grad=True)
    penalty(x).backward()
    with jax.enable_x64(True):
        by_jax = jax.jit(jax.grad(penalty))(jax.numpy.asarray(X))

    assert_allclose(numbers(x.grad), expected, rtol=1e-11, atol=1e-15)
    assert_allclose(numbers(by_jax), expected, rtol=1e-11, atol=1e-15)


def test_the_gradient_is_that_of_the_formula():
    shares = softmax(X, axis=-1)
    expected = -shares * (np.log(shares) + entropy(shares, axis=-1)[..., None])

    assert_allclose(Entropy(1.0).gradient(X), expected, rtol=1e-11, atol=1e-15)
    assert_allclose(ConfidencePenalty(1.0).gradient(X), -expected, rtol=1e-11, atol=1e-15)


@few_libraries
def test_a_step_against_the_gradient_lowers_the_entropy_or_raises_it(xp):
    x = make(xp, X)

    def entropy_after(kind):
        return float(Entropy(1.0)(x - 0.1 * kind(1.0).gradient(x)))

    assert entropy_after(Entropy) < float(Entropy(1.0)(x)) < entropy_after(ConfidencePenalty)


@both
def test_a_step_in_a_model_lowers_the_entropy_or_raises_it(kind):
    model = torch.nn.Sequential(torch.nn.Linear(3, 4))
    x = torch.randn(6, 3, generator=torch.Generator().manual_seed(0))
    reg = rz.Regularization(model, [activity(kind(0.1), where="0")])
    before = float(Entropy(1.0)(model(x).detach()))
    reg.penalty().backward()
    with torch.no_grad():
        for weight in model.parameters():
            weight -= weight.grad

    after = float(Entropy(1.0)(model.eval()(x).detach()))
    assert (after < before) == (kind is Entropy)


@few_libraries
@pytest.mark.parametrize("scale", [1e-6, 1.0, 30.0, 1e4, 1e30])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_it_neither_overflows_nor_loses_small_logits(xp, dtype, scale):
    x = (np.array([[1.0, 2.0, -1.0], [0.0, 0.0, -2.0]]) * scale).astype(dtype)
    penalty = Entropy(1.0)
    value, gradient = penalty.value_and_gradient(make(xp, x, dtype))
    expected = value_and_gradient(penalty, x)
    eps = float(np.finfo(dtype).eps)
    of_the_oracle = 16 * float(np.finfo("float64").eps)

    assert float(value) == pytest.approx(expected[0], rel=16 * eps, abs=16 * eps)
    rounding = max(16 * eps * min(scale, 1), of_the_oracle)
    assert_allclose(numbers(gradient), expected[1], rtol=64 * eps, atol=rounding)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_is_accumulated_in_single(dtype):
    x = torch.tensor(X * 3).to(getattr(torch, dtype))
    value, gradient = Entropy(0.5).value_and_gradient(x)
    expected = value_and_gradient(Entropy(0.5), numbers(x))

    assert value.dtype == torch.float32
    assert float(value) == pytest.approx(expected[0], rel=1e-5)
    assert gradient.dtype == x.dtype
    assert_allclose(numbers(gradient), expected[1], rtol=2**-8, atol=1e-4)


@both
def test_a_logit_of_minus_infinity_is_a_class_that_cannot_be(xp, kind):
    x = np.array([[1.0, -inf, 0.0, 2.0], [-inf, 3.0, -inf, -inf]])
    penalty = kind(0.5)
    value, gradient = penalty.value_and_gradient(make(xp, x))
    short = penalty.value_and_gradient(np.array([[1.0, 0.0, 2.0]]))

    assert float(value) == pytest.approx(float(short[0]), rel=1e-12)
    assert_allclose(numbers(gradient)[0, [0, 2, 3]], short[1][0], rtol=1e-12)
    assert_array_equal(numbers(gradient)[0, 1], 0)
    assert_array_equal(numbers(gradient)[1], np.zeros(4))


def test_autograd_sends_nothing_to_a_class_that_cannot_be():
    x = np.array([[1.0, -inf, 0.0]])
    by_torch = torch.tensor(x, requires_grad=True)
    Entropy(1.0)(by_torch).backward()
    with jax.enable_x64(True):
        by_jax = jax.grad(Entropy(1.0))(jax.numpy.asarray(x))

    for gradient in (by_torch.grad, by_jax):
        assert_allclose(numbers(gradient), Entropy(1.0).gradient(x), rtol=1e-12)
        assert numbers(gradient)[0, 1] == 0


@few_libraries
@pytest.mark.parametrize("row", [[-inf, -inf], [inf, 0.0], [nan, 0.0]], ids=repr)
def test_what_is_no_distribution_is_seen(xp, row):
    with np.errstate(invalid="ignore"):
        value, gradient = Entropy(1.0).value_and_gradient(make(xp, [row, [1.0, 2.0]]))

    assert np.isnan(float(value))
    assert np.isnan(numbers(gradient)[0]).all()
    assert np.isfinite(numbers(gradient)[1]).all()


@few_libraries
@both
@pytest.mark.parametrize("reduce", ["sum", "batch_mean", "mean"])
def test_a_mask_leaves_out_samples(xp, kind, reduce):
    penalty, live = kind(0.5, reduce=reduce), np.array([True, False, True, False])
    padded = np.where(live[:, None, None], X, nan)
    value, gradient = penalty.value_and_gradient(make(xp, padded), mask=boolean(xp, live))
    expected = penalty.value_and_gradient(X[live])

    assert float(value) == pytest.approx(float(expected[0]), rel=1e-12)
    assert_allclose(numbers(gradient)[live], expected[1], rtol=1e-11, atol=1e-15)
    assert_array_equal(numbers(gradient)[~live], 0)


def test_a_mask_leaves_out_positions_and_classes(xp):
    """The mean is over positions with a class, and a class that is masked is none."""
    mask = np.array([[[1, 1, 0], [0, 0, 0]], [[1, 1, 1], [0, 1, 0]]]).astype(bool)
    logits = np.random.default_rng(1).normal(size=(2, 2, 3))
    shares = softmax(np.where(mask, logits, -inf)[mask.any(axis=-1)], axis=-1)
    x = make(xp, np.where(mask, logits, nan))
    value, gradient = Entropy(1.0, reduce="mean").value_and_gradient(x, mask=boolean(xp, mask))

    assert float(value) == pytest.approx(entropy(shares, axis=-1).sum() / 3, rel=1e-12)
    assert_array_equal(numbers(gradient)[~mask], 0)
    left = Entropy(1.0, reduce="sum").gradient(logits[:1, :1, :2])
    assert_allclose(numbers(gradient)[0, 0, :2], left[0, 0] / 3, rtol=1e-11)


@few_libraries
def test_a_uniform_distribution_has_the_most(xp):
    value, gradient = Entropy(1.0).value_and_gradient(make(xp, np.zeros((2, 7))))

    assert float(value) == pytest.approx(2 * log(7), rel=1e-12)
    assert_array_equal(numbers(gradient), np.zeros((2, 7)))


@few_libraries
@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (2, 0, 4)], ids=str)
def test_an_empty_array_costs_nothing(xp, shape):
    value, gradient = Entropy(1.0).value_and_gradient(make(xp, np.zeros(shape), "float32"))

    assert float(value) == 0
    assert tuple(gradient.shape) == shape


@few_libraries
def test_one_vector_of_logits_is_a_single_sample(xp):
    x = make(xp, X[0, 0])

    assert float(Entropy(1.0, batch_axis=())(x)) == pytest.approx(entropy(softmax(X[0, 0])))
    with pytest.raises(ShapeError, match=r"another axis .* of the batch, \(0,\), got -1 .*is \(\)"):
        Entropy(1.0)(x)


@few_libraries
@both
@pytest.mark.parametrize(
    ("options", "shape", "match"),
    [
        (
            {"axis": 0},
            (3, 2),
            r"another axis .* than those of the batch, \(0,\), got 0 .*; say batch_axis=",
        ),
        (
            {"axis": -2},
            (3, 2),
            r"another axis .* than those of the batch, \(0,\), got -2 .*; say batch_axis=",
        ),
        (
            {"batch_axis": (0, 1)},
            (3, 2),
            r"another axis .* than those of the batch, \(0, 1\), got -1",
        ),
        ({"axis": 2}, (3, 2), "an axis of classes for .*, got 2 of an array of 2 dimensions"),
        ({"axis": -3}, (3, 2), "an axis of classes for .*, got -3 of an array of 2 dimensions"),
        ({}, (), "an axis of classes for .*, got -1 of an array of 0 dimensions"),
        ({}, (3, 1), r"two classes or more for .* axis -1, got one .*give the pair \(z, 0\)"),
        ({"axis": 1}, (3, 1, 4), "two classes or more for .* along axis 1, got one"),
    ],
)
def test_an_axis_that_cannot_be_of_classes(xp, kind, options, shape, match):
    penalty, x = kind(0.1, **options), make(xp, np.ones(shape))
    for method in (penalty, penalty.gradient):
        with pytest.raises(ShapeError, match=f"^axis: expected {match}"):
            method(x)


@both
@pytest.mark.parametrize("axis", [1.0, "output", (1,), None, True], ids=repr)
def test_an_axis_that_is_no_integer(kind, axis):
    with pytest.raises(ConfigurationError, match="axis: expected an integer, got"):
        kind(0.1, axis)


@both
@pytest.mark.parametrize("units", [1, 3])
def test_an_output_of_one_class_is_refused_in_a_model(kind, units):
    model = torch.nn.Sequential(torch.nn.Linear(2, units))
    reg = rz.Regularization(model, [activity(kind(0.1), where="0")])
    if units == 1:
        with pytest.raises(ShapeError, match="two classes or more"):
            model(torch.ones(3, 2))
    else:
        model(torch.ones(3, 2))
        assert reg.penalty() != 0


@few_libraries
def test_classes_that_change_in_time(xp):
    """Of differences the axis is counted as of the states."""
    penalty = Temporal(Entropy(0.5), time_axis=1)
    expected = Entropy(0.5).value_and_gradient(np.diff(X, axis=1))[0]

    assert float(penalty(make(xp, X))) == pytest.approx(float(expected), rel=1e-12)


def test_the_text_and_equality():
    assert repr(Entropy(0.1, 1)) == "Entropy(0.1, 1)"
    assert repr(2 * ConfidencePenalty(0.05)) == "ConfidencePenalty(0.1)"
    assert Entropy(0.1) != ConfidencePenalty(0.1)
