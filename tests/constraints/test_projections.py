"""Projections on arrays: values by hand, and what every one of them promises."""

import math

import array_api_strict
import jax.numpy
import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from penalties.arrays import make, numbers
from regularizers import Bounds, Constraint, MaxNorm, MinMaxNorm, NonNegative, UnitNorm

ROWS = [[3.0, 4.0], [0.3, -0.4], [0.0, 0.0]]
EVERY = [
    Bounds(-0.5, 0.25),
    MaxNorm(1.0, axis=0),
    MaxNorm(0.7, axis=(0, 1)),
    MinMaxNorm(0.5, 1.0, axis=1),
    NonNegative(),
    UnitNorm(axis=-1),
    UnitNorm(axis=()),
]
every = pytest.mark.parametrize("constraint", EVERY, ids=repr)


def by_hand(constraint: Constraint, x: np.ndarray) -> np.ndarray:
    """Return the projection, vector by vector."""
    match constraint:
        case NonNegative():
            return np.maximum(x, 0)
        case Bounds(low=low, high=high):
            return np.minimum(np.maximum(x, low), high)
    axes = constraint.axis if isinstance(constraint.axis, tuple) else (constraint.axis,)
    leading = [axis % x.ndim for axis in axes]
    x = np.moveaxis(x.copy(), leading, range(len(leading)))
    for index in np.ndindex(x.shape[: len(leading)]):
        norm = math.sqrt(math.fsum((x[index] ** 2).flat))
        match constraint:
            case MaxNorm(limit=limit):
                wanted = min(norm, limit)
            case UnitNorm():
                wanted = 1.0
            case MinMaxNorm(low=low, high=high, rate=rate):
                wanted = rate * min(max(norm, low), high) + (1 - rate) * norm
        x[index] *= wanted / norm if norm else 0.0
    return np.moveaxis(x, range(len(leading)), leading)


@pytest.mark.parametrize(
    ("constraint", "expected"),
    [
        (MaxNorm(1.0, axis=0), [[0.6, 0.8], [0.3, -0.4], [0, 0]]),
        (MaxNorm(5.0, axis=0), ROWS),
        (MaxNorm(0.1, axis=(0, 1)), [[0.1, 0.1], [0.1, -0.1], [0, 0]]),
        (UnitNorm(axis=0), [[0.6, 0.8], [0.6, -0.8], [0, 0]]),
        (MinMaxNorm(1.0, 2.0, axis=0), [[1.2, 1.6], [0.6, -0.8], [0, 0]]),
        (MinMaxNorm(1.0, 2.0, 0.5, axis=0), [[2.1, 2.8], [0.45, -0.6], [0, 0]]),
        (NonNegative(), [[3, 4], [0.3, 0], [0, 0]]),
        (Bounds(-0.1, 3.5), [[3, 3.5], [0.3, -0.1], [0, 0]]),
        (Bounds(0.2, math.inf), [[3, 4], [0.3, 0.2], [0.2, 0.2]]),
        (Bounds(-math.inf, 1), [[1, 1], [0.3, -0.4], [0, 0]]),
    ],
    ids=repr,
)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_by_hand(xp, constraint, expected, dtype):
    x = make(xp, ROWS, dtype)
    projected = constraint.project(x)
    assert projected.dtype == x.dtype
    assert_allclose(numbers(projected), expected, rtol=1e-6)
    assert_array_equal(numbers(x), numbers(make(xp, ROWS, dtype)))


@every
@pytest.mark.parametrize("shape", [(4, 6), (2, 3, 2, 2)], ids=str)
def test_vector_by_vector(xp, constraint, shape):
    x = np.random.default_rng(0).normal(size=shape) * np.geomspace(0.01, 10, shape[0]).reshape(
        -1, *[1] * (len(shape) - 1)
    )
    assert_allclose(
        numbers(constraint.project(make(xp, x))), by_hand(constraint, x), rtol=1e-12, atol=1e-15
    )


@every
def test_a_vector_has_axes_too(xp, constraint):
    if getattr(constraint, "axis", 0) in (1, (0, 1)):
        pytest.skip("has one axis only")
    x = np.array([3.0, -4.0, 0.1])
    assert_allclose(numbers(constraint.project(make(xp, x))), by_hand(constraint, x), rtol=1e-12)


@every
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_what_is_projected_stays(xp, constraint, dtype):
    if xp is jax.numpy and dtype == "float32":
        pytest.skip("compiles for long, and rounds as in float64")
    x = make(xp, np.random.default_rng(1).normal(size=(4, 6)) * 3, dtype)
    once = constraint.project(x)
    twice = numbers(constraint.project(once))
    assert_allclose(twice, numbers(once), rtol=1e-6 if dtype == "float32" else 1e-15, atol=0)


@pytest.mark.parametrize("norm", [1.0, 0.3, 1e-6])
def test_a_short_vector_is_the_same_to_the_last_bit(xp, norm):
    x = make(xp, np.array([[0.6, 0.8]]) * norm, "float64")
    assert_array_equal(numbers(MaxNorm(1.0 + 1e-15, axis=0).project(x)), numbers(x))


