"""The elements of a group, and the reduction over groups."""

import dataclasses
from math import sqrt

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from penalties.arrays import make, numbers
from penalties.test_masks import boolean
from regularizers import Budget, GroupLasso, L2Norm, Orthogonal, Temporal
from regularizers.errors import ConfigurationError, ShapeError
from regularizers.penalties.arrays import Frame

X = np.array([[3.0, 4.0, 0.0], [0.0, 0.0, 0.0], [-4.0, 0.0, 3.0], [0.0, 2.0, 0.0]])

BY_HAND = [
    (0, "sum", 0, 5 + 0 + 5 + 2),
    (1, "sum", 0, 5 + sqrt(20) + 3),
    (0, "batch_mean", 0, 12 / 4),
    (1, "batch_mean", 0, np.abs(X).sum() / 4),
    (1, "batch_mean", 1, (5 + sqrt(20) + 3) / 3),
    (0, "mean", 0, 12 / sqrt(3) / 4),
    (1, "mean", 0, (5 + sqrt(20) + 3) / sqrt(4) / 3),
    (0, "mean", 1, 12 / sqrt(3) / 4),
    (-1, "sum", 0, 5 + sqrt(20) + 3),
    ((0, 1), "sum", 0, np.abs(X).sum()),
    ((), "sum", 0, np.linalg.norm(X)),
]


@pytest.mark.parametrize(("axis", "reduce", "batch_axis", "value"), BY_HAND)
def test_groups_become_one_number(xp, axis, reduce, batch_axis, value):
    penalty = GroupLasso(0.5, axis, reduce=reduce, batch_axis=batch_axis)

    assert float(penalty(make(xp, X))) == pytest.approx(value / 2)


@pytest.mark.parametrize("reduce", ["sum", "batch_mean", "mean"])
@pytest.mark.parametrize("shape", [(), (5,), (3, 4), (2, 3, 4)], ids=str)
def test_one_group_is_the_norm(xp, reduce, shape):
    x = make(xp, np.random.default_rng(0).normal(size=shape))
    value, gradient = GroupLasso(0.5, (), reduce=reduce).value_and_gradient(x)
    expected = L2Norm(0.5, reduce=reduce).value_and_gradient(x)

    assert float(value) == pytest.approx(float(expected[0]), rel=1e-14)
    assert_allclose(numbers(gradient), numbers(expected[1]), rtol=1e-13)


def test_every_kernel_of_torch_has_its_outputs_first_and_its_inputs_second():
    for module in (torch.nn.Linear(3, 4), torch.nn.Conv1d(3, 4, 5), torch.nn.Conv3d(3, 4, 2)):
        weight = module.weight.detach().double()
        of_outputs, of_inputs = (float(GroupLasso(1.0, axis)(weight)) for axis in (0, 1))

        assert of_outputs == pytest.approx(sum(float(w.norm()) for w in weight))
        columns = weight.unbind(dim=1)
        assert of_inputs == pytest.approx(sum(float(w.norm()) for w in columns))


@pytest.mark.parametrize("reduce", ["sum", "batch_mean", "mean"])
def test_groups_at_zero_have_no_gradient_and_others_their_own(xp, reduce):
    x = make(xp, [[3e-30, 4e-30], [0.0, 0.0], [3e30, 4e30]], "float32")
    strength = {"sum": 1, "batch_mean": 3, "mean": 3 * sqrt(2)}[reduce]
    gradient = GroupLasso(strength, 0, reduce=reduce).gradient(x)

    assert_allclose(numbers(gradient), [[0.6, 0.8], [0.0, 0.0], [0.6, 0.8]], rtol=1e-6)


@pytest.mark.parametrize(
    ("axis", "reduce", "value"),
    [
        (0, "sum", 5 + 2),
        (0, "batch_mean", (5 + 2) / 2),
        (0, "mean", (5 / sqrt(2) + 2) / 2),
        (1, "sum", sqrt(13) + 4),
        (1, "batch_mean", (3 + 4 + 2) / 2),
        (1, "mean", (sqrt(13 / 2) + 4) / 2),
    ],
)
def test_a_mask_leaves_groups_what_is_valid(xp, axis, reduce, value):
    x = make(xp, [[3.0, 4.0, np.nan], [np.nan] * 3, [2.0, np.inf, 7.0]])
    valid = [[True, True, False], [False] * 3, [True, False, False]]
    mask = boolean(xp, valid)
    penalty = GroupLasso(1.0, axis, reduce=reduce)
    gradient = numbers(penalty.gradient(x, mask=mask))

    assert float(penalty(x, mask=mask)) == pytest.approx(value)
    assert_array_equal(gradient != 0, valid)


TOKENS = np.arange(24.0).reshape(2, 3, 4)


