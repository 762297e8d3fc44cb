"""Batch normalization against PyTorch's own, with its running statistics and its gradients."""

import jax
import numpy as np
import pytest
import torch
from torch import nn

from penalties.arrays import make, numbers
from regularizers import functional
from regularizers.errors import ArrayTypeError, ConfigurationError, ShapeError
from regularizers.functional import RunningStatistics, batch_norm, batch_norm_evaluation

SHAPES = [((6, 3), 1), ((2, 3, 5), 1), ((2, 3, 4, 5), 1), ((2, 3, 2, 4, 3), 1)]
SHAPES += [((2, 4, 5, 3), -1), ((3, 7), 0), ((2, 4, 3, 5), 2), ((4, 1, 1), 1)]
every_shape = pytest.mark.parametrize(("shape", "axis"), SHAPES)


def draw(shape, axis, seed=0):
    """Return x, γ, β, a cotangent, and running statistics, as float64 NumPy arrays."""
    rng = np.random.default_rng(seed)
    channels = shape[axis]
    x = 3 + 2 * rng.standard_normal(shape)
    gamma, beta, mean = rng.standard_normal((3, channels))
    return x, gamma, beta, rng.standard_normal(shape), (mean, 0.5 + rng.random(channels))


def as_torch(x, gamma, beta, cotangent, statistics, *, axis, training, momentum=0.1, epsilon=1e-5):
    """Return y, the running statistics and the three gradients of PyTorch's batch normalization."""
    leaves = [torch.tensor(one, requires_grad=True) for one in (x, gamma, beta)]
    mean, variance = map(torch.tensor, statistics)
    y = nn.functional.batch_norm(
        *(leaves[0].movedim(axis, 1) if leaves[0].ndim > 1 else leaves[0], mean, variance),
        *(leaves[1], leaves[2], training, momentum, epsilon),
    ).movedim(1, axis)
    gradients = torch.autograd.grad(y, leaves, torch.tensor(cotangent))
    return y.detach(), (mean, variance), gradients


def close(ours, theirs, rtol=1e-9):
    assert len(ours) == len(theirs)
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(numbers(one), numbers(other), rtol=rtol, atol=1e-10)


@every_shape
def test_training_equals_pytorch(xp, shape, axis):
    x, gamma, beta, cotangent, statistics = draw(shape, axis)
    y, moved, gradients = as_torch(
        *(x, gamma, beta, cotangent, statistics), axis=axis, training=True, momentum=0.3
    )
    trained = batch_norm(
        *(make(xp, one) for one in (x, gamma, beta)),
        statistics=tuple(make(xp, one) for one in statistics),
        channel_axis=axis,
        momentum=0.3,
    )
    close([trained.y], [y])
    close(trained.statistics, moved)
    close(trained.vjp(make(xp, cotangent)), gradients)


@every_shape
def test_evaluation_equals_pytorch(xp, shape, axis):
    x, gamma, beta, cotangent, statistics = draw(shape, axis)
    y, _, gradients = as_torch(
        *(x, gamma, beta, cotangent, statistics), axis=axis, training=False, epsilon=0.1
    )
    evaluated = batch_norm_evaluation(
        *(make(xp, one) for one in (x, gamma, beta)),
        statistics=RunningStatistics(*(make(xp, one) for one in statistics)),
        channel_axis=axis,
        epsilon=0.1,
    )
    close([evaluated.y], [y])
    close(evaluated.vjp(make(xp, cotangent)), gradients)


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (nn.BatchNorm1d, (8, 3)),
        (nn.BatchNorm1d, (4, 3, 6)),
        (nn.BatchNorm2d, (2, 3, 4, 5)),
        (nn.BatchNorm3d, (2, 3, 2, 3, 4)),
    ],
)
def test_training_and_evaluation_of_a_layer(layer, shape):
    theirs = layer(3).double()
    nn.init.normal_(theirs.weight)
    nn.init.normal_(theirs.bias)
    gamma, beta = theirs.weight.detach(), theirs.bias.detach()
    statistics = RunningStatistics(torch.zeros(3).double(), torch.ones(3).double())
    rng = torch.Generator().manual_seed(0)
    for _ in range(5):
        x = 3 + torch.randn(shape, generator=rng, dtype=torch.float64)
        y, statistics, _ = batch_norm(x, gamma, beta, statistics=statistics)
        torch.testing.assert_close(y, theirs(x).detach())
    torch.testing.assert_close(statistics.mean, theirs.running_mean)
    torch.testing.assert_close(statistics.variance, theirs.running_var)
    y = batch_norm_evaluation(x, gamma, beta, statistics=statistics).y
    torch.testing.assert_close(y, theirs.eval()(x).detach())