@pytest.mark.parametrize("size", [1e-40, 1e-30, 1e-20, 1.0, 1e20, 1e30, 5e37])
@pytest.mark.parametrize(
    ("constraint", "wanted"),
    [
        (UnitNorm(axis=0), lambda norm: 1.0),
        (MaxNorm(2e-25, axis=0), lambda norm: min(norm, 2e-25)),
        (MaxNorm(2.0, axis=0), lambda norm: min(norm, 2.0)),
        (MaxNorm(3e25, axis=0), lambda norm: min(norm, 3e25)),
        (MinMaxNorm(0.5, 2.0, axis=0), lambda norm: min(max(norm, 0.5), 2.0)),
    ],
    ids=["unit", "tiny limit", "limit", "huge limit", "range"],
)
def test_norms_neither_overflow_nor_vanish(xp, size, constraint, wanted):
    if xp is jax.numpy and size < np.finfo("float32").tiny:
        pytest.skip("XLA on a CPU takes a subnormal number for zero")
    x = np.array([[3, -4.0]]) * size
    projected = numbers(constraint.project(make(xp, x, "float32")))
    # a subnormal number has fewer digits
    rtol = 1e-6 if size > 1e-38 else 1e-4
    assert_allclose(projected, np.array([[0.6, -0.8]]) * wanted(5 * size), rtol=rtol)


HALF = [
    (torch, "float16", 2.0**-11),
    (torch, "bfloat16", 2.0**-8),
    (jax.numpy, "float16", 2.0**-11),
    (jax.numpy, "bfloat16", 2.0**-8),
    (np, "float16", 2.0**-11),
]


@pytest.mark.parametrize(("xp", "dtype", "rounding"), HALF, ids=lambda v: getattr(v, "__name__", v))
@pytest.mark.parametrize("width", [3, 4000])
@pytest.mark.parametrize("limit", [1.0, 0.1])
def test_half_precision_exceeds_the_limit_by_one_rounding_at_most(
    xp, dtype, rounding, width, limit
):
    values = np.random.default_rng(2).normal(size=(4, width)) * 50
    x = xp.asarray(values, dtype=getattr(xp, dtype))
    for constraint in (MaxNorm(limit, axis=0), MinMaxNorm(limit / 2, limit, axis=0)):
        projected = constraint.project(x)
        assert projected.dtype == x.dtype
        norms = np.linalg.norm(numbers(projected), axis=1)
        assert (norms <= limit * (1 + rounding)).all()
        assert (norms >= limit * (1 - rounding)).all()
        assert_allclose(numbers(constraint.project(projected)), numbers(projected), rtol=rounding)


@every
@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (0, 0)], ids=str)
def test_an_empty_array_stays_one(xp, constraint, shape):
    x = xp.zeros(shape, dtype=xp.float32)
    projected = constraint.project(x)
    assert tuple(projected.shape) == shape
    assert projected.dtype == x.dtype


@every
def test_nan_is_seen(xp, constraint):
    x = np.full((4, 6), 0.5)
    x[0, 1] = math.nan
    assert np.isnan(numbers(constraint.project(make(xp, x)))[0, 1])


@pytest.mark.parametrize("constraint", [MaxNorm(1.0, axis=0), UnitNorm(axis=0)], ids=repr)
def test_an_infinite_element_is_seen_and_other_vectors_are_projected(constraint):
    x = torch.tensor([[math.inf, 1.0], [3.0, 4.0]])
    projected = constraint.project(x)
    assert not projected[0].isfinite().all()
    torch.testing.assert_close(projected[1], torch.tensor([0.6, 0.8]))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
@pytest.mark.parametrize("axis", [0, 1, (0, 2)], ids=str)
def test_the_tangential_part_is_what_autograd_sees_through_the_normalisation(dtype, axis):
    """On the sphere the derivative of x/‖x‖ is the projection onto the tangent space."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(4, 3, 5, generator=generator, dtype=torch.float64)
    unit = UnitNorm(axis=axis)
    x = unit.project(x).to(getattr(torch, dtype)).double().requires_grad_()
    gradient = torch.randn(4, 3, 5, generator=generator, dtype=torch.float64)
    gradient = gradient.to(getattr(torch, dtype)).double()
    within = [a for a in range(3) if a not in np.atleast_1d(axis)]
    norm = x.square().sum(dim=within, keepdim=True).sqrt()
    (expected,) = torch.autograd.grad((gradient * x / norm).sum(), x)
    expected = expected * norm
    low = getattr(torch, dtype)
    tangential = unit.tangential(gradient.to(low), x.detach().to(low))
    assert tangential.dtype == low
    torch.testing.assert_close(
        tangential.double(), expected.detach(), rtol=torch.finfo(low).eps * 4, atol=1e-7
    )


def test_tangential_by_hand(xp):
    gradient = make(xp, [[5.0, 0.0], [1.0, 2.0], [1.0, 1.0]])
    tangential = UnitNorm(axis=0).tangential(gradient, make(xp, ROWS))
    assert_allclose(numbers(tangential), [[3.2, -2.4], [1.6, 1.2], [1.0, 1.0]], rtol=1e-12)


@pytest.mark.parametrize("constraint", [c for c in EVERY if not isinstance(c, UnitNorm)], ids=repr)
def test_only_the_sphere_takes_something_out_of_a_gradient(constraint):
    gradient, x = torch.ones(3, 2), torch.tensor(ROWS)
    assert torch.equal(constraint.tangential(gradient, x), gradient)
    assert not constraint.has_tangent


def test_a_value_is_equal_to_another_and_says_how_to_make_it():
    assert MaxNorm(1, 0) == MaxNorm(1.0, axis=0) != MaxNorm(1.0, axis=1)
    assert repr(MinMaxNorm(0.5, 2, axis="output")) == "MinMaxNorm(0.5, 2.0, axis='output')"
    assert [eval(repr(one)) for one in EVERY] == EVERY
    assert len({*EVERY, *EVERY}) == len(EVERY)


def test_strict_arrays_are_supported_without_their_library_being_imported():
    x = array_api_strict.asarray([[3.0, 4.0]])
    assert numbers(UnitNorm(axis=0).project(x)).tolist() == [[0.6, 0.8]]
