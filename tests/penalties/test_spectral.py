"""Half the square of the largest singular value of a kernel."""

from math import inf, nan

import jax
import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

import regularizers as rz
from penalties.arrays import make, numbers
from penalties.oracle import value_and_gradient
from penalties.test_masks import boolean
from regularizers import Spectral
from regularizers.errors import ConfigurationError, ShapeError

X = np.random.default_rng(0).normal(size=(4, 3, 2, 5))
few_libraries = pytest.mark.parametrize("xp", [np, torch], ids=["numpy", "torch"])


def by_numpy(matrix):
    """Return the penalty of a matrix for a strength of 1, and its gradient."""
    u, sizes, v = np.linalg.svd(matrix)
    return sizes[0] ** 2 / 2, sizes[0] * np.outer(u[:, 0], v[0])


@pytest.mark.parametrize("axis", [0, 2, -1])
def test_the_rows_are_numbered_by_their_axis_and_flattened(xp, axis):
    expected = by_numpy(np.moveaxis(X, axis, 0).reshape(X.shape[axis], -1))
    value, gradient = Spectral(0.5, axis).value_and_gradient(make(xp, X))

    assert float(value) == pytest.approx(0.5 * expected[0], rel=1e-12)
    flattened = np.moveaxis(numbers(gradient), axis, 0).reshape(expected[1].shape)
    assert_allclose(flattened, 0.5 * expected[1], rtol=1e-9, atol=1e-12)


@few_libraries
@pytest.mark.parametrize("shape", [(3, 8), (8, 3), (5, 5), (1, 4), (4,), ()], ids=str)
def test_value_and_gradient_are_those_of_autograd(xp, shape):
    x = np.random.default_rng(1).normal(size=shape)
    value, gradient = Spectral(0.5).value_and_gradient(make(xp, x))
    expected = value_and_gradient(Spectral(0.5), x)

    assert float(value) == pytest.approx(expected[0], rel=1e-12)
    assert_allclose(numbers(gradient), expected[1], rtol=1e-9, atol=1e-12)


def test_autograd_and_jax_differentiate_the_value():
    matrix = X.reshape(4, -1)
    x = torch.tensor(matrix, requires_grad=True)
    Spectral(1.0)(x).backward()
    with jax.enable_x64(True):
        by_jax = jax.jit(jax.grad(Spectral(1.0)))(jax.numpy.asarray(matrix))

    for gradient in (x.grad, by_jax):
        assert_allclose(numbers(gradient), by_numpy(matrix)[1], rtol=1e-9, atol=1e-12)


@few_libraries
@pytest.mark.parametrize("shape", [(3, 2), (1, 4), (2, 2, 3), (1,), ()], ids=str)
def test_a_matrix_of_zeros_costs_nothing_and_has_no_gradient(xp, shape):
    value, gradient = Spectral(1.0).value_and_gradient(make(xp, np.zeros(shape)))

    assert float(value) == 0
    assert_array_equal(numbers(gradient), np.zeros(shape))


def test_autograd_at_zeros_is_zero():
    x = torch.zeros(3, 2, requires_grad=True)
    Spectral(1.0)(x).backward()

    assert_array_equal(numbers(x.grad), np.zeros((3, 2)))
    assert_array_equal(jax.grad(Spectral(1.0))(jax.numpy.zeros((3, 2))), np.zeros((3, 2)))


@few_libraries
def test_at_equal_singular_values_the_gradient_is_that_of_one(xp):
    """Any subgradient has a trace of σ along the matrix, and as much size as σ at most."""
    gradient = numbers(Spectral(1.0).gradient(make(xp, 3 * np.eye(4))))

    assert np.linalg.matrix_rank(gradient) == 1
    assert np.linalg.norm(gradient) == pytest.approx(3)
    assert (gradient * np.eye(4)).sum() == pytest.approx(3)


