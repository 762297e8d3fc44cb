"""Invalid inputs raise errors that say what was expected, what came, and the cure."""

import array_api_strict
import jax
import numpy as np
import pytest
import torch
from numpy.lib.stride_tricks import as_strided, sliding_window_view
from numpy.testing import assert_array_equal

from penalties.arrays import make, numbers
from penalties.cases import kinds
from regularizers import L1, L2Norm
from regularizers.errors import ArrayTypeError, ReadOnlyError, RegularizersError, ShapeError

every_kind = pytest.mark.parametrize("penalty", kinds(), ids=repr)

X = [[1.0, -2.0], [3.0, 0.5]]
BEFORE = [[10.0, 20.0], [30.0, 40.0]]
DTYPES = ["int32", "int64", "uint8", "bool", "complex64"]
NOT_ARRAYS = [X, (1.0, 2.0), 1.0, None, "1.0", {"x": 1.0}]


def typed(xp, dtype):
    ones = np.ones((2, 2), dtype=dtype)
    return array_api_strict.asarray(ones) if xp is array_api_strict else xp.asarray(ones)


def assert_refused(penalty, x, grads, error, match, **options):
    """Assert that `apply` raises, and that both arrays are what they were."""
    before = numbers(x), numbers(grads)
    with pytest.raises(error, match=match) as caught:
        penalty.apply(x, grads, **options)

    assert isinstance(caught.value, RegularizersError)
    assert_array_equal(numbers(x), before[0])
    assert_array_equal(numbers(grads), before[1])


@pytest.mark.parametrize("dtype", DTYPES)
def test_an_array_that_is_not_real_floating(xp, dtype):
    x = typed(xp, dtype)

    match = rf"x: expected an array of a real floating type, got .*{dtype}.*; convert it first"
    for method in (L1(0.1), L1(0.1).gradient, L1(0.1).value_and_gradient):
        with pytest.raises(ArrayTypeError, match=match):
            method(x)


@every_kind
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("library", [np, torch], ids=["numpy", "torch"])
def test_every_penalty_refuses_integers_booleans_and_complex_numbers(penalty, dtype, library):
    x = typed(library, dtype)
    grads = library.ones((2, 2))
    with pytest.raises(ArrayTypeError, match=f"x: expected .*, got .*{dtype}.*convert it first"):
        penalty.apply(x, grads)

    assert bool((x == 1).all())
    assert bool((grads == 1).all())


@every_kind
@pytest.mark.parametrize("x", NOT_ARRAYS, ids=repr)
def test_what_is_no_array(penalty, x):
    match = f"x: expected an array of a floating type .*, got {type(x).__name__}; convert it first"
    with pytest.raises(ArrayTypeError, match=match):
        penalty(x)
    with pytest.raises(ArrayTypeError, match=match):
        penalty.gradient(x)


def test_an_array_of_objects():
    with pytest.raises(ArrayTypeError, match="real floating type, got object; convert it first"):
        L1(0.1)(np.array([1.0, None]))


@every_kind
@pytest.mark.parametrize("shape", [(4,), (2, 1), (1, 2, 2), (2, 3), ()], ids=str)
@pytest.mark.parametrize("library", [np, torch, array_api_strict])
def test_grads_of_another_shape(penalty, shape, library):
    x, grads = make(library, X), library.ones(shape)

    match = rf"grads: expected the shape of x, \(2, 2\), got \({', '.join(map(str, shape))},?\)"
    assert_refused(penalty, x, grads, ShapeError, match)


@pytest.mark.parametrize(
    ("x", "grads", "match"),
    [
        (np.array(X), torch.ones(2, 2), "the library of x .*numpy.*, got Tensor"),
        (torch.tensor(X), np.ones((2, 2)), "the library of x .*torch.*, got ndarray"),
        (
            array_api_strict.asarray(X),
            np.ones((2, 2)),
            "the library of x .array_api_strict., got ndarray",
        ),
        (jax.numpy.asarray(X), np.ones((2, 2)), "the library of x .jax.numpy., got ndarray"),
    ],
    ids=["torch for numpy", "numpy for torch", "numpy for strict", "numpy for jax"],
)
def test_grads_of_another_library(x, grads, match):
    assert_refused(L1(0.1), x, grads, ArrayTypeError, f"grads: expected an array of {match}")


@pytest.mark.parametrize("dtype", ["int64", "bool", "complex64"])
@pytest.mark.parametrize("library", [np, torch], ids=["numpy", "torch"])
def test_grads_that_are_not_real_floating(dtype, library):
    x, grads = make(library, X), typed(library, dtype)
    match = f"grads: expected an array of a real floating type, got .*{dtype}"
    with pytest.raises(ArrayTypeError, match=match):
        L1(0.1).apply(x, grads)

    assert_array_equal(numbers(x), X)
    assert bool((grads == 1).all())


