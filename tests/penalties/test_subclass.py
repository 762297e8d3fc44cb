"""What a subclass says is what is computed, on arrays of every size; what it cannot say raises."""

from dataclasses import dataclass, field

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

import regularizers as rz
from penalties.outside import (
    Asymmetric,
    Doubled,
    Fast,
    Forgetful,
    Log,
    Quarters,
    Saturating,
    Signed,
    Thirds,
    Towards,
    plain,
    several,
)
from regularizers.errors import ConfigurationError
from regularizers.penalties import Penalty, Term
from regularizers.penalties.kernels import (
    AbsoluteKernel,
    ElementKernel,
    SquaresKernel,
    kernel_of,
    thresholds,
)

REDUCTIONS = [None, "sum", "batch_mean", "mean"]


def shown(penalty):
    return f"{penalty!r}"


@pytest.fixture(params=["small", "large"])
def values(request, monkeypatch):
    """Return an array, read at once or in several pieces."""
    if request.param == "large":
        monkeypatch.setattr(thresholds, "PIECE", 7)
        monkeypatch.setattr(thresholds, "LARGE", 3)
    x = np.random.default_rng(0).standard_normal((4, 5, 3))
    x[:, ::3] = 0
    return x


@pytest.mark.parametrize("library", ["numpy", "torch"])
@pytest.mark.parametrize(
    "penalty", [p for reduce in REDUCTIONS for p in several(reduce=reduce)], ids=shown
)
def test_its_own_formula_is_computed(penalty, library, values):
    x = torch.tensor(values, requires_grad=True)
    value = plain(penalty, x)
    (gradient,) = torch.autograd.grad(value, x)
    given = values if library == "numpy" else torch.tensor(values)
    assert_allclose(float(penalty(given)), value.item(), rtol=1e-12)
    got, slope = penalty.value_and_gradient(given)
    assert_allclose(float(got), value.item(), rtol=1e-12)
    assert_allclose(np.asarray(slope), gradient.numpy(), rtol=1e-12)
    grads = np.ones_like(values) if library == "numpy" else torch.ones_like(given)
    assert_allclose(float(penalty.apply(given, grads)), value.item(), rtol=1e-12)
    assert_allclose(np.asarray(grads), 1 + gradient.numpy(), rtol=1e-12)


def test_a_penalty_that_forgets_the_division_is_divided_with_a_mask_too():
    x, mask = (
        np.array([[1.0, 2.0], [3.0, np.nan], [np.nan, np.nan]]),
        np.array([[True, True], [True, False], [False, False]]),
    )
    value = 3 * (np.log(2) + np.log(5) + np.log(10)) / 2  # of two samples
    forgetful = Forgetful(1.0, reduce="batch_mean")
    assert_allclose(forgetful(x, mask=mask), value)
    gradient = [[1.5, 3 * 2 / 5], [3 * 3 / 10, 0], [0, 0]]
    assert_allclose(forgetful.gradient(x, mask=mask), gradient)


def test_what_a_mask_leaves_counts_at_0_too():
    x, mask = np.array([[3.0, np.nan], [np.nan, np.nan]]), np.array([[True, False], [False, False]])
    assert float(Towards(1.0)(x, mask=mask)) == 4
    assert_allclose(Towards(1.0).gradient(x, mask=mask), [[4, 0], [0, 0]])


def test_only_what_does_not_read_its_tally_is_divided():
    def value(first, second):
        class Made(Log):
            value = first
            derivative = second

        return float(Made(1.0, reduce="batch_mean")(np.ones((2, 3))))

    whole = 6 * np.log(2)
    assert_allclose(value(lambda s, x, t, xp: x, lambda s, x, t, xp: x), whole / 2)
    assert_allclose(value(lambda s, x, t, xp: x / t, lambda s, x, t, xp: x), whole / 2)
    assert_allclose(value(lambda s, x, *rest: x, lambda s, x, *rest: x), whole / 2)
    assert_allclose(value(lambda s, x, *rest: x / rest[0], lambda s, x, *rest: x), whole / 2)
    static = staticmethod(lambda x, t, xp: x)
    assert_allclose(value(static, static), whole / 2)
    assert_allclose(value(lambda s, x, t, xp: (lambda: x / t)(), lambda s, x, t, xp: x), whole / 2)