def test_by_hand(xp):
    # a channel of 1, 3: mean 2, variance 1, unbiased 2; ε = 3 makes the deviation 2
    trained = batch_norm(
        make(xp, [[1.0], [3.0]]),
        make(xp, [4.0]),
        make(xp, [10.0]),
        statistics=(make(xp, [6.0]), make(xp, [10.0])),
        epsilon=3.0,
        momentum=0.25,
    )
    close([trained.y], [np.array([[8.0], [12.0]])])
    close(trained.statistics, (np.array([5.0]), np.array([8.0])))
    # ȳ = 1, 0: γ̄ = -½, β̄ = 1; x̄ = (4/2)·(ȳ - ½ - x̂·γ̄/2) = 2·(½ - ⅛), 2·(-½ + ⅛)
    gradients = trained.vjp(make(xp, [[1.0], [0.0]]))
    close(gradients, (np.array([[0.75], [-0.75]]), np.array([-0.5]), np.array([1.0])))


def test_without_scale_and_shift(xp):
    x, gamma, beta, cotangent, statistics = draw((4, 3, 5), 1)
    one, zero = np.ones_like(gamma), np.zeros_like(beta)
    y, _, (x_bar, gamma_bar, beta_bar) = as_torch(
        *(x, one, zero, cotangent, statistics), axis=1, training=True
    )
    plain = batch_norm(make(xp, x))
    assert plain.statistics is None
    close([plain.y], [y])
    gradients = plain.vjp(make(xp, cotangent))
    close([gradients.x], [x_bar])
    assert gradients.gamma is None
    assert gradients.beta is None

    scaled = batch_norm(make(xp, x), make(xp, one)).vjp(make(xp, cotangent))
    close([scaled.gamma], [gamma_bar])
    assert scaled.beta is None
    shifted = batch_norm(make(xp, x), None, make(xp, zero)).vjp(make(xp, cotangent))
    close([shifted.beta], [beta_bar])
    assert shifted.gamma is None


def test_the_gradients_are_those_of_jax():
    with jax.enable_x64(True):
        x, gamma, beta, cotangent = map(jax.numpy.asarray, draw((4, 3, 5), 1)[:4])
        statistics = RunningStatistics(gamma, gamma**2 + 0.1)
        arguments = (x, gamma, beta)
        _, pull = jax.vjp(lambda *a: batch_norm(*a, statistics=statistics).y, *arguments)
        close(batch_norm(*arguments).vjp(cotangent), pull(cotangent))
        _, pull = jax.vjp(lambda *a: batch_norm_evaluation(*a, statistics=statistics).y, *arguments)
        evaluated = batch_norm_evaluation(*arguments, statistics=statistics)
        close(evaluated.vjp(cotangent), pull(cotangent))


