"""Penalties from any function of an element: right on every library, or refused in words."""

import copy
import functools
import math
import pickle
import warnings

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

import regularizers as rz
from penalties.arrays import make, numbers
from penalties.log_cosh import LogCosh, log_cosh, tanh
from regularizers.errors import ConfigurationError

X = [[1.0, -2.0, 0.0], [0.5, 3.0, -0.25]]
MASK = [[True, False, True], [True, True, False]]


def towards_one(xp, x):
    return (x - 1) ** 2


LOG_COSH = LogCosh(0.5)
BY_LIBRARY = rz.Elementwise(0.5, log_cosh)


def by_hand(values):
    return 0.5 * sum(math.log(math.cosh(v)) for v in np.ravel(values))


def test_the_value_and_the_gradient_by_hand(xp):
    x = make(xp, X)
    assert float(LOG_COSH(x)) == pytest.approx(by_hand(X), rel=1e-12)
    assert_allclose(numbers(LOG_COSH.gradient(x)), 0.5 * np.tanh(X), rtol=1e-12)
    assert float(BY_LIBRARY(x)) == pytest.approx(by_hand(X), rel=1e-12)


@pytest.mark.parametrize(("reduce", "count"), [("sum", 1), ("batch_mean", 2), ("mean", 4)])
def test_a_mask_leaves_out_what_is_not_0_at_0(xp, reduce, count):
    penalty = rz.Elementwise(1.0, towards_one, lambda xp, x: 2 * (x - 1), reduce=reduce)
    x, mask = make(xp, np.where(MASK, X, np.nan)), xp.asarray(MASK)
    assert float(penalty(x, mask=mask)) == pytest.approx((0 + 1 + 0.25 + 4) / count)
    expected = np.array([[0, 0, -2], [-1, 4, 0]]) / count
    assert_allclose(numbers(penalty.gradient(x, mask=mask)), expected)


def test_without_a_slope_the_library_differentiates_or_says_that_it_cannot(xp):
    x = make(xp, X)
    if xp.__name__ in ("torch", "jax.numpy"):
        assert_allclose(numbers(BY_LIBRARY.gradient(x)), 0.5 * np.tanh(X), rtol=1e-12)
        return
    with pytest.raises(ConfigurationError, match=r"log_cosh: expected slope=, .* for a gradient"):
        BY_LIBRARY.gradient(x)