@pytest.mark.parametrize("axis", [0, 1, (0, 2), -2])
@pytest.mark.parametrize("reduce", [None, "sum", "mean"])
def test_some_of_several_batch_axes(xp, axis, reduce):
    penalty = GroupLasso(1.0, axis, reduce=reduce, batch_axis=(0, 1))
    match = r"axis: expected all of the batch axes \(0, 1\) or none of them in a .*, got \(.*; use"
    for call in (penalty, penalty.gradient, lambda x: penalty.prox(x, 0.1)):
        with pytest.raises(ShapeError, match=match):
            call(make(xp, TOKENS))
    with pytest.raises(ShapeError, match=match):
        penalty(make(xp, TOKENS[:0]))


@pytest.mark.parametrize("axis", [0, 1, 2, (0, 2)])
def test_no_sample_shares_a_group_with_another(xp, axis):
    penalty = GroupLasso(1.0, axis, reduce="batch_mean", batch_axis=(0, 1))
    expected = np.linalg.norm(TOKENS, axis=2).mean() if axis in (0, 1) else TOKENS.sum() / 6

    assert float(penalty(make(xp, TOKENS))) == pytest.approx(expected)


@pytest.mark.parametrize("axis", [2, -3, (0, 5)])
@pytest.mark.parametrize("shape", [(2, 2), (0, 3)], ids=str)
def test_an_axis_the_array_has_not(xp, axis, shape):
    with pytest.raises(ShapeError, match="axis: expected axes of an array of 2 dimensions, from"):
        GroupLasso(0.1, axis)(make(xp, np.ones(shape)))


def test_an_axis_named_twice(xp):
    with pytest.raises(ShapeError, match=r"axis: expected distinct axes, got \(0, -2\) of 2"):
        GroupLasso(0.1, (0, -2))(make(xp, np.ones((2, 2))))


@pytest.mark.parametrize("reduce", ["sum", "batch_mean", "mean"])
@pytest.mark.parametrize("axis", [(), 0, 1, 2, (0, 1), (1, 2), (0, 1, 2)], ids=str)
@pytest.mark.parametrize("masked", [False, True])
def test_statistics_of_parts_of_a_batch_add_up(reduce, axis, masked):
    """As over several processes, in the form that goes between them."""
    generator = np.random.default_rng(3)
    x = generator.normal(size=(5, 3, 2))
    mask = generator.random(size=x.shape) < 0.6 if masked else None
    penalty = GroupLasso(1.0, axis, reduce=reduce)

    def measured(part):
        own = None if mask is None else mask[part]
        frame = Frame(np, x[part].shape, x.dtype, reduce, None, own)
        statistic, _ = penalty.statistic(frame.select(x[part]), frame)
        return statistic, penalty.denominator(frame)

    (one, one_tally), (other, other_tally) = measured(slice(0, 2)), measured(slice(2, 5))
    total = penalty.to_sum(one, np) + penalty.to_sum(other, np)
    denominator = None if one_tally is None else np.asarray(one_tally + other_tally)

    joined = penalty.value(penalty.from_sum(total, np), denominator, np)
    assert float(joined) == pytest.approx(float(penalty(x, mask=mask)), rel=1e-12)
    derivative = penalty.derivative(penalty.from_sum(total, np), denominator, np)
    assert_allclose(derivative, penalty.derivative(*measured(slice(None)), np), rtol=1e-12)


SIDED = [
    GroupLasso(0.5, "output"),
    Orthogonal(0.5, axis="input"),
    Budget(GroupLasso(1.0, "input"), 1.0),
]


@pytest.mark.parametrize("penalty", SIDED, ids=repr)
def test_an_array_has_no_outputs_or_inputs(penalty):
    x = np.ones((2, 3))
    for call in (penalty, penalty.gradient, lambda x: penalty.apply(x, np.ones_like(x))):
        with pytest.raises(ConfigurationError, match=r"axis: .* got '(out|in)put', which .*axis=0"):
            call(x)


def test_a_side_is_an_axis_like_another():
    assert repr(GroupLasso(0.5, axis="output")) == "GroupLasso(0.5, 'output')"
    assert repr(Orthogonal(0.5, "input")) == "Orthogonal(0.5, 'input')"
    assert GroupLasso(0.5, "output") == GroupLasso(0.5, axis="output") != GroupLasso(0.5, "input")
    assert dataclasses.replace(GroupLasso(0.5, "output"), axis=1) == GroupLasso(0.5, 1)
    assert 2 * Orthogonal(0.5, "output") == Orthogonal(1.0, "output")
    assert all(penalty.by_role for penalty in SIDED)
    assert not any(penalty.by_role for penalty in (GroupLasso(1.0, 0), Orthogonal(1.0)))


def test_differences_in_time_have_no_sides():
    with pytest.raises(
        ConfigurationError, match=r"Temporal: expected a penalty of outputs, got Gr"
    ):
        Temporal(GroupLasso(1.0, "output"), time_axis=1)