def test_it_passes_through_jit():
    x, gamma, beta, cotangent, statistics = draw((4, 3, 5), 1)
    arrays = [jax.numpy.asarray(one) for one in (x, gamma, beta)]
    statistics = RunningStatistics(*map(jax.numpy.asarray, statistics))
    eager = batch_norm(*arrays, statistics=statistics)
    jitted = jax.jit(lambda *a: batch_norm(*a, statistics=statistics))(*arrays)
    close(jitted.statistics, eager.statistics, rtol=1e-5)
    cotangent = jax.numpy.asarray(cotangent)
    for one, other in zip(jitted.vjp(cotangent), eager.vjp(cotangent), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


def test_nothing_is_changed_in_place(xp):
    arrays = [make(xp, one) for one in draw((4, 3), 1)[:3]]
    statistics = RunningStatistics(make(xp, [0.0, 0, 0]), make(xp, [1.0, 1, 1]))
    before = [numbers(one) for one in (*arrays, *statistics)]
    batch_norm(*arrays, statistics=statistics).vjp(arrays[0])
    batch_norm_evaluation(*arrays, statistics=statistics).vjp(arrays[0])
    for one, old in zip((*arrays, *statistics), before, strict=True):
        np.testing.assert_array_equal(numbers(one), old)


def test_the_running_statistics_hold_no_graph():
    x = torch.randn(4, 3, requires_grad=True)
    statistics = (torch.zeros(3), torch.ones(3))
    moved = batch_norm(x, statistics=statistics).statistics
    assert not moved.mean.requires_grad
    assert not moved.variance.requires_grad


@pytest.mark.parametrize(("xp", "dtype"), [(np, "float16"), (torch, "float16")])
def test_half_precision_is_accumulated_in_float32(xp, dtype):
    # the sum of 4096 elements of 100 is beyond float16, and so are their squares
    x = (100 + np.random.default_rng(0).standard_normal((4096, 2))).astype(np.float16)
    gamma = np.array([1.0, 2.0])
    y, moved, gradients = as_torch(
        x.astype(np.float64), gamma, gamma, x / 100.0, (gamma, gamma), axis=1, training=True
    )
    wide = [make(xp, gamma, "float32")] * 2
    trained = batch_norm(make(xp, x, dtype), *wide, statistics=tuple(wide))
    assert trained.y.dtype == make(xp, x, dtype).dtype
    assert trained.statistics.mean.dtype == wide[0].dtype
    np.testing.assert_allclose(numbers(trained.y), y, rtol=1e-3, atol=2e-3)
    close(trained.statistics, moved, rtol=1e-5)
    pulled = trained.vjp(make(xp, x, dtype) / 100)
    assert [one.dtype for one in pulled] == [trained.y.dtype, wide[0].dtype, wide[0].dtype]
    np.testing.assert_allclose(numbers(pulled.beta), gradients[2], rtol=1e-3)


def test_bfloat16_is_accumulated_in_float32():
    x = (100 + torch.randn(512, 3)).bfloat16()
    y = batch_norm(x).y
    assert y.dtype == torch.bfloat16
    torch.testing.assert_close(
        y, nn.functional.batch_norm(x.float(), None, None, training=True).bfloat16()
    )


def test_all_equal_elements_are_finite(xp):
    trained = batch_norm(make(xp, np.full((4, 2), 7.0)))
    np.testing.assert_array_equal(numbers(trained.y), np.zeros((4, 2)))
    assert np.isfinite(numbers(trained.vjp(make(xp, np.ones((4, 2)))).x)).all()


@pytest.mark.parametrize("shape", [(1, 3), (0, 3), (1, 3, 1, 1)])
def test_fewer_than_two_elements_a_channel(shape):
    match = (
        r"^x: expected two elements or more a channel in training, since the variance of fewer "
        rf"says nothing, got {shape[0]} in shape .* with channels along axis 1; "
        r"pass a larger batch, or use batch_norm_evaluation$"
    )
    with pytest.raises(ShapeError, match=match):
        batch_norm(np.ones(shape))
    seen = RunningStatistics(np.zeros(3), np.ones(3))
    assert batch_norm_evaluation(np.ones(shape), statistics=seen).y.shape == shape


@pytest.mark.parametrize("name", ["gamma", "beta", "statistics.mean", "statistics.variance"])
@pytest.mark.parametrize("shape", [(4,), (1,), (3, 1), ()], ids=repr)
def test_a_parameter_of_another_shape(name, shape):
    arrays = dict.fromkeys(["gamma", "beta", "statistics.mean", "statistics.variance"], np.ones(3))
    gamma, beta, *statistics = (arrays | {name: np.ones(shape)}).values()
    match = (
        rf"^{name}: expected shape \(3,\), one number for each channel of x, whose shape is "
        r"\(5, 3, 4\) with channels along axis 1, got \(.*\); channel_axis says where"
    )
    for function in (batch_norm, batch_norm_evaluation):
        with pytest.raises(ShapeError, match=match):
            function(np.ones((5, 3, 4)), gamma, beta, statistics=statistics)


def test_a_parameter_of_another_library():
    match = r"^gamma: expected an array of the library of x \(.*numpy\), got Tensor$"
    with pytest.raises(ArrayTypeError, match=match):
        batch_norm(np.ones((5, 3)), torch.ones(3))


@pytest.mark.parametrize("statistics", [np.ones((2, 3)), (np.ones(3),), 3], ids=["array", "1", "3"])
def test_statistics_that_are_no_pair(statistics):
    match = (
        r"^statistics: expected a pair \(mean, variance\), got (ndarray|tuple|int); "
        r"use RunningStatistics\(mean, variance\), zeros and ones to begin with$"
    )
    for function in (batch_norm, batch_norm_evaluation):
        with pytest.raises(ConfigurationError, match=match):
            function(np.ones((5, 3)), statistics=statistics)


def test_channels_that_are_not_there():
    match = r"^channel_axis: expected axes of an array of 1 dimensions, from -1 to 0, got 1$"
    with pytest.raises(ShapeError, match=match):
        batch_norm(np.ones(3))
    match = r"^x: expected an axis of channels, got an array without dimensions$"
    with pytest.raises(ShapeError, match=match):
        batch_norm(np.asarray(3.0))
    match = r"^channel_axis: expected an integer, got \(0, 1\); every other axis is of the batch$"
    with pytest.raises(ConfigurationError, match=match):
        batch_norm(np.ones((3, 3)), channel_axis=(0, 1))


@pytest.mark.parametrize("epsilon", [0, -1e-5, float("nan"), float("inf"), None], ids=repr)
def test_an_epsilon_that_cannot_be(epsilon):
    match = r"^epsilon: expected a finite number above 0, which keeps .*; PyTorch's is 1e-5$"
    with pytest.raises(ConfigurationError, match=match):
        batch_norm(np.ones((5, 3)), epsilon=epsilon)
    with pytest.raises(ConfigurationError, match=match):
        batch_norm_evaluation(np.ones((5, 3)), statistics=None, epsilon=epsilon)


@pytest.mark.parametrize("momentum", [-0.1, 1.1, float("nan"), None, True], ids=repr)
def test_a_momentum_that_cannot_be(momentum):
    match = (
        r"^momentum: expected a number in \[0, 1\], the weight of the new batch, got .*; "
        r"PyTorch's is 0.1 \(Keras writes one minus it, 0.9\)$"
    )
    with pytest.raises(ConfigurationError, match=match):
        batch_norm(np.ones((5, 3)), momentum=momentum)


def test_a_cotangent_of_another_shape():
    match = r"^cotangent: expected the shape of y, \(5, 3\), got \(5, 1\)$"
    with pytest.raises(ShapeError, match=match):
        batch_norm(np.ones((5, 3))).vjp(np.ones((5, 1)))


def test_an_array_without_a_gradient():
    with pytest.raises(ArrayTypeError, match=r"^x: expected an array of a real floating type"):
        functional.batch_norm(np.ones((5, 3), dtype=int))
