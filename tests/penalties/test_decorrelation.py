"""The covariances between units of a batch."""

from math import nan

import jax
import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from penalties.arrays import make, numbers
from penalties.oracle import value_and_gradient
from penalties.test_masks import boolean
from regularizers import Budget, Decorrelation, Regularization, Temporal, activity
from regularizers.errors import ConfigurationError
from regularizers.penalties.arrays import namespace_of

RNG = np.random.default_rng(0)
X = RNG.normal(size=(6, 4)) @ RNG.normal(size=(4, 4)) + 3
few_libraries = pytest.mark.parametrize("xp", [np, torch], ids=["numpy", "torch"])


def off_diagonal(x):
    """Return half the sum of the squared covariances of different units, by NumPy."""
    covariances = np.atleast_2d(np.cov(x, rowvar=False, bias=True))
    return ((covariances**2).sum() - (np.diag(covariances) ** 2).sum()) / 2


def test_the_value_is_that_of_numpy(xp):
    for reduce in (None, "sum", "batch_mean"):
        penalty = Decorrelation(0.5, reduce=reduce)
        assert float(penalty(make(xp, X))) == pytest.approx(0.5 * off_diagonal(X), rel=1e-12)


def test_the_gradient_is_that_of_the_formula(xp):
    centred = X - X.mean(axis=0)
    covariances = np.cov(X, rowvar=False, bias=True)
    expected = 2 / 6 * centred @ (covariances - np.diag(np.diag(covariances)))

    assert_allclose(numbers(Decorrelation(1.0).gradient(make(xp, X))), expected, rtol=1e-11)
    assert_allclose(expected, value_and_gradient(Decorrelation(1.0), X)[1], rtol=1e-11)


@few_libraries
@pytest.mark.parametrize("batch_axis", [0, 1, -1, (0, 2), (2, 0), (0, 1, 2), ()], ids=repr)
def test_samples_are_numbered_by_the_batch_axes(xp, batch_axis):
    x = RNG.normal(size=(4, 3, 5))
    penalty = Decorrelation(0.5, batch_axis=batch_axis)
    value, gradient = penalty.value_and_gradient(make(xp, x))
    expected = value_and_gradient(penalty, x)

    assert float(value) == pytest.approx(expected[0], rel=1e-12, abs=1e-14)
    assert_allclose(numbers(gradient), expected[1], rtol=1e-10, atol=1e-14)


def test_autograd_and_jax_differentiate_the_value():
    expected = value_and_gradient(Decorrelation(0.5), X)[1]
    x = torch.tensor(X, requires_grad=True)
    Decorrelation(0.5)(x).backward()
    with jax.enable_x64(True):
        by_jax = jax.jit(jax.grad(Decorrelation(0.5)))(jax.numpy.asarray(X))

    assert_allclose(numbers(x.grad), expected, rtol=1e-10)
    assert_allclose(numbers(by_jax), expected, rtol=1e-10)


@few_libraries
def test_it_is_never_divided_by_the_batch_size_again(xp):
    once, twice = make(xp, X), make(xp, np.concatenate([X, X]))

    for reduce in ("sum", "batch_mean"):
        penalty = Decorrelation(1.0, reduce=reduce)
        assert float(penalty(once)) == pytest.approx(float(penalty(twice)), rel=1e-12)


@few_libraries
@pytest.mark.parametrize("shape", [(1, 3), (4, 1), (4,), (), (5, 3)], ids=str)
def test_units_that_do_not_vary_together_cost_nothing(xp, shape):
    """One sample, one unit, or a constant one."""
    x = np.ones(shape) * (np.arange(3) if len(shape) == 2 and shape[1] == 3 else 2)
    value, gradient = Decorrelation(1.0).value_and_gradient(make(xp, x))

    assert float(value) == 0
    assert_array_equal(numbers(gradient), np.zeros(shape))


@few_libraries
@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (0,), (2, 0, 4)], ids=str)
def test_an_empty_array_costs_nothing(xp, shape):
    value, gradient = Decorrelation(1.0).value_and_gradient(make(xp, np.zeros(shape), "float32"))

    assert float(value) == 0
    assert tuple(gradient.shape) == shape


