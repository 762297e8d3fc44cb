"""A penalty is a value: frozen, compared by what it holds, printed as the call that makes it."""

import copy
import dataclasses
import pickle

import numpy as np
import pytest

import regularizers
from penalties.cases import OPTIONED, PENALTIES, kinds
from regularizers import (
    L1,
    L1L2,
    ActivityRegularization,
    Budget,
    GroupLasso,
    Hinge,
    Hoyer,
    Huber,
    KLSparsity,
    L2Norm,
    L2Squared,
    Laplacian,
    LogSum,
    Lp,
    Orthogonal,
    TotalVariation,
)
from regularizers.penalties import Sum

EVERY = PENALTIES + OPTIONED
NO_PRODUCT = "unsupported operand|can't multiply sequence"
every_penalty = pytest.mark.parametrize("penalty", EVERY, ids=repr)


@every_penalty
def test_the_repr_is_the_call_that_makes_it(penalty):
    assert eval(repr(penalty), vars(regularizers).copy()) == penalty


@pytest.mark.parametrize(
    ("penalty", "text"),
    [
        (L1(1e-3), "L1(0.001)"),
        (L1(1), "L1(1.0)"),
        (L1(0.5, reduce="mean", batch_axis=0), "L1(0.5, reduce='mean', batch_axis=0)"),
        (L1L2(0.5, 0.25, batch_axis=(0, 1)), "L1L2(0.5, 0.25, batch_axis=(0, 1))"),
        (KLSparsity(1.0, target=0.1), "KLSparsity(1.0, 0.1)"),
        (KLSparsity(1.0, 0.1, epsilon=0.01), "KLSparsity(1.0, 0.1, epsilon=0.01)"),
        (ActivityRegularization.l2(0.5), "ActivityRegularization(0.5, 'l2')"),
        (Huber(0.5), "Huber(0.5)"),
        (Huber(0.5, np.float64(2)), "Huber(0.5, 2.0)"),
        (Lp(0.5, 3), "Lp(0.5, 3.0)"),
        (LogSum(0.5, 1), "LogSum(0.5, 1.0)"),
        (Hinge(0.5, above=np.float32(2)), "Hinge(0.5, above=2.0)"),
        (Hinge(0.5, below=0, above=1), "Hinge(0.5, above=1.0, below=0.0)"),
        (Hoyer(0.5, reduce="mean"), "Hoyer(0.5, reduce='mean')"),
        (TotalVariation(0.5, (1, 2)), "TotalVariation(0.5, (1, 2))"),
        (Laplacian(0.5, np.ones((40, 40)), 1), "Laplacian(0.5, <graph of 40 nodes>, 1)"),
        (GroupLasso(0.5, (0, 1), reduce="mean"), "GroupLasso(0.5, (0, 1), reduce='mean')"),
        (Orthogonal(0.5), "Orthogonal(0.5)"),
        (Orthogonal(0.5, 1, normalized=True), "Orthogonal(0.5, 1, normalized=True)"),
        (Budget(L1(1e-3), 5), "Budget(L1(0.001), 5.0)"),
        (2 * Budget(L1(0.5, reduce="mean"), 0.1), "Budget(L1(1.0, reduce='mean'), 0.1)"),
        (Budget(ActivityRegularization.l1(0.5), 1.0), "Budget(L1(0.5), 1.0)"),
        (Budget(Orthogonal(0.5, 1), 1.0), "Budget(Orthogonal(0.5, 1), 1.0)"),
        (L1(0.5) + L2Squared(0.25), "L1(0.5) + L2Squared(0.25)"),
        (2 * (L1(0.5) + L2Norm(0.25)) + L1(1), "L1(1.0) + L2Norm(0.5) + L1(1.0)"),
        (np.float64(2) * L1(0.5), "L1(1.0)"),
        (L1(np.float32(0.5)), "L1(0.5)"),
        (L1L2(np.float64(0.5), np.int64(1)), "L1L2(0.5, 1.0)"),
    ],
)
def test_the_repr_says_what_is_not_default(penalty, text):
    assert repr(penalty) == text