@pytest.mark.parametrize("penalty", [LOG_COSH, BY_LIBRARY], ids=["slope", "none"])
def test_torch_differentiates_it_twice(penalty):
    x = torch.tensor(X, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(penalty, x)
    assert torch.autograd.gradgradcheck(penalty, x)
    assert torch.autograd.gradcheck(penalty.gradient, x)


@pytest.mark.parametrize("around", [torch.no_grad, torch.inference_mode])
def test_without_a_slope_nothing_need_be_recorded(around):
    with around():
        x, grads = torch.tensor(X), torch.ones(2, 3)
        BY_LIBRARY.apply(x, grads)
    assert_allclose(grads.numpy(), 1 + 0.5 * np.tanh(X), rtol=1e-6)
    assert not x.requires_grad


def test_transforms_of_torch_differentiate_it():
    x = torch.tensor(X, dtype=torch.float64)
    for derivative in (torch.func.grad(BY_LIBRARY), torch.vmap(BY_LIBRARY.gradient)):
        assert_allclose(derivative(x).numpy(), 0.5 * np.tanh(X), rtol=1e-12)


def test_jax_compiles_and_differentiates_it():
    import jax

    with jax.enable_x64(True):
        x = jax.numpy.asarray(X)
        for derivative in (jax.grad(BY_LIBRARY), jax.jit(BY_LIBRARY.gradient)):
            assert_allclose(numbers(derivative(x)), 0.5 * np.tanh(X), rtol=1e-12)


def test_half_precision_is_accumulated_in_float32():
    x = torch.full((3,), 300.0, dtype=torch.float16)
    squares = rz.Elementwise(1.0, lambda xp, x: x * x)
    assert (squares(x).dtype, float(squares(x))) == (torch.float32, 270000)
    assert (squares.gradient(x).dtype, squares.gradient(x).tolist()) == (torch.float16, [600.0] * 3)


def only_of_jax(xp, x):
    import jax

    assert isinstance(x, jax.Array)
    return jax.nn.softplus(x)


def test_a_function_that_only_knows_jax_is_compared_in_float32():
    import jax

    rz.Elementwise(1.0, only_of_jax, lambda xp, x: jax.nn.sigmoid(x))
    with pytest.raises(ConfigurationError, match=r"only_of_jax: slope: .*forget a factor"):
        rz.Elementwise(1.0, only_of_jax, lambda xp, x: 2 * jax.nn.sigmoid(x))


def test_a_constant_has_the_gradient_0():
    flat = rz.Elementwise(1.0, lambda xp, x: xp.ones_like(x))
    assert flat.gradient(torch.ones(2)).tolist() == [0, 0]


def test_a_function_that_only_knows_torch():
    softplus = rz.Elementwise(2.0, lambda xp, x: torch.nn.functional.softplus(x))
    assert float(softplus(torch.zeros(1))) == pytest.approx(2 * math.log(2))


@pytest.mark.parametrize(
    ("element", "slope"),
    [
        (lambda xp, x: xp.maximum(x, -x), lambda xp, x: xp.sign(x)),
        (
            lambda xp, x: xp.where(xp.abs(x) < 1, x * x / 2, xp.abs(x) - 0.5),
            lambda xp, x: xp.clip(x, -1, 1),
        ),
        (lambda xp, x: xp.exp(9 * x), lambda xp, x: 9 * xp.exp(9 * x)),
        (lambda xp, x: x * xp.log(x), lambda xp, x: xp.log(x) + 1),
        (lambda xp, x: xp.sin(10 * x), lambda xp, x: 10 * xp.cos(10 * x)),
        (lambda xp, x: xp.where(x > 0, x, 0 * x), lambda xp, x: xp.astype(x > 0, x.dtype)),
        (lambda xp, x: (x - 1000) ** 2, lambda xp, x: 2 * (x - 1000)),
        (lambda xp, x: 1 - xp.exp(-x * x), lambda xp, x: 2 * x * xp.exp(-x * x)),
    ],
    ids=["kink", "huber", "overflows", "log", "waves", "relu", "far", "welsch"],
)
def test_a_right_slope_is_taken_and_one_a_little_off_is_not(element, slope):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        rz.Elementwise(1.0, element, slope)
    with pytest.raises(ConfigurationError, match=r"everywhere 1\.01 times as much"):
        rz.Elementwise(1.0, element, lambda xp, x: 1.01 * slope(xp, x))


@pytest.mark.parametrize(
    ("slope", "words"),
    [
        (lambda xp, x: 2 * xp.tanh(x), "everywhere 2 times as much; does it forget a factor?"),
        (lambda xp, x: -xp.tanh(x), "everywhere -1 times as much; is its sign wrong?"),
        (lambda xp, x: xp.sin(x), r"at x = 3\.28 is 0\.99717, got -0\.137568; is it that of"),
        (lambda xp, x: xp.tanh(x) + 1, r"at x = 0 is 0, got 1; is it that of another"),
        (lambda xp, x: xp.tanh(x) * (x / x), r"at x = 0, where many activations are, got nan"),
        (lambda xp, x: 1.0, r"expected an array of the shape of x, \(51,\), got 1\.0"),
    ],
)
def test_another_functions_slope_is_refused_in_words(slope, words):
    with pytest.raises(ConfigurationError, match=f"LogCosh: slope: .*{words}"):
        rz.Elementwise(0.5, log_cosh, slope, name="LogCosh")


def writes(xp, x):
    x *= 2
    return x


@pytest.mark.parametrize(
    ("element", "words"),
    [
        (lambda xp, x: xp.sum(x * x), r"an array of the shape of x, \(51,\), got one of the shape"),
        (
            lambda xp, x: x - xp.mean(x),
            "one that depends on the others: at x = .* use FromFunction",
        ),
        (lambda xp, x: x > 0, "expected an array of a floating type, got bool"),
        (writes, "expected a function that leaves its array as it is"),
        (lambda xp, x: xp.log_cosh(x), "in numpy AttributeError: .*; in torch AttributeError"),
        (0.5, "element: expected a function of an array namespace and an array, .*got 0.5"),
        ([], "element: expected a function"),
    ],
)
def test_what_is_no_function_of_each_element_is_refused_in_words(element, words):
    with pytest.raises(ConfigurationError, match=words):
        rz.Elementwise(1.0, element)


def test_a_function_that_is_nowhere_finite_cannot_be_compared():
    nowhere = functools.partial(lambda xp, x: xp.log(-1 - x * x))
    with pytest.raises(ConfigurationError, match="finite and smooth somewhere between -100 and"):
        rz.Elementwise(1.0, nowhere, lambda xp, x: x)


@pytest.mark.parametrize("name", ["", "a/b", "a#2", 3])
def test_a_name_stands_in_keys(name):
    with pytest.raises(ConfigurationError, match="name: expected a text without '/' and '#'"):
        rz.Elementwise(1.0, log_cosh, name=name)


def test_it_is_a_value():
    again = rz.Elementwise(0.5, log_cosh, tanh, "LogCosh")
    assert again == LOG_COSH
    assert hash(again) == hash(LOG_COSH)
    assert rz.Elementwise(0.5, log_cosh, name="LogCosh") != LOG_COSH
    assert pickle.loads(pickle.dumps(LOG_COSH)) == copy.deepcopy(LOG_COSH) == LOG_COSH
    assert repr(2 * LOG_COSH) == "Elementwise(1.0, log_cosh, tanh, 'LogCosh')"
    assert repr(rz.Elementwise(1.0, log_cosh, name="A", reduce="mean")) == (
        "Elementwise(1.0, log_cosh, name='A', reduce='mean')"
    )
    labels = [p.label for p in (LOG_COSH, BY_LIBRARY, rz.Elementwise(1.0, lambda xp, x: x))]
    assert labels == ["LogCosh", "log_cosh", "Elementwise"]


def test_the_same_functions_are_compared_once():
    calls = []

    def element(xp, x):
        calls.append(x)
        return x * x

    penalty = rz.Elementwise(1.0, element, lambda xp, x: 2 * x)
    before = len(calls)
    assert (2 * penalty).strength == 2
    assert (before > 0, len(calls)) == (True, before)


def test_a_function_that_is_forgotten_is_not_kept():
    import gc
    import weakref

    element = functools.partial(lambda xp, x: x * x)
    seen = weakref.ref(element)
    rz.Elementwise(1.0, element)
    del element
    gc.collect()
    assert seen() is None


def test_a_field_cannot_be_made_a_method():
    class Mine(rz.Elementwise):
        def element(self, xp, x):
            return x

    with pytest.raises(ConfigurationError, match="Mine: element: expected a field"):
        Mine(1.0, log_cosh)


def test_an_infinite_slope_of_autograd_at_zero_is_refused():
    def root(xp, x):
        return xp.sqrt(xp.abs(x))

    with pytest.raises(ConfigurationError, match=r"root: slope: autograd's .* at x = 0, .* slope="):
        rz.Elementwise(0.3, root)