def test_grads_that_are_no_array():
    grads = [[1.0, 1.0], [1.0, 1.0]]
    with pytest.raises(ArrayTypeError, match=r"grads: expected an array .*, got list"):
        L1(0.1).apply(np.array(X), grads)

    assert grads == [[1.0, 1.0], [1.0, 1.0]]


@every_kind
def test_a_read_only_numpy_array(penalty):
    grads = np.array(BEFORE)
    grads.flags.writeable = False

    match = r"grads: expected an array that can be written in place, .*read-only.*ndarray; use"
    assert_refused(penalty, np.array(X), grads, ReadOnlyError, match)


@every_kind
def test_a_jax_array_names_the_method_that_returns_a_new_one(penalty):
    x, grads = jax.numpy.asarray(X), jax.numpy.asarray(BEFORE)

    match = r"grads: expected an array that can be written .*; use value_and_gradient\(x\)"
    assert_refused(penalty, x, grads, ReadOnlyError, match)


@every_kind
@pytest.mark.parametrize(
    ("x", "grads"),
    [
        (torch.tensor(X), torch.ones(2, 1).expand(2, 2)),
        (torch.tensor(X), torch.tensor(1.0).expand(2, 2)),
        (np.array(X), as_strided(np.ones(2), (2, 2), (0, 8), writeable=True)),
    ],
    ids=["expanded row", "expanded scalar", "numpy of stride 0"],
)
def test_an_expanded_view(penalty, x, grads):
    match = r"elements are all distinct in memory, .* strides \(.*0.*\); pass a copy, or use value_"
    assert_refused(penalty, x, grads, ReadOnlyError, match)


@pytest.mark.parametrize(
    "grads",
    [
        sliding_window_view(np.full(3, 7.0), 2, writeable=True),
        torch.full((3,), 7.0, dtype=torch.float64).unfold(0, 2, 1),
    ],
    ids=["numpy", "torch"],
)
def test_windows_that_overlap(grads):
    x = torch.tensor(X).double() if isinstance(grads, torch.Tensor) else np.array(X)

    assert_refused(L1(0.1), x, grads, ReadOnlyError, "elements are all distinct in memory")


@pytest.mark.parametrize("x", [np.float64(1.0), np.float32(1.0)], ids=repr)
def test_a_scalar_of_numpy_cannot_be_written(x):
    with pytest.raises(ReadOnlyError, match=r"can be written in place, .*; use value_and_gradient"):
        L1(0.1).apply(x, x)


@every_kind
@pytest.mark.parametrize(
    ("mask", "error", "match"),
    [
        ([True, False], ArrayTypeError, "a boolean array of the library of x .*, got list"),
        (True, ArrayTypeError, "a boolean array of the library of x .*, got bool"),
        (torch.tensor([True, False]), ArrayTypeError, "the library of x .*numpy.*, got Tensor"),
        (np.array([1, 0]), ArrayTypeError, "True where .*, got int64; pass `mask != 0`"),
        (np.array([1.0, 0.0]), ArrayTypeError, "True where .*, got float64; pass `mask != 0`"),
        (np.array([True]), ShapeError, r"the leading axes of x, .* \(2, 2\), got shape \(1,\)"),
        (np.ones((2, 2, 1), bool), ShapeError, r"leading axes of x, .*, got shape \(2, 2, 1\)"),
        (np.ones((2, 3), bool), ShapeError, r"leading axes of x, .*, got shape \(2, 3\)"),
    ],
)
def test_a_mask_that_does_not_fit(penalty, mask, error, match):
    x, grads = np.array(X), np.array(BEFORE)

    assert_refused(penalty, x, grads, error, f"mask: expected .*{match}", mask=mask)
    with pytest.raises(error, match=f"mask: expected .*{match}"):
        penalty(x, mask=mask)


@pytest.mark.parametrize("library", [np, torch, array_api_strict])
@pytest.mark.parametrize("reduce", ["batch_mean", "mean"])
@pytest.mark.parametrize(
    ("batch_axis", "match"),
    [
        (2, "axes of an array of 2 dimensions, from -2 to 1, got 2"),
        (-3, "axes of an array of 2 dimensions, from -2 to 1, got -3"),
        ((0, 5), "axes of an array of 2 dimensions, from -2 to 1, got 5"),
        ((0, 0), r"distinct axes, got \(0, 0\) of 2 dimensions"),
        ((1, -1), r"distinct axes, got \(1, -1\) of 2 dimensions"),
    ],
)
def test_a_batch_axis_the_array_has_not(library, reduce, batch_axis, match):
    penalty = L2Norm(0.1, reduce=reduce, batch_axis=batch_axis)
    x, grads = make(library, X), make(library, BEFORE)

    assert_refused(penalty, x, grads, ShapeError, f"batch_axis: expected {match}")


def test_a_batch_axis_that_an_empty_array_has_not():
    with pytest.raises(ShapeError, match="batch_axis: expected axes of an array of 2 dimensions"):
        L1(0.1, reduce="batch_mean", batch_axis=5)(np.zeros((0, 3)))
