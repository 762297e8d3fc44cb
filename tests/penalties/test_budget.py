"""A budget: nothing below it and at it, the penalty less the budget above it."""

import dataclasses
from math import inf, nan

import jax
import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from torch import nn

import regularizers as rz
from penalties.arrays import make, numbers
from penalties.cases import REDUCTIONS
from penalties.oracle import value_and_gradient
from regularizers import (
    AR,
    L1,
    L1L2,
    TAR,
    ActivityRegularization,
    Budget,
    GroupLasso,
    Hoyer,
    Huber,
    KLSparsity,
    L2Norm,
    L2Squared,
    Lp,
    Orthogonal,
    Temporal,
)
from regularizers.errors import ConfigurationError, ShapeError, StrengthTypeError

BATCH = [[1.0, -2.0], [3.0, 0.5], [0.25, 0.75]]
MASK = [[True, False], [False, False], [True, True]]

OF = {
    "L1": lambda **options: L1(0.5, **options),
    "L2Norm": lambda **options: L2Norm(0.5, **options),
    "L2Squared": lambda **options: L2Squared(0.5, **options),
    "Huber": lambda **options: Huber(0.5, **options),
    "Lp": lambda **options: Lp(0.5, 1.5, **options),
    "Hoyer": lambda **options: Hoyer(0.5, **options),
    "GroupLasso": lambda **options: GroupLasso(0.5, 1, **options),
    "KLSparsity": lambda **options: KLSparsity(0.5, 0.25, **options),
}
every_penalty = pytest.mark.parametrize("of", OF.values(), ids=OF)
every_reduction = pytest.mark.parametrize("reduce", REDUCTIONS)
no_mask_or_one = pytest.mark.parametrize("mask", [None, MASK], ids=["no mask", "mask"])


@every_penalty
@every_reduction
@no_mask_or_one
@pytest.mark.parametrize(("share", "charged"), [(0.9, True), (1.1, False)], ids=["above", "below"])
def test_both_sides_of_the_budget(xp, of, reduce, mask, share, charged):
    penalty, x = of(reduce=reduce), make(xp, BATCH)
    if mask is not None:
        mask = xp.asarray(mask, dtype=xp.bool if hasattr(xp, "bool") else bool)
    whole, slope = penalty.value_and_gradient(x, mask=mask)
    budget = share * float(whole) / 0.5
    value, gradient = Budget(penalty, budget).value_and_gradient(x, mask=mask)

    assert float(value) == pytest.approx(0.1 * float(whole) if charged else 0.0, rel=1e-12)
    assert_allclose(numbers(gradient), numbers(slope) if charged else 0, rtol=1e-14)


@every_penalty
@every_reduction
@pytest.mark.parametrize("share", [0.5, 1.5], ids=["above", "below"])
def test_value_and_gradient_are_those_of_autograd_in_float64(of, reduce, share):
    x = np.random.default_rng(0).random((5, 4))
    spent = value_and_gradient(of(reduce=reduce), x)[0] / 0.5
    penalty = Budget(of(reduce=reduce), share * spent)
    value, gradient = penalty.value_and_gradient(x)
    by_formula = value_and_gradient(penalty, x)

    assert (by_formula[0] > 0) == (share < 1)
    assert float(value) == pytest.approx(by_formula[0], rel=1e-12)
    assert_allclose(gradient, by_formula[1], rtol=1e-11, atol=1e-15)


def test_what_is_spent_is_that_of_the_batch():
    samples = [[4.0, 4.0], [0.0, 0.0]]  # 8 of the first and none of the second: 4 a sample
    four = Budget(L1(1.0, reduce="batch_mean"), 4.0)

    assert float(four(np.array(samples))) == 0
    assert float(four(np.array(samples[:1]))) == 4


def test_masked_samples_spend_nothing():
    padded, mask = np.array([[3.0, -3.0], [nan, inf]]), np.array([True, False])
    value, gradient = Budget(L1(1.0, reduce="batch_mean"), 4.0).value_and_gradient(
        padded, mask=mask
    )

    assert float(value) == 2
    assert_array_equal(gradient, [[1, -1], [0, 0]])


@pytest.mark.parametrize("budget", [3.0, 0.0], ids=["spent", "none"])
def test_at_the_budget_nothing_pulls(xp, budget):
    x = make(xp, [1.0, -2.0] if budget else [0.0, 0.0])
    penalty = Budget(L1(1.0), budget)

    assert float(penalty(x)) == 0
    assert_array_equal(numbers(penalty.gradient(x)), [0, 0])


def test_at_the_budget_nothing_pulls_by_the_libraries_own_means():
    penalty = Budget(L1(1.0), 3.0)
    by_torch = torch.tensor([1.0, -2.0], requires_grad=True)
    penalty(by_torch).backward()

    assert by_torch.grad.tolist() == [0, 0]
    assert jax.grad(penalty)(jax.numpy.asarray([1.0, -2.0])).tolist() == [0, 0]
    assert jax.grad(penalty)(jax.numpy.asarray([1.0, -2.5])).tolist() == [1, -1]


