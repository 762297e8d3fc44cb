"""Differences of neighbours along several axes: by hand, by other libraries, with masks."""

from math import nan

import jax
import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from torch import nn

import regularizers as rz
from penalties.arrays import make, numbers
from penalties.oracle import plain, value_and_gradient
from penalties.test_autograd import leaf
from penalties.test_masks import boolean
from regularizers import L1, Budget, Temporal, TotalVariation, activity
from regularizers.errors import ShapeError

PICTURES = np.random.default_rng(0).standard_normal((3, 2, 4, 5))
REDUCTIONS = ["sum", "batch_mean", "mean"]
BATCH = {"sum": 1, "batch_mean": 3}

every_reduction = pytest.mark.parametrize("reduce", REDUCTIONS)


def by_numpy(x, axes):
    return [np.abs(np.diff(x, axis=axis)) for axis in axes]


@every_reduction
@pytest.mark.parametrize("axes", [(2, 3), (1,), (-1, -2), (1, 2, 3)], ids=str)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_pictures_by_numpy(xp, reduce, axes, dtype):
    pairs = by_numpy(PICTURES, axes)
    count = BATCH.get(reduce, sum(each.size for each in pairs))
    value, gradient = TotalVariation(0.5, axes, reduce=reduce).value_and_gradient(
        make(xp, PICTURES, dtype)
    )
    rtol = 1e-5 if dtype == "float32" else 1e-12

    assert float(value) == pytest.approx(0.5 * sum(map(np.sum, pairs)) / count, rel=rtol)
    by_autograd = value_and_gradient(TotalVariation(0.5, axes, reduce=reduce), PICTURES)[1]
    assert_allclose(numbers(gradient), by_autograd, rtol=rtol, atol=1e-15)


@pytest.mark.parametrize("half", ["float16", "bfloat16"])
def test_half_precision_is_accumulated_in_single(half):
    steps = torch.arange(3000).to(getattr(torch, half))[None]  # many sizes round together
    expected = steps.double().diff(dim=1).abs().sum().item()
    value, gradient = TotalVariation(1.0, 1).value_and_gradient(steps)

    assert float(value) == pytest.approx(expected, rel=1e-6)
    assert gradient.dtype == steps.dtype


@every_reduction
@pytest.mark.parametrize("masked", [False, True])
def test_along_one_axis_it_is_temporal_l1(xp, reduce, masked):
    x = make(xp, PICTURES)
    mask = boolean(xp, np.cos(np.arange(6)).reshape(3, 2) > -0.9) if masked else None
    found = TotalVariation(0.5, 2, reduce=reduce).value_and_gradient(x, mask=mask)
    expected = Temporal(L1(0.5, reduce=reduce), 2).value_and_gradient(x, mask=mask)

    assert float(found[0]) == pytest.approx(float(expected[0]), rel=1e-14)
    assert_allclose(numbers(found[1]), numbers(expected[1]), rtol=1e-14)


@every_reduction
def test_a_pair_with_a_masked_element_does_not_count(xp, reduce):
    x = [[[1.0, 4.0, nan], [2.0, nan, 7.0]]]
    mask = [[[True, True, False], [True, False, True]]]
    # valid pairs: 1–4 along a row, 1–2 down a column
    penalty, count = TotalVariation(0.5, (1, 2), reduce=reduce), 2 if reduce == "mean" else 1
    value, gradient = penalty.value_and_gradient(make(xp, x), mask=boolean(xp, mask))

    assert float(value) == pytest.approx(0.5 * (3 + 1) / count)
    expected = np.array([[[-1, 0.5, 0], [0.5, 0, 0]]]) / count
    assert_array_equal(numbers(gradient), expected)


@every_reduction
def test_samples_behind_a_mask_do_not_count(xp, reduce):
    padded = PICTURES.copy()
    padded[1] = nan
    mask = boolean(xp, [True, False, True])
    penalty = TotalVariation(0.5, (2, 3), reduce=reduce)
    value, gradient = penalty.value_and_gradient(make(xp, padded), mask=mask)
    expected = penalty.value_and_gradient(make(xp, PICTURES[[0, 2]]))

    assert float(value) == pytest.approx(float(expected[0]), rel=1e-13)
    assert_allclose(numbers(gradient)[[0, 2]], numbers(expected[1]), rtol=1e-13)
    assert_array_equal(numbers(gradient)[1], 0)


@every_reduction
@pytest.mark.parametrize(
    "shape", [(2, 1, 1), (2, 1, 3), (2, 3, 1), (0, 3, 3), (2, 0, 3), (2, 1, 0)], ids=str
)
def test_short_axes_have_no_pairs(xp, reduce, shape):
    x = np.arange(np.prod(shape), dtype=float).reshape(shape)
    value, gradient = TotalVariation(0.5, (1, 2), reduce=reduce).value_and_gradient(make(xp, x))
    pairs = by_numpy(x, (1, 2)) if x.size else []
    count = {"sum": 1, "batch_mean": 2}.get(reduce, max(sum(p.size for p in pairs), 1))

    assert float(value) == pytest.approx(0.5 * sum(map(np.sum, pairs)) / count)
    assert gradient.shape == shape


