"""How much each noise drops: by hand, and within five standard errors of its distribution."""

import numpy as np
import pytest
import torch

from functional.generators import generator_of
from penalties.arrays import make, numbers
from regularizers import functional
from regularizers.errors import ConfigurationError, ShapeError
from regularizers.functional.noise import block_noise, dropout_noise, gaussian_dropout_noise
from regularizers.penalties.arrays import namespace_of

N = 100_000


def of_uniform(noise, u, *settings):
    return noise(namespace_of(u), u, *settings)


def standard_error(p):
    return (p * (1 - p) / N) ** 0.5


@pytest.mark.parametrize("rate", [0.01, 0.3, 0.9])
def test_dropout_drops_its_share_and_scales_the_rest(xp, rate):
    noise = numbers(functional.dropout(make(xp, np.ones(N)), rate, generator_of(xp)).noise)
    assert abs((noise == 0).mean() - rate) < 5 * standard_error(rate)
    np.testing.assert_allclose(noise[noise != 0], 1 / (1 - rate))


def test_dropout_by_hand(xp):
    noise = of_uniform(dropout_noise, make(xp, [0.0, 0.19, 0.2, 0.99]), 0.2)
    np.testing.assert_allclose(numbers(noise), [0, 0, 1.25, 1.25])


def test_a_small_rate_drops_in_half_precision_too():
    x = torch.ones(N, dtype=torch.bfloat16)
    noise = functional.dropout(x, 0.001, generator_of(torch)).noise
    assert abs((noise == 0).double().mean() - 0.001) < 5 * standard_error(0.001)


def test_drop_path_drops_whole_samples(xp):
    y = numbers(functional.drop_path(make(xp, np.ones((N, 2))), 0.3, generator_of(xp)).y)
    np.testing.assert_array_equal(y[:, 0], y[:, 1])
    assert abs((y[:, 0] == 0).mean() - 0.3) < 5 * standard_error(0.3)
    np.testing.assert_allclose(y[y != 0], 1 / 0.7)


