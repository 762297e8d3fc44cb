"""Orthogonality of the vectors of a kernel."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from penalties.arrays import make, numbers
from penalties.test_masks import boolean
from regularizers import Orthogonal, activity, kernel
from regularizers.errors import ConfigurationError, ShapeError

X = np.random.default_rng(0).normal(size=(4, 3, 2, 5))
plain_and_normalized = pytest.mark.parametrize("normalized", [False, True])


@pytest.mark.parametrize("shape", [(3, 8), (8, 3), (5, 5), (4, 3, 2)], ids=str)
def test_an_orthonormal_kernel_costs_the_least(xp, shape):
    rows, columns = shape[0], int(np.prod(shape[1:]))
    square = np.linalg.qr(np.random.default_rng(1).normal(size=(8, 8)))[0]
    basis = square[:rows, :columns] if rows >= 8 or columns >= 8 else None
    if basis is None:
        long = np.random.default_rng(1).normal(size=(max(rows, columns), min(rows, columns)))
        basis = np.linalg.qr(long)[0] if rows >= columns else np.linalg.qr(long)[0].T
    kernel = make(xp, basis.reshape(shape))
    value, gradient = Orthogonal(1.0).value_and_gradient(kernel)

    assert float(value) == pytest.approx(max(rows - columns, 0), abs=1e-12)
    assert_allclose(numbers(gradient), np.zeros(shape), atol=1e-12)


@plain_and_normalized
@pytest.mark.parametrize("axis", [0, 1, 2, 3, -1, -4])
def test_vectors_are_numbered_by_their_axis_and_flattened(xp, axis, normalized):
    matrix = np.moveaxis(X, axis, 0).reshape(X.shape[axis], -1)
    of_array = Orthogonal(0.5, axis, normalized=normalized).value_and_gradient(make(xp, X))
    of_matrix = Orthogonal(0.5, 0, normalized=normalized).value_and_gradient(make(xp, matrix))

    assert float(of_array[0]) == pytest.approx(float(of_matrix[0]), rel=1e-12)
    flattened = np.moveaxis(numbers(of_array[1]), axis, 0).reshape(matrix.shape)
    assert_allclose(flattened, numbers(of_matrix[1]), rtol=1e-10, atol=1e-12)


def test_many_short_vectors_need_no_large_matrix():
    many = torch.randn(200_000, 2, generator=torch.Generator().manual_seed(0))
    value, gradient = Orthogonal(1.0).value_and_gradient(many)
    products = many.double().T @ many.double()

    expected = float((products - torch.eye(2)).square().sum()) + 200_000 - 2
    assert float(value) == pytest.approx(expected, rel=1e-3)
    assert_allclose(
        numbers(gradient), (4 * many.double() @ (products - torch.eye(2))), rtol=1e-3, atol=1e3
    )


@pytest.mark.parametrize("scale", [1e-30, 1e-3, 1.0, 1e30])
def test_only_angles_count_when_normalized(xp, scale):
    x = np.array([[3.0, 4.0], [1.0, 0.0], [-2.0, 1.0]], dtype="float32")
    penalty = Orthogonal(1.0, normalized=True)
    value, gradient = penalty.value_and_gradient(make(xp, x * np.float32(scale), "float32"))
    of_one, slope = penalty.value_and_gradient(x.astype("float64"))

    assert float(value) == pytest.approx(float(of_one), rel=1e-6)
    assert_allclose(numbers(gradient) * scale, slope, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("shape", [(3, 2), (1, 4), (1,), ()], ids=str)
def test_without_directions_or_pairs_there_is_nothing_to_pull(xp, shape):
    zeros = np.zeros(shape)
    for x in (zeros, zeros + 1) if shape in ((1, 4), (1,), ()) else (zeros,):
        value, gradient = Orthogonal(1.0, normalized=True).value_and_gradient(make(xp, x))

        assert float(value) == 0
        assert_array_equal(numbers(gradient), zeros)


@plain_and_normalized
@pytest.mark.parametrize("shape", [(5, 3), (5, 12)], ids=["many", "long"])
def test_vectors_without_a_valid_element_do_not_count(xp, normalized, shape):
    x = np.random.default_rng(2).normal(size=shape)
    live = np.array([True, False, True, True, False])
    penalty = Orthogonal(0.5, normalized=normalized)
    padded = np.where(live[:, None], x, np.nan)
    value, gradient = penalty.value_and_gradient(make(xp, padded), mask=boolean(xp, live))
    expected = penalty.value_and_gradient(x[live])

    assert float(value) == pytest.approx(float(expected[0]), rel=1e-12)
    assert_allclose(numbers(gradient)[live], expected[1], rtol=1e-10, atol=1e-12)
    assert_array_equal(numbers(gradient)[~live], 0 * x[~live])


@plain_and_normalized
def test_autocast_does_not_lower_its_precision(normalized):
    x = torch.from_numpy(X).float().requires_grad_()
    penalty = Orthogonal(0.5, normalized=normalized)
    with torch.autocast("cpu", torch.bfloat16):
        value, gradient = penalty.value_and_gradient(x.detach())
        through = penalty(x)
    through.backward()
    expected = penalty.value_and_gradient(X)

    assert through.dtype == value.dtype == gradient.dtype == torch.float32
    assert through.item() == value.item() == pytest.approx(float(expected[0]), rel=1e-5)
    assert_allclose(numbers(gradient), expected[1], rtol=1e-4, atol=1e-5)
    assert_allclose(numbers(x.grad), expected[1], rtol=1e-4, atol=1e-5)


def test_it_is_refused_where_a_rule_is_for_activities():
    match = r"activity: expected a penalty of activities, got Orthogonal\(0.1.*use kernel\(...\)"
    for penalty in (Orthogonal(0.1), Orthogonal(0.1, normalized=True)):
        with pytest.raises(ConfigurationError, match=match):
            activity(penalty, where="encoder")

    assert kernel(Orthogonal(0.1)).terms == (Orthogonal(0.1, reduce="sum"),)


@pytest.mark.parametrize("axis", [2, -3])
def test_an_axis_the_array_has_not(xp, axis):
    with pytest.raises(ShapeError, match="axis: expected axes of an array of 2 dimensions, from"):
        Orthogonal(0.1, axis)(make(xp, np.ones((2, 2))))