@every_reduction
def test_all_masked_is_0(xp, reduce):
    value, gradient = TotalVariation(0.5, (1, 2), reduce=reduce).value_and_gradient(
        make(xp, np.full((2, 3, 3), nan)), mask=boolean(xp, [False, False])
    )

    assert float(value) == 0
    assert_array_equal(numbers(gradient), np.zeros((2, 3, 3)))


def test_nan_is_seen(xp):
    with np.errstate(invalid="ignore"):
        assert np.isnan(float(TotalVariation(0.5, 1)(make(xp, [[1.0, nan, 2.0]]))))


@every_reduction
def test_autograd_and_jax_at_ties_and_elsewhere(reduce):
    penalty = TotalVariation(0.5, (1, 2), reduce=reduce)
    for x in (PICTURES[:, 0], np.round(PICTURES[:, 0])):
        by_torch = leaf(x)
        penalty(by_torch).backward()
        with jax.enable_x64(True):
            by_jax = jax.jit(jax.grad(penalty))(jax.numpy.asarray(x))
        for gradient in (by_torch.grad, by_jax, penalty.gradient(x)):
            expected = value_and_gradient(penalty, x)[1]
            assert_allclose(numbers(gradient), expected, rtol=1e-12, atol=1e-15)
    assert torch.autograd.gradcheck(penalty, leaf(PICTURES[:, 0]))


@pytest.mark.parametrize(
    ("axes", "batch_axis", "shape", "match"),
    [
        (0, None, (3, 4), r"other axes than those of the batch, \(0,\), got 0; samples have no"),
        (
            (1, 2),
            (0, 1),
            (3, 4, 5),
            r"than those of the batch, \(0, 1\), got \(1, 2\);.* batch_axis=",
        ),
        (-3, None, (3, 4, 5), r"got -3; .* say batch_axis=\(\)"),
        (2, None, (3, 4), "axes: expected axes of an array of 2 dimensions, from -2 to 1, got 2"),
        ((1, -1), None, (3, 4), r"axes: expected distinct axes, got \(1, -1\)"),
        (1, None, (), "axes: expected an array with the axes 1, got a number"),
    ],
)
def test_axes_that_an_array_has_not(axes, batch_axis, shape, match):
    x, grads = np.ones(shape), np.zeros(shape)
    with pytest.raises(ShapeError, match=match):
        TotalVariation(0.5, axes, batch_axis=batch_axis).apply(x, grads)

    assert_array_equal(grads, 0)


def test_samples_of_a_model_have_no_order():
    model = nn.Sequential(nn.Linear(3, 4))
    reg = rz.Regularization(model, [activity(TotalVariation(0.1, (0, 1)), where="0")])
    with pytest.raises(ShapeError, match=r"than those of the batch, \(0,\), got \(0, 1\)"):
        model(torch.ones(2, 3))
    reg.detach()


@pytest.mark.parametrize("delivery", ["collect", "inject"])
@every_reduction
def test_pictures_in_a_model(delivery, reduce):
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Tanh()).double()
    penalty = TotalVariation(0.3, (2, 3), reduce=reduce)
    reg = rz.Regularization(model, [activity(penalty, where="1")], delivery=delivery)
    x = torch.randn(3, 1, 6, 7, dtype=torch.float64)
    loss = model(x).sum()
    (reg.scale_from(loss) if delivery == "inject" else loss + reg.penalty()).backward()
    found = model[0].weight.grad.clone()
    output = model.eval()(x)
    by_hand = output.sum() + plain(penalty, output)
    (expected,) = torch.autograd.grad(by_hand, model[0].weight)

    assert_allclose(found.numpy(), expected.numpy(), rtol=1e-10, atol=1e-12)


def test_a_kernel_has_no_samples():
    model = nn.Conv1d(2, 3, 5)
    penalty = TotalVariation(0.3, (0, 2), batch_axis=())
    reg = rz.Regularization(model, [rz.kernel(penalty)])
    reg.penalty().backward()

    expected = penalty.gradient(model.weight.detach())
    assert_allclose(model.weight.grad.numpy(), expected.numpy(), rtol=1e-6)
    assert float(penalty(model.weight.detach())) == pytest.approx(
        0.3 * sum(map(np.sum, by_numpy(model.weight.detach().numpy(), (0, 2)))), rel=1e-5
    )


def test_it_has_a_budget_and_differences_in_time(xp):
    x = make(xp, PICTURES)
    spent = float(TotalVariation(1.0, 3)(x))

    assert float(Budget(TotalVariation(0.5, 3), spent - 1)(x)) == pytest.approx(0.5)
    changes = PICTURES[:, 1:] - PICTURES[:, :-1]
    expected = 0.5 * np.abs(np.diff(changes, axis=3)).sum()
    assert float(Temporal(TotalVariation(0.5, 3), 1)(x)) == pytest.approx(expected)