@few_libraries
@pytest.mark.parametrize("scale", [1e-15, 1e-3, 1.0, 1e15])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_it_is_exact_at_every_size(xp, dtype, scale):
    matrix = (X.reshape(4, -1) * scale).astype(dtype)
    expected = by_numpy(matrix.astype("float64"))
    value, gradient = Spectral(1.0).value_and_gradient(make(xp, matrix, dtype))

    assert float(value) == pytest.approx(expected[0], rel=1e-5)
    assert_allclose(numbers(gradient), expected[1], rtol=1e-3, atol=1e-5 * scale)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_is_accumulated_in_single(dtype):
    x = torch.tensor(X).to(getattr(torch, dtype))
    value, gradient = Spectral(0.5).value_and_gradient(x)
    expected = value_and_gradient(Spectral(0.5), numbers(x))

    assert value.dtype == torch.float32
    assert float(value) == pytest.approx(expected[0], rel=1e-5)
    assert gradient.dtype == x.dtype
    assert_allclose(numbers(gradient), expected[1], rtol=2**-7, atol=1e-5)


@few_libraries
@pytest.mark.parametrize(("bad", "seen"), [(nan, nan), (inf, inf), (-inf, inf)])
def test_what_is_not_finite_is_seen(xp, bad, seen):
    x = make(xp, [[0.5, bad], [0.5, 0.25]])
    with np.errstate(invalid="ignore"):
        value, gradient = Spectral(1.0).value_and_gradient(x)

    assert_array_equal(float(value), seen)
    assert not np.isfinite(numbers(gradient)).any()


@few_libraries
@pytest.mark.parametrize("shape", [(0, 3), (3, 0)], ids=str)
def test_an_empty_array_costs_nothing(xp, shape):
    value, gradient = Spectral(1.0).value_and_gradient(make(xp, np.zeros(shape), "float32"))

    assert float(value) == 0
    assert tuple(gradient.shape) == shape


def test_rows_that_a_mask_leaves_out_do_not_count(xp):
    x, live = X.reshape(4, -1), np.array([True, False, True, False])
    padded = make(xp, np.where(live[:, None], x, nan))
    value, gradient = Spectral(1.0).value_and_gradient(padded, mask=boolean(xp, live))
    expected = by_numpy(x[live])

    assert float(value) == pytest.approx(expected[0], rel=1e-12)
    assert_allclose(numbers(gradient)[live], expected[1], rtol=1e-9, atol=1e-12)
    assert_array_equal(numbers(gradient)[~live], 0)


@pytest.mark.parametrize("attached", [False, True], ids=["in the loss", "in the step"])
@pytest.mark.parametrize("side", ["output", "input"])
def test_the_kernel_of_a_convolution_by_its_role(attached, side):
    model = torch.nn.Sequential(torch.nn.ConvTranspose2d(3, 4, 2)).double()
    reg = rz.Regularization(model, [rz.kernel(Spectral(0.5, axis=side))])
    before = model[0].weight.detach().numpy().copy()
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    if attached:
        reg.attach(optimizer)
        model(torch.zeros(1, 3, 2, 2).double()).sum().backward()
    else:
        reg.penalty().backward()
    optimizer.step()

    matrix = np.moveaxis(before, 1 if side == "output" else 0, 0)
    expected = 0.5 * by_numpy(matrix.reshape(len(matrix), -1))[1].reshape(matrix.shape)
    moved = np.moveaxis(before - model[0].weight.detach().numpy(), 1 if side == "output" else 0, 0)
    assert_allclose(moved, expected, rtol=1e-9, atol=1e-12)


def test_it_is_refused_where_a_rule_is_for_activities():
    with pytest.raises(ConfigurationError, match=r"expected a penalty of activities, got Spectral"):
        rz.activity(Spectral(0.1), where="encoder")


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"axis": (0,)}, r"axis: expected an integer, 'output' or 'input', got \(0,\)"),
        ({"reduce": "mean"}, "reduce: expected 'sum' or None of Spectral, .*divide the strength"),
        ({"batch_axis": 0}, "batch_axis: expected None of Spectral, .* by axis="),
    ],
)
def test_settings_that_cannot_be(options, match):
    with pytest.raises(ConfigurationError, match=match):
        Spectral(0.1, **options)


@few_libraries
@pytest.mark.parametrize("axis", [2, -3])
def test_an_axis_the_array_has_not(xp, axis):
    with pytest.raises(ShapeError, match="axis: expected axes of an array of 2 dimensions, from"):
        Spectral(0.1, axis)(make(xp, np.ones((2, 2))))