def test_it_is_divided_once_however_often_it_is_inherited():
    class Child(Forgetful):
        def value(self, statistic, denominator, xp):
            return super().value(statistic, denominator, xp)

        def derivative(self, statistic, denominator, xp):
            return super().derivative(statistic, denominator, xp)

    @dataclass(frozen=True, slots=True)
    class MadeTwice(Forgetful):
        half: float = 0.5

        def value(self, statistic, denominator, xp):
            return statistic

        def derivative(self, statistic, denominator, xp):
            return xp.ones_like(statistic)

    x = np.ones((2, 3))
    assert_allclose(float(Child(1.0, reduce="batch_mean")(x)), 9 * np.log(2))
    assert_allclose(float(MadeTwice(1.0, reduce="batch_mean")(x)), 3 * np.log(2))


def test_a_statistic_of_several_numbers_is_added_up():
    class Rows(Term):
        def statistic(self, x, frame):
            return frame.xp.sum(x * x, axis=frame.units, keepdims=True), ()

        def pullback(self, x, kept, cotangent, frame):
            return 2 * cotangent * x

    x = np.arange(6.0).reshape(2, 3)
    assert float(Rows(1.0, reduce="batch_mean")(x)) == 55 / 2
    assert_allclose(Rows(1.0, reduce="batch_mean").gradient(x), x)


def test_a_count_for_each_unit_must_be_read():
    class Squares(rz.KLSparsity):
        def value(self, statistic, denominator, xp):
            return xp.sum(statistic * statistic)

        def derivative(self, statistic, denominator, xp):
            return 2 * statistic

    mask = np.array([[True, True], [True, False]])
    with pytest.raises(
        ConfigurationError, match=r"Squares: value: expected a function that divides"
    ):
        Squares(1.0, 0.1)(np.ones((2, 2)), mask=mask)


def test_a_kernel_is_that_of_the_exact_type():
    class Same(rz.L1):
        def check_shape(self, shape):
            super().check_shape(shape)

    kernels = [type(kernel_of(p(1.0))) for p in (rz.L1, rz.L2Squared, rz.Huber, Asymmetric, Same)]
    assert kernels == [AbsoluteKernel, SquaresKernel, ElementKernel, ElementKernel, ElementKernel]
    assert [kernel_of(p(1.0)) for p in (rz.L2Norm, Doubled, Saturating, Log)] == [None] * 4
    assert [kernel_of(p(1.0)).slope_is_sign for p in (rz.L1, Signed, Fast)] == [True, False, False]


def test_properties_are_those_of_the_class_that_declared_the_formula():
    assert (rz.L1(1.0).saves, Asymmetric(1.0).saves, Signed(1.0).saves) == ("sign", "input", "sign")
    assert [p.stage for p in (rz.L1, rz.L2Norm, Asymmetric, Quarters)] == [
        "elements", "blocks", None, None,
    ]  # fmt: skip

    class Same(rz.L1):
        def check_shape(self, shape):
            super().check_shape(shape)

    assert (Same(1.0).saves, Same.stage) == ("sign", "elements")


def test_statistics_of_another_formula_add_up_as_they_are():
    class Sizes(rz.L2Norm):
        def statistic(self, x, frame):
            return frame.xp.sum(frame.xp.maximum(x, -x)), ()

        def pullback(self, x, kept, cotangent, frame):
            return cotangent * frame.xp.sign(x)

    whole = np.array(3.0)
    assert Sizes(1.0).to_sum(whole, np) == Sizes(1.0).from_sum(whole, np) == 3
    assert rz.L2Norm(1.0, reduce="sum").to_sum(whole[None], np) == 9


def test_only_what_is_divided_adds_over_samples():
    sums = [rz.L1(1.0), Log(1.0), Asymmetric(1.0), Thirds(1.0), rz.L1(1.0, reduce="batch_mean")]
    assert not any(penalty.spans_samples(np.array(1.0)) for penalty in sums)
    assert Saturating(1.0).spans_samples(np.array(1.0))


def test_only_what_is_known_to_adds_over_parts_of_the_units():
    known = [rz.L1(1.0), rz.Huber(1.0), rz.KLSparsity(1.0, 0.1), Asymmetric(1.0), Signed(1.0)]
    assert all(penalty.adds_over_units for penalty in known)
    unknown = [rz.L1(1.0, reduce="mean"), Log(1.0), Saturating(1.0), Quarters(1.0)]
    assert not any(penalty.adds_over_units for penalty in unknown)