def test_locked_dropout_drops_its_share_of_units_at_every_step(xp):
    x = make(xp, np.ones((3, N // 10, 10)))
    noised = functional.locked_dropout(x, 0.3, generator_of(xp), time_axis=0)
    y = numbers(noised.y)
    assert noised.noise.shape == (1, N // 10, 10)
    np.testing.assert_array_equal(y, np.broadcast_to(y[:1], y.shape))
    assert abs((y[0] == 0).mean() - 0.3) < 5 * standard_error(0.3)
    np.testing.assert_allclose(y[y != 0], 1 / 0.7)


@pytest.mark.parametrize(("time_axis", "shape"), [(0, (1, 5, 6)), (1, (4, 1, 6)), (-1, (4, 5, 1))])
def test_locked_dropout_along_other_axes(xp, time_axis, shape):
    x = make(xp, np.ones((4, 5, 6)))
    noised = functional.locked_dropout(x, 0.5, generator_of(xp), time_axis=time_axis)
    assert noised.noise.shape == shape
    y = numbers(noised.y)
    np.testing.assert_array_equal(y, np.broadcast_to(numbers(noised.noise), y.shape))


def test_locked_dropout_along_an_axis_that_cannot_be():
    x, rng = np.ones((4, 5)), np.random.default_rng(0)
    with pytest.raises(ShapeError, match=r"^time_axis: expected axes of an array of 2 dimensions"):
        functional.locked_dropout(x, 0.5, rng, time_axis=2)
    with pytest.raises(ConfigurationError, match=r"^time_axis: expected an integer, got \(0, 1\)$"):
        functional.locked_dropout(x, 0.5, rng, time_axis=(0, 1))


@pytest.mark.parametrize(
    ("batch_axis", "shape"),
    [(0, (4, 1, 1)), (-2, (1, 5, 1)), ((0, 1), (4, 5, 1))],
)
def test_drop_path_along_other_axes(xp, batch_axis, shape):
    x = make(xp, np.ones((4, 5, 6)))
    noised = functional.drop_path(x, 0.5, generator_of(xp), batch_axis=batch_axis)
    assert noised.noise.shape == shape
    np.testing.assert_array_equal(
        numbers(noised.y), np.broadcast_to(numbers(noised.noise), (4, 5, 6))
    )
    same = functional.drop_path(x, 0.0, generator_of(xp), batch_axis=batch_axis)
    assert same.noise.shape == shape


def test_drop_path_along_an_axis_that_is_not_there():
    match = r"^batch_axis: expected axes of an array of 2 dimensions, from -2 to 1, got 2$"
    with pytest.raises(ShapeError, match=match):
        functional.drop_path(np.ones((2, 3)), 0.0, None, batch_axis=2)


def test_an_array_without_dimensions_is_one_sample():
    assert functional.drop_path(np.asarray(1.0), 0.5, generator_of(np)).y in (0, 2)


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.8])
def test_gaussian_dropout_has_the_mean_and_variance_of_dropout(xp, rate):
    x = make(xp, np.ones(N))
    noise = numbers(functional.gaussian_dropout(x, rate, generator_of(xp)).noise)
    variance = rate / (1 - rate)
    assert abs(noise.mean() - 1) < 5 * (variance / N) ** 0.5
    assert abs(noise.var() - variance) < 5 * variance * (2 / N) ** 0.5


def test_gaussian_dropout_by_hand():
    # Keras: normal(mean=1, stddev=sqrt(rate / (1 - rate))); of 0.2 that is 1/2, of 0.8 it is 2
    z = np.array([-2.0, 0.0, 1.0])
    np.testing.assert_allclose(gaussian_dropout_noise(z, 0.2), [0, 1, 1.5])
    np.testing.assert_allclose(gaussian_dropout_noise(z, 0.8), [-3, 1, 3])


def squares(u, rate, b):
    """The mask of the paper's algorithm 1, square by square."""
    height, width = u.shape[-2:]
    gamma = rate / b**2 * height * width / ((height - b + 1) * (width - b + 1))
    mask = np.ones_like(u)
    for *index, row, column in np.argwhere(u < gamma):
        if row <= height - b and column <= width - b:
            mask[(*index, slice(row, row + b), slice(column, column + b))] = 0
    return mask * mask.size / mask.sum()


@pytest.mark.parametrize(
    ("shape", "b"), [((4, 5, 7, 9), 1), ((4, 5, 7, 9), 3), ((4, 5, 7, 9), 6), ((8, 7), 7)]
)
def test_drop_block_drops_squares(xp, shape, b):
    u = np.random.default_rng(b).random(shape)
    noise = numbers(of_uniform(block_noise, make(xp, u), 0.3, b))
    np.testing.assert_allclose(noise, squares(u, 0.3, b), rtol=1e-14)
    assert len(shape) == 2 or (noise == 0).any()
    np.testing.assert_allclose(noise.mean(), 1)


def test_drop_block_by_hand(xp):
    # γ = 0.5 / 4 · 3·4 / (2·3) = 0.25: a square begins at (1, 1), none fits at (2, 3)
    u = np.full((3, 4), 0.25)
    u[1, 1] = u[2, 3] = 0.24
    expected = [[1.5, 1.5, 1.5, 1.5], [1.5, 0, 0, 1.5], [1.5, 0, 0, 1.5]]
    np.testing.assert_allclose(numbers(of_uniform(block_noise, make(xp, u), 0.5, 2)), expected)


def test_drop_block_drops_about_its_share():
    maps, side, b, rate = 2000, 10, 3, 0.1
    x = np.ones((maps, side, side))
    zero = functional.drop_block(x, rate, b, generator_of(np)).noise == 0
    # an element stays if none of the squares begins that would cover it
    along = np.convolve(np.ones(side - b + 1), np.ones(b))
    gamma = rate / b**2 * side**2 / (side - b + 1) ** 2
    expected = 1 - ((1 - gamma) ** np.outer(along, along)).mean()
    of_each_map = zero.mean(axis=(1, 2))
    assert abs(of_each_map.mean() - expected) < 5 * of_each_map.std() / maps**0.5
    assert abs(expected - rate) < 0.01


def test_a_block_larger_than_the_map_is_cut_to_it(xp):
    x = np.ones((500, 2, 3))
    of_seven = functional.drop_block(x, 0.3, 7, generator_of(np)).noise
    of_two = functional.drop_block(x, 0.3, 2, generator_of(np)).noise
    np.testing.assert_array_equal(of_seven, of_two)


def test_where_nothing_is_kept_all_is_zero(xp):
    assert np.array_equal(
        numbers(of_uniform(block_noise, make(xp, np.zeros((2, 2))), 0.9, 2)), [[0, 0]] * 2
    )


@pytest.mark.parametrize("block_size", [0, -1, 2.0, True, None, (3, 3)], ids=repr)
def test_a_block_size_that_cannot_be(block_size):
    match = (
        r"^block_size: expected an integer of 1 or more, the side of the square that is dropped, "
        r"got .*; a block of 1 drops single elements$"
    )
    with pytest.raises(ConfigurationError, match=match):
        functional.drop_block(np.ones((4, 4)), 0.5, block_size, None)


def test_drop_block_of_what_is_no_map():
    match = r"^x: expected two dimensions or more, height and width the last, got shape \(3,\)$"
    with pytest.raises(ShapeError, match=match):
        functional.drop_block(np.ones(3), 0.5, 2, None)
