"""Dropout by one mask along the stated axes, of which locked dropout is a case."""

import numpy as np
import pytest
import torch

from functional.generators import generator_of
from penalties.arrays import make, numbers
from regularizers import functional
from regularizers.errors import ConfigurationError, ShapeError

AXES = [
    (0, (1, 5, 6)),
    ((1,), (4, 1, 6)),
    (-1, (4, 5, 1)),
    ((0, -1), (1, 5, 1)),
    ((1, 2), (4, 1, 1)),
    ((0, 1, 2), (1, 1, 1)),
    ((), (4, 5, 6)),
]


@pytest.mark.parametrize(("axes", "shape"), AXES)
def test_the_mask_is_the_same_along_the_axes(xp, axes, shape):
    x = make(xp, np.random.default_rng(0).standard_normal((4, 5, 6)))
    y, noise = functional.shared_dropout(x, 0.5, generator_of(xp), axes=axes)
    assert noise.shape == shape
    expected = numbers(x) * np.broadcast_to(numbers(noise), (4, 5, 6))
    np.testing.assert_array_equal(numbers(y), expected)
    same = functional.shared_dropout(x, 0.0, generator_of(xp), axes=axes)
    assert same.y is x
    assert same.noise.shape == shape


def test_it_drops_its_share_of_the_masks(xp):
    n = 40_000
    x = make(xp, np.ones((2, n, 2)))
    y = numbers(functional.shared_dropout(x, 0.3, generator_of(xp), axes=(0, 2)).y)
    np.testing.assert_array_equal(y, np.broadcast_to(y[:1, :, :1], y.shape))
    assert abs((y[0, :, 0] == 0).mean() - 0.3) < 5 * (0.3 * 0.7 / n) ** 0.5
    np.testing.assert_allclose(y[y != 0], 1 / 0.7)


@pytest.mark.parametrize("time_axis", [0, 1, -1])
def test_locked_dropout_is_the_case_of_one_axis_to_the_bit(xp, time_axis):
    x = make(xp, np.random.default_rng(0).standard_normal((4, 5, 6)))
    locked = functional.locked_dropout(x, 0.4, generator_of(xp, 3), time_axis=time_axis)
    shared = functional.shared_dropout(x, 0.4, generator_of(xp, 3), axes=time_axis)
    np.testing.assert_array_equal(numbers(locked.y), numbers(shared.y))
    np.testing.assert_array_equal(numbers(locked.noise), numbers(shared.noise))


def test_all_axes_but_that_of_samples_are_drop_path_and_none_are_dropout(xp):
    x = make(xp, np.ones((8, 5, 6)))
    path = functional.drop_path(x, 0.4, generator_of(xp, 3))
    shared = functional.shared_dropout(x, 0.4, generator_of(xp, 3), axes=(1, 2))
    np.testing.assert_array_equal(numbers(path.y), numbers(shared.y))
    each = functional.dropout(x, 0.4, generator_of(xp, 3))
    shared = functional.shared_dropout(x, 0.4, generator_of(xp, 3), axes=())
    np.testing.assert_array_equal(numbers(each.y), numbers(shared.y))


def test_nan_and_infinity_pass_through():
    x = torch.tensor([[np.nan, np.inf, -np.inf], [1.0, 2.0, 3.0]])
    y, noise = functional.shared_dropout(x, 0.1, generator_of(torch), axes=1)
    assert (noise != 0).all()
    assert y[0].isnan().tolist() == [True, False, False]
    assert y[0, 1:].tolist() == [np.inf, -np.inf]


@pytest.mark.parametrize("axes", [1.0, None, "output", [0, 1], (0, True)], ids=repr)
def test_axes_that_are_no_integers(axes):
    match = (
        r"^axes: expected an integer or a tuple of integers, the axes along which the mask is the "
        r"same, got .*; as in axes=\(2, 3\)$"
    )
    with pytest.raises(ConfigurationError, match=match):
        functional.shared_dropout(np.ones((2, 3)), 0.5, None, axes=axes)


def test_axes_that_are_not_there_or_there_twice():
    match = r"^axes: expected axes of an array of 2 dimensions, from -2 to 1, got 2$"
    with pytest.raises(ShapeError, match=match):
        functional.shared_dropout(np.ones((2, 3)), 0.5, None, axes=2)
    with pytest.raises(ShapeError, match=r"^axes: expected distinct axes, got \(1, -1\) of 2 dim"):
        functional.shared_dropout(np.ones((2, 3)), 0.5, None, axes=(1, -1))