def test_another_formula_has_no_proximal_step_of_its_parent():
    for penalty in (Asymmetric(1.0), Quarters(1.0)):
        with pytest.raises(ConfigurationError, match=r"which has no proximal form"):
            penalty.prox(np.ones(3), 0.1)
        with pytest.raises(ConfigurationError, match=r"which has no proximal form"):
            rz.kernel(penalty, proximal=True)


def test_a_proximal_step_may_be_declared_with_the_formula():
    class Ramp(Asymmetric):
        """Where x is negative, twice the threshold."""

        stage = "elements"

        def element(self, xp, x):
            return xp.maximum(x, -2 * x)

        def element_slope(self, xp, x):
            return xp.where(x < 0, 2 * xp.sign(x), xp.sign(x))

        def proximal_step(self, x, step, strength, frame):
            return x - frame.xp.clip(x, -2 * step * strength, step * strength), step

    assert_allclose(Ramp(1.0).prox(np.array([3.0, -3.0, -1.0]), 1.0), [2, -1, 0])


def made(parent, **attributes):
    return type("Mine", (parent,), attributes)


def some(*_):
    return 0


@pytest.mark.parametrize(
    ("parent", "attributes", "message"),
    [
        (rz.L1, ["element"], "element_slope of one formula, got element alone; .*L1.element_slope"),
        (rz.L1, ["element_slope"], "got element_slope alone"),
        (rz.L2Norm, ["statistic"], "`pullback = Blocks.pullback`"),
        (rz.L2Norm, ["pullback"], "got pullback alone"),
        (rz.L2Norm, ["gathered"], "expected gathered and pullback of one formula"),
        (rz.GroupLasso, ["weight"], "expected weight and pullback of one formula"),
        (rz.L1, ["value"], "`derivative = Formula.derivative`"),
        (rz.GroupLasso, ["derivative"], "got derivative alone"),
        (rz.L1, ["__call__"], r"got __call__\(\), which no model calls"),
        (rz.Huber, ["gradient"], r"got gradient\(\)"),
        (rz.L1L2, ["apply"], r"got apply\(\)"),
        (rz.L1, ["prox"], r"got prox\(\)"),
        (rz.L1L2, ["element", "element_slope"], "got element and element_slope, which nothing"),
        (rz.AR, ["value"], "derive from the penalty that is summed"),
        (rz.L1, ["frame"], "frame: expected that of Formula"),
        (rz.L1, ["__init__"], "expected the __init__ of a dataclass"),
    ],
)  # fmt: skip
def test_half_a_formula_is_refused_where_it_is_written(parent, attributes, message):
    with pytest.raises(ConfigurationError, match=f"Mine: .*{message}"):
        made(parent, **dict.fromkeys(attributes, some))


def test_both_halves_may_come_from_a_mixin():
    class Mixin:
        def element(self, xp, x):
            return 3 * x * x

        def element_slope(self, xp, x):
            return 6 * x

    class Mine(Mixin, rz.L2Squared):
        pass

    assert float(Mine(1.0)(np.array([2.0]))) == 12
    with pytest.raises(ConfigurationError, match=r"OfSum: .*got element and element_slope"):
        type("OfSum", (Mixin, rz.L1L2), {})


def test_a_half_that_was_abstract_completes_a_formula():
    class Template(Term):
        def pullback(self, x, kept, cotangent, frame):
            return cotangent * frame.xp.ones_like(x)

    class Plain(Template):
        def statistic(self, x, frame):
            return frame.xp.sum(x), ()

    assert float(Plain(2.0)(np.array([1.0, 3.0]))) == 8


def test_a_default_that_no_instance_would_see():
    mine = made(rz.L1, reduce="mean")
    with pytest.raises(ConfigurationError, match=r"`reduce: TYPE = field\(default='mean', kw_only"):
        mine(1.0)

    @dataclass(frozen=True)
    class Mean(rz.L1):
        reduce: str | None = field(default="mean", kw_only=True)

    assert float(Mean(1.0)(np.array([1.0, -3.0]))) == 2


def test_settings_that_are_not_compared_are_refused():
    @dataclass(frozen=True)
    class Weighted(Log):
        weights: object = field(default=None, compare=False)

    with pytest.raises(ConfigurationError, match=r"Weighted: weights: .* eq=False"):
        Weighted(1.0)


def test_a_sum_of_terms_is_declared_by_its_terms():
    class Both(Penalty):
        @property
        def terms(self):
            return rz.L1(1.0), rz.L2Squared(1.0)

        def value(self):
            return "its own affair"

        def __mul__(self, factor):
            raise NotImplementedError

    assert float(Both()(np.array([-2.0]))) == 6
