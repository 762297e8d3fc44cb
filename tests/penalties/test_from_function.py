"""Penalties from any function of an array: what it adds up over decides what may be done."""

import copy
import pickle

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

import regularizers as rz
from penalties.arrays import make, numbers
from regularizers.errors import ConfigurationError, RegimeError

X = [[1.0, 3.0, 2.0], [4.0, 4.5, 8.0]]


def ranges(xp, x):
    return xp.sum(xp.max(x, axis=1) - xp.min(x, axis=1))


def squares(xp, x):
    return xp.sum(x * x)


def largest(xp, x):
    return xp.max(x)


RANGES = rz.FromFunction(0.5, ranges, "samples", reduce="batch_mean")
SQUARES = rz.FromFunction(0.5, squares, "elements")


def test_the_value_by_hand(xp):
    assert float(RANGES(make(xp, X))) == 0.5 * (2 + 4) / 2
    assert float(SQUARES(make(xp, X))) == 0.5 * (1 + 9 + 4 + 16 + 20.25 + 64)
    assert float(rz.FromFunction(2.0, largest)(make(xp, X))) == 16


def test_the_gradient_by_hand_or_what_to_use(xp):
    if xp.__name__ not in ("torch", "jax.numpy"):
        with pytest.raises(ConfigurationError, match=r"ranges: .* derive from Term, or use Elem"):
            RANGES.gradient(make(xp, X))
        return
    expected = [[-0.25, 0.25, 0], [-0.25, 0, 0.25]]
    assert_allclose(numbers(RANGES.gradient(make(xp, X))), expected)
    assert_allclose(numbers(SQUARES.gradient(make(xp, X))), X)


def test_samples_are_the_first_axis_whichever_they_were():
    x = torch.tensor(X, dtype=torch.float64)
    turned = rz.FromFunction(0.5, ranges, "samples", reduce="batch_mean", batch_axis=1)
    assert float(turned(x.T)) == 1.5
    tokens = rz.FromFunction(0.5, ranges, "samples", reduce="batch_mean", batch_axis=(0, 1))
    assert float(tokens(x.reshape(1, 2, 3))) == 1.5
    assert_allclose(turned.gradient(x.T).numpy(), RANGES.gradient(x).numpy().T)


@pytest.mark.parametrize(("reduce", "count"), [("sum", 1), ("batch_mean", 2), ("mean", 6)])
def test_a_sum_over_elements_has_every_reduction(reduce, count):
    penalty = rz.FromFunction(1.0, squares, "elements", reduce=reduce)
    assert float(penalty(torch.tensor(X))) == pytest.approx(114.25 / count)


def test_a_mask_selects_what_the_function_is_given():
    x = torch.tensor([[1.0, torch.nan, 2.0], [torch.nan, 4.0, 3.0]])
    cosh = rz.FromFunction(1.0, lambda xp, x: xp.sum(xp.cosh(x)), "elements", reduce="mean")
    mask = ~x.isnan()
    assert float(cosh(x, mask=mask)) == pytest.approx(np.cosh([1, 2, 4, 3]).mean())
    expected = torch.where(mask, x.sinh(), 0).numpy() / 4
    assert_allclose(cosh.gradient(x, mask=mask).numpy(), expected, rtol=1e-6)
    assert float(cosh(x, mask=torch.zeros(2, 3, dtype=torch.bool))) == 0


def test_a_mask_of_whole_samples():
    x = torch.tensor([[1.0, 3.0], [torch.nan, 1.0], [7.0, 2.0]])
    mask = torch.tensor([True, False, True])
    assert float(RANGES(x, mask=mask)) == 0.5 * (2 + 5) / 2
    assert RANGES.gradient(x, mask=mask).tolist() == [[-0.25, 0.25], [0, 0], [0.25, -0.25]]


def test_a_mask_that_cannot_be_is_refused_in_words():
    x = torch.tensor(X)
    with pytest.raises(ConfigurationError, match="mask: expected one of whole samples"):
        RANGES(x, mask=x > 1)
    with pytest.raises(ConfigurationError, match="largest: mask: expected none, since a function"):
        rz.FromFunction(1.0, largest)(x, mask=x > 1)
    with pytest.raises(RegimeError, match="squares: mask: compiled or transformed code cannot"):
        torch.vmap(lambda x: SQUARES(x, mask=x > 1))(x)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (
            lambda: rz.FromFunction(1.0, largest, "units"),
            "additive: expected 'samples', 'elements'",
        ),
        (lambda: rz.FromFunction(1.0, largest, "elements"), "a sum over elements, got a function"),
        (
            lambda: rz.FromFunction(1.0, lambda xp, x: xp.mean(x * x), "samples"),
            "expected a sum over samples, got a function that is .* leave a mean to reduce=",
        ),
        (lambda: rz.FromFunction(1.0, largest, reduce="mean"), "reduce: expected 'sum' of a func"),
        (
            lambda: rz.FromFunction(1.0, ranges, "samples", reduce="mean"),
            "ranges: reduce: expected 'sum' or 'batch_mean' of a function with additive='samples'",
        ),
        (lambda: rz.FromFunction(1.0, None), "function: expected a function of an array namespace"),
    ],
)
def test_what_cannot_be_is_refused_in_words(make, words):
    with pytest.raises(ConfigurationError, match=words):
        make()


def test_a_function_must_return_one_number():
    for function in (lambda xp, x: x * x, lambda xp, x: 1.0):
        with pytest.raises(ConfigurationError, match="expected a function that returns one number"):
            rz.FromFunction(1.0, function)(np.ones(3))


def test_a_function_of_another_shape_is_not_tried():
    weights = torch.ones(7, 2)
    penalty = rz.FromFunction(1.0, lambda xp, x: xp.sum((x @ weights) ** 2), "samples")
    assert float(penalty(torch.ones(2, 7))) == 2 * 2 * 49


@pytest.mark.parametrize("penalty", [RANGES, SQUARES, rz.FromFunction(2.0, largest)], ids=repr)
def test_torch_differentiates_it_twice(penalty):
    x = torch.tensor(X, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(penalty, x)
    assert torch.autograd.gradgradcheck(penalty, x)
    assert torch.autograd.gradcheck(penalty.gradient, x)


def test_products_keep_their_precision_under_autocast():
    x = torch.tensor([[1.0 + 2**-10, 1.0]])
    penalty = rz.FromFunction(1.0, lambda xp, x: xp.sum(x @ x.T))
    with torch.autocast("cpu", torch.bfloat16):
        assert float(penalty(x)) == float(penalty(x.double()))


def test_what_it_says_of_itself():
    whole = rz.FromFunction(1.0, largest, name="Largest")
    assert [p.spans_samples(None) for p in (RANGES, SQUARES, whole)] == [False, False, True]
    assert [p.joins for p in (RANGES, SQUARES, whole)] == [True, True, False]
    assert [p.adds_over_units for p in (RANGES, SQUARES, whole)] == [False, True, False]
    assert (whole.label, repr(whole)) == ("Largest", "FromFunction(1.0, largest, name='Largest')")
    assert pickle.loads(pickle.dumps(whole)) == copy.deepcopy(whole) == whole


@pytest.mark.parametrize("additive", [None, "elements", "samples"])
def test_a_function_that_writes_into_its_array_is_refused(additive):
    def writing(xp, x):
        x *= 2
        return xp.sum(x)

    with pytest.raises(rz.ConfigurationError, match=r"writing: expected a function that leaves"):
        rz.FromFunction(1.0, writing, additive)