@pytest.mark.parametrize("budget", [1.0, 1e3])
def test_second_derivatives(budget):
    penalty = Budget(Lp(0.5, 3.0, reduce="batch_mean"), budget)
    x = torch.tensor(BATCH, dtype=torch.float64, requires_grad=True)

    assert torch.autograd.gradgradcheck(penalty, x)
    assert torch.autograd.gradcheck(penalty.gradient, x)


@pytest.mark.parametrize("odd", [nan, inf])
def test_what_is_not_finite_is_charged(xp, odd):
    with np.errstate(invalid="ignore"):
        value, gradient = Budget(L2Squared(0.5), 1e9).value_and_gradient(make(xp, [1.0, odd]))

    assert_array_equal(float(value), odd)
    assert_array_equal(numbers(gradient), [1.0, odd])


def test_half_precision_is_widened_before_the_budget():
    x = torch.tensor([300.0, -300.0], dtype=torch.float16)
    value, gradient = Budget(L2Squared(0.001), 179_999.0).value_and_gradient(x)

    assert value.dtype == torch.float32
    assert value.item() == pytest.approx(0.001)
    assert gradient.dtype == torch.float16


def test_budgets_add_and_scale():
    x = np.array([1.0, -3.0])
    both = 2 * (Budget(L1(0.5), 3.0) + Budget(L2Squared(0.25), 8.0) + L1(1.0))

    assert float(both(x)) == 2 * (0.5 + 0.5 + 4)
    assert_allclose(both.gradient(x), [2 * (0.5 + 0.5 + 1), 2 * (-0.5 - 1.5 - 1)])


STATES = [[[1.0], [3.0], [2.0]], [[0.0], [0.0], [4.0]]]
"""Two sequences of three steps of one unit: changes 2, -1 and 0, 4."""


@pytest.mark.parametrize(
    ("penalty", "value", "gradient"),
    [
        (Budget(L1(0.5), 6.0), 0.5, [[[-0.5], [1], [-0.5]], [[0], [-0.5], [0.5]]]),
        (Budget(L1(0.5), 7.0), 0.0, np.zeros((2, 3, 1))),
        (
            Budget(L2Squared(1.0, reduce="mean"), 5.0),
            0.25,
            [[[-1], [1.5], [-0.5]], [[0], [-2], [2]]],
        ),
    ],
    ids=repr,
)
def test_differences_in_time_have_a_budget(xp, penalty, value, gradient):
    found, slope = Temporal(penalty, time_axis=1).value_and_gradient(make(xp, STATES))

    assert float(found) == pytest.approx(value, abs=1e-15)
    assert_allclose(numbers(slope), gradient, rtol=1e-13)


def test_masked_differences_spend_nothing():
    x = np.array([[1.0, 2.0, nan, 5.0, 7.0]])
    mask = np.array([[True, True, False, True, True]])

    assert float(Temporal(Budget(L1(1.0), 2.0), 1)(x, mask=mask)) == 1.0


def test_a_single_step_spends_nothing():
    assert float(Temporal(Budget(L1(1.0), 0.0), 1)(np.ones((2, 1, 3)))) == 0


@pytest.mark.parametrize(
    ("of", "saves", "of_weights"),
    [
        (L1(0.5), "sign", False),
        (L2Squared(0.5), "input", False),
        (KLSparsity(0.5, 0.25), "nothing", False),
        (Orthogonal(0.5), "input", True),
    ],
    ids=repr,
)
def test_a_budget_needs_what_its_penalty_needs(of, saves, of_weights):
    assert (Budget(of, 1.0).saves, Budget(of, 1.0).for_weights_only) == (saves, of_weights)


@every_reduction
def test_the_reduction_that_a_site_settles_is_that_of_the_penalty(reduce):
    x = np.random.default_rng(0).random((5, 4))
    settled = dataclasses.replace(Budget(GroupLasso(0.5, 1), 0.1), reduce=reduce, batch_axis=0)

    assert settled == Budget(GroupLasso(0.5, 1, reduce=reduce, batch_axis=0), 0.1)
    assert float(settled(x)) == float(Budget(GroupLasso(0.5, 1, reduce=reduce), 0.1)(x)) > 0
    assert dataclasses.replace(settled, reduce=None, batch_axis=None) == Budget(
        GroupLasso(0.5, 1), 0.1
    )


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Budget(L1(0.5), 2.0, strength=0.5), Budget(L1(0.5), 2.0)),
        (Budget(L1(1.0), 2.0, strength=0.5), Budget(L1(0.5), 2.0)),
        (Budget(L1(0.5), 2.0, reduce="mean"), Budget(L1(0.5, reduce="mean"), 2.0)),
        (Budget(L1(0.5), 2.0, batch_axis=1), Budget(L1(0.5, batch_axis=1), 2.0)),
        (Budget(ActivityRegularization.l2(0.5), 2.0), Budget(L2Norm(0.5), 2.0)),
        (Budget(AR(0.5), 2.0), Budget(L2Squared(0.5, reduce="mean"), 2.0)),
        (dataclasses.replace(Budget(L1(0.5), 2.0), strength=1.0), Budget(L1(1.0), 2.0)),
        (dataclasses.replace(Budget(L1(0.5), 2.0), strength=0.0), Budget(L1(0.0), 2.0)),
    ],
)
def test_what_is_said_either_way_is_the_same(one, other):
    assert one == other
    assert repr(one) == repr(other)