def test_the_repr_of_a_target_from_numpy_is_the_call_that_makes_it():
    penalty = KLSparsity(1.0, target=np.float64(0.1), epsilon=np.float64(0.01))

    assert repr(penalty) == "KLSparsity(1.0, 0.1, epsilon=0.01)"


@every_penalty
def test_a_pickled_penalty_comes_back_equal(penalty):
    returned = pickle.loads(pickle.dumps(penalty))

    assert returned == penalty
    assert hash(returned) == hash(penalty)
    assert type(returned) is type(penalty)


@every_penalty
def test_a_copy_is_equal(penalty):
    assert copy.deepcopy(penalty) == penalty
    assert dataclasses.replace(penalty) == penalty


@every_penalty
def test_no_field_can_be_set(penalty):
    for field in dataclasses.fields(penalty):
        with pytest.raises(dataclasses.FrozenInstanceError, match=field.name):
            setattr(penalty, field.name, None)


def test_penalties_that_differ_are_unequal():
    assert len(set(EVERY)) == len(EVERY)
    for i, one in enumerate(EVERY):
        assert [one == other for other in EVERY] == [i == j for j in range(len(EVERY))]


def test_penalties_made_alike_are_equal_and_hash_alike():
    assert kinds(reduce="mean") == kinds(reduce="mean")
    assert [hash(p) for p in kinds(batch_axis=1)] == [hash(p) for p in kinds(batch_axis=1)]
    assert L1(1) == L1(1.0) == L1(np.float32(1))


@pytest.mark.parametrize(
    ("norm", "named"),
    [
        ("l1", ActivityRegularization.l1),
        ("l2", ActivityRegularization.l2),
        ("l2_squared", ActivityRegularization.l2_squared),
    ],
)
def test_a_named_constructor_is_the_norm_of_its_name(norm, named):
    assert named(0.1) == ActivityRegularization(0.1, norm)


def test_the_order_of_adding_keeps_the_order_of_terms():
    a, b, c = L1(0.1), L2Norm(0.2), L2Squared(0.3)

    assert ((a + b) + c).terms == (a, b, c)
    assert (a + (b + c)).terms == (a, b, c)
    assert sum([a, b, c]) == a + b + c


def test_parentheses_do_not_show_in_a_sum():
    a, b, c = L1(0.1), L2Norm(0.2), L2Squared(0.3)

    assert a + (b + c) == (a + b) + c
    assert (a + b) + (b + c) == a + b + b + c


def test_the_repr_of_a_sum_in_parentheses_is_the_call_that_makes_it():
    penalty = L1(0.1) + (L2Norm(0.2) + L2Squared(0.3))

    assert eval(repr(penalty), vars(regularizers).copy()) == penalty


def test_the_sum_of_one_is_that_one():
    assert sum([L1(0.1)]) == L1(0.1)


def test_scaling_keeps_every_option():
    assert 2 * KLSparsity(0.5, 0.1, epsilon=0.01, reduce="mean", batch_axis=1) == KLSparsity(
        1.0, 0.1, epsilon=0.01, reduce="mean", batch_axis=1
    )
    assert L1L2(0.5, 0.25, reduce="mean") * 2 == L1L2(1.0, 0.5, reduce="mean")
    assert 2 * (L1(0.5) + L2Norm(0.25)) == Sum((L1(1.0), L2Norm(0.5)))
    assert 0 * L1(0.5) == L1(0.0)


@pytest.mark.parametrize("penalty", kinds(), ids=repr)
@pytest.mark.parametrize("other", ["2", None, True, 2j, [1.0], np.ones(2)], ids=repr)
def test_only_a_real_number_scales(penalty, other):
    with pytest.raises(TypeError, match=NO_PRODUCT):
        other * penalty
    with pytest.raises(TypeError, match=f"{NO_PRODUCT}|does not support ufuncs"):
        penalty * other


@pytest.mark.parametrize("penalty", kinds(), ids=repr)
@pytest.mark.parametrize("other", [1, 0.0, "L1", None, False], ids=repr)
def test_only_a_penalty_adds(penalty, other):
    with pytest.raises(TypeError, match=r"unsupported operand|can only concatenate"):
        other + penalty
    with pytest.raises(TypeError, match="unsupported operand"):
        penalty + other