@few_libraries
@pytest.mark.parametrize(("mean", "rounding"), [(0.0, 1e-6), (1e2, 1e-4), (1e4, 1e-2)])
def test_a_large_mean_costs_single_precision_what_the_numbers_themselves_lost(xp, mean, rounding):
    x = (RNG.normal(size=(256, 3)) @ RNG.normal(size=(3, 3)) + mean).astype("float32")
    value, gradient = Decorrelation(1.0).value_and_gradient(make(xp, x, "float32"))
    expected = value_and_gradient(Decorrelation(1.0), x)

    assert float(value) == pytest.approx(expected[0], rel=rounding)
    largest = np.abs(expected[1]).max()
    assert_allclose(numbers(gradient), expected[1], atol=rounding * largest)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_is_accumulated_in_single(dtype):
    x = torch.tensor(X * 20).to(getattr(torch, dtype))
    value, gradient = Decorrelation(1e-4).value_and_gradient(x)
    expected = value_and_gradient(Decorrelation(1e-4), numbers(x))

    assert value.dtype == torch.float32
    assert float(value) == pytest.approx(expected[0], rel=1e-5)
    assert gradient.dtype == x.dtype
    assert_allclose(numbers(gradient), expected[1], rtol=2**-7)


def test_autocast_does_not_lower_its_precision():
    x = torch.tensor(X).float().requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        value = Decorrelation(0.5)(x)
    value.backward()

    assert_allclose(numbers(x.grad), value_and_gradient(Decorrelation(0.5), X)[1], rtol=1e-4)


@few_libraries
def test_nan_is_seen(xp):
    with np.errstate(invalid="ignore"):
        value = Decorrelation(1.0)(make(xp, [[0.5, nan], [0.5, 0.5]]))

    assert np.isnan(float(value))


def test_a_mask_leaves_out_samples(xp):
    live = np.array([True, False, True, True, False, True])
    x = make(xp, np.where(live[:, None], X, nan))
    value, gradient = Decorrelation(0.5).value_and_gradient(x, mask=boolean(xp, live))
    expected = value_and_gradient(Decorrelation(0.5), X[live])

    assert float(value) == pytest.approx(expected[0], rel=1e-12)
    assert_allclose(numbers(gradient)[live], expected[1], rtol=1e-10)
    assert_array_equal(numbers(gradient)[~live], 0)


@few_libraries
def test_a_mask_of_tokens_where_these_are_the_samples(xp):
    x, live = RNG.normal(size=(2, 4, 3)), np.arange(4) < np.array([[2], [4]])
    penalty = Decorrelation(0.5, batch_axis=(0, 1))
    value = penalty(make(xp, np.where(live[..., None], x, nan)), mask=boolean(xp, live))

    assert float(value) == pytest.approx(0.5 * off_diagonal(x[live]), rel=1e-12)


@few_libraries
def test_a_mask_that_leaves_nothing_costs_nothing(xp):
    x = make(xp, np.full((3, 2), nan))
    value, gradient = Decorrelation(1.0).value_and_gradient(x, mask=boolean(xp, [False] * 3))

    assert float(value) == 0
    assert_array_equal(numbers(gradient), np.zeros((3, 2)))


@few_libraries
@pytest.mark.parametrize(
    ("batch_axis", "mask"), [(None, np.ones((6, 4), bool)), (1, np.ones(6, bool))]
)
def test_a_mask_of_a_part_of_a_sample_is_refused(xp, batch_axis, mask):
    match = r"Decorrelation: mask: expected one over batch axes, .*; .* say batch_axis=\(0, 1\)"
    with pytest.raises(ConfigurationError, match=match):
        Decorrelation(1.0, batch_axis=batch_axis)(make(xp, X), mask=boolean(xp, mask))


def test_a_mean_is_refused():
    match = "reduce: expected 'sum' or 'batch_mean' of Decorrelation, .*; divide the strength"
    with pytest.raises(ConfigurationError, match=match):
        Decorrelation(1.0, reduce="mean")
    with pytest.raises(ConfigurationError, match=match):
        assert activity(Decorrelation(1.0), where="0", reduce="mean").terms