@pytest.mark.parametrize(
    ("make_it", "match"),
    [
        (lambda: Budget(3.0, 1.0), r"Budget: expected a penalty such as L1\(1e-3\), got 3.0 of ty"),
        (lambda: Budget(L1, 1.0), "Budget: expected a penalty such as .* of type ABCMeta"),
        (lambda: Budget(L1L2(1.0, 2.0), 1.0), r"got L1L2\(1.0, 2.0\), which is a sum of 2; give"),
        (lambda: Budget(L1(1.0) + L1(2.0), 1.0), r"one penalty .*, got L1\(1.0\) \+ L1\(2.0\), wh"),
        (
            lambda: Budget(TAR(1.0), 1.0),
            r"got TAR\(1.0\); .* Temporal\(Budget\(penalty, budget\)\)",
        ),
        (
            lambda: Budget(L1(0.5), 1.0, strength=2.0),
            "strength: its penalty says 0.5 and the budge",
        ),
        (
            lambda: Budget(L1(0.5, reduce="mean"), 1.0, reduce="sum"),
            "reduce: its penalty says 'mean' and the budget says 'sum'; say it in the penalty only",
        ),
        (lambda: Budget(Orthogonal(0.5), 1.0, reduce="mean"), "reduce: .* of Orthogonal"),
        (
            lambda: Budget(L1(0.5), 1.0).prox(np.ones(2), 0.1),
            r"got Budget\(L1\(0.5\), 1.0\), which",
        ),
        (lambda: rz.activity(Budget(Orthogonal(0.5), 1.0), where="0"), "which is for weights"),
    ],
)
def test_what_cannot_have_a_budget(make_it, match):
    with pytest.raises(ConfigurationError, match=match):
        make_it()


@pytest.mark.parametrize("budget", [-1.0, nan, inf, True, "1", None, 1j, L1(1.0)], ids=repr)
def test_a_budget_that_is_no_amount(budget):
    match = "^budget: expected a finite number, zero or more, got"
    with pytest.raises(ConfigurationError, match=match) as caught:
        Budget(L1(0.1), budget)

    assert str(caught.value).endswith(f"got {budget!r}")


def test_a_strength_that_is_none():
    with pytest.raises(StrengthTypeError, match="strength: expected a number"):
        Budget(L1(0.1), 1.0, strength=True)


def test_an_axis_the_array_has_not():
    with pytest.raises(ShapeError, match="axis: expected axes of an array of 1 dimensions"):
        Budget(GroupLasso(0.1, 1), 1.0)(np.ones(3))


@pytest.mark.parametrize("delivery", ["collect", "inject"])
@pytest.mark.parametrize("budget", [0.5, 50.0])
def test_of_a_model(delivery, budget):
    torch.manual_seed(0)
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(6, 4, dtype=torch.float64, generator=generator)
    # what L1 has kept are signs, so that a change in place after it does no harm
    model = nn.Sequential(nn.Linear(4, 3), nn.ReLU(inplace=True), nn.Linear(3, 1)).double()
    rule = rz.activity(Budget(L1(0.5), budget), where="0")
    reg = rz.Regularization(model, [rule], delivery=delivery)
    task = model(x).square().mean()
    (task + reg.penalty() if delivery == "collect" else reg.scale_from(task)).backward()
    codes = nn.functional.linear(x, *model[0].parameters())
    spent = codes.abs().sum() / 6
    expected = torch.autograd.grad(
        model[2](codes.relu()).square().mean() + 0.5 * torch.relu(spent - budget),
        list(model.parameters()),
    )

    assert (spent > budget) == (budget < 1)
    for parameter, gradient in zip(model.parameters(), expected, strict=True):
        torch.testing.assert_close(parameter.grad, gradient)
    assert reg.penalties() == {
        "0/activity/Budget": pytest.approx(max(0.5 * (spent.item() - budget), 0))
    }
    assert "Budget(L1(0.5)," in str(reg.report())