@pytest.mark.parametrize("sizes", [(3, 3), (1, 5), (0, 6), (2, 0, 4)], ids=str)
@pytest.mark.parametrize(
    ("dtype", "mean", "rounding"),
    [
        ("float32", 0.0, 1e-5),
        ("float32", 1e3, 1e-3),
        ("float64", 0.0, 1e-12),
        ("float64", 1e5, 1e-5),
    ],
)
def test_the_moments_of_parts_of_a_batch_add_up(dtype, mean, rounding, sizes):
    """In the form in which processes join them, which is float64 where the parts are float32."""
    x = (X + mean).astype(dtype)
    penalty, parts = Decorrelation(1.0), np.split(x, np.cumsum(sizes)[:-1])
    sums = []
    for part in parts:
        statistic, _ = penalty.statistic(part, penalty.frame(np, part, None))
        sums.append(penalty.to_sum(statistic.astype("float64"), np))
    joined = penalty.from_sum(sum(sums), np).astype(dtype)

    value = float(penalty.value(joined, None, np))
    assert value == pytest.approx(off_diagonal(x.astype("float64")), rel=rounding)


def test_the_gradient_of_a_part_is_that_of_its_samples_in_the_whole():
    penalty, parts, statistics = Decorrelation(1.0), torch.tensor(X).split([2, 4]), []
    for part in parts:
        statistic, _ = penalty.statistic(part, penalty.frame(namespace_of(part), part, None))
        statistics.append(statistic.requires_grad_())
    xp = namespace_of(parts[0])
    total = sum([penalty.to_sum(statistic, xp) for statistic in statistics])
    value = penalty.value(penalty.from_sum(total, xp), None, xp)
    cotangents = torch.autograd.grad(value, statistics)
    gradients = [
        penalty.pullback(part, (), cotangent, penalty.frame(xp, part, None))
        for part, cotangent in zip(parts, cotangents, strict=True)
    ]

    expected = value_and_gradient(penalty, X)
    assert value.item() == pytest.approx(expected[0], rel=1e-12)
    assert_allclose(numbers(torch.cat(gradients)), expected[1], rtol=1e-10)


@pytest.mark.parametrize("delivery", ["collect", "inject"])
def test_the_gradient_at_an_output_is_that_of_the_array(delivery):
    model = torch.nn.Sequential(torch.nn.Linear(3, 4)).double()
    reg = Regularization(model, [activity(Decorrelation(0.7), where="0")], delivery=delivery)
    inputs = torch.tensor(RNG.normal(size=(6, 3)))
    output = model(inputs)
    loss = output.square().mean()
    (reg.scale_from(loss) if delivery == "inject" else loss + reg.penalty()).backward()

    weight = model[0].weight.detach().clone().requires_grad_()
    by_hand = torch.nn.functional.linear(inputs, weight, model[0].bias.detach())
    covariances = torch.cov(by_hand.T, correction=0)
    penalty = 0.7 * covariances.triu(diagonal=1).square().sum()
    (by_hand.square().mean() + penalty).backward()
    torch.testing.assert_close(model[0].weight.grad, weight.grad)


def test_an_empty_batch_at_an_output():
    model = torch.nn.Sequential(torch.nn.Linear(3, 4))
    reg = Regularization(model, [activity(Decorrelation(0.7), where="0")])
    model(torch.zeros(0, 3))
    penalty = reg.penalty()
    penalty.backward()

    assert penalty.item() == 0
    assert_array_equal(numbers(model[0].weight.grad), np.zeros((4, 3)))


def test_a_budget_of_covariances():
    value = off_diagonal(X)
    penalty = Budget(Decorrelation(0.5), value / 2)

    assert float(penalty(X)) == pytest.approx(value / 4)
    assert_allclose(penalty.gradient(X), Decorrelation(0.5).gradient(X), rtol=1e-12)
    assert_array_equal(Budget(Decorrelation(0.5), 2 * value).gradient(X), 0 * X)


@few_libraries
@pytest.mark.parametrize("steps", [1, 3])
def test_changes_in_time(xp, steps):
    x = RNG.normal(size=(6, steps, 4))
    value, gradient = Temporal(Decorrelation(0.5), time_axis=1).value_and_gradient(make(xp, x))
    changes = np.diff(x, axis=1).reshape(6, -1)

    assert float(value) == pytest.approx(0.5 * off_diagonal(changes) if steps > 1 else 0)
    assert_allclose(numbers(gradient).sum(axis=(0, 1)), np.zeros(4), atol=1e-12)
