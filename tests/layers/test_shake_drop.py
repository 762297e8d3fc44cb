"""ShakeDrop as a layer: other factors in backward than in forward, and p in evaluation."""

import copy
import io

import pytest
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

import regularizers as rz
from regularizers.errors import ArrayTypeError, ConfigurationError, ShapeError
from regularizers.layers import ShakeDrop

SHAPE = (32, 2, 3)


def draw(dtype=torch.float32):
    return torch.randn(SHAPE, generator=torch.Generator().manual_seed(0), dtype=dtype)


def seeded(layer, x, seed=0):
    torch.manual_seed(seed)
    return layer(x)


def factors(layer, dtype=torch.float32, seed=0):
    """Return the factors of forward and backward, by a forward and a backward of ones."""
    x = torch.ones(SHAPE, dtype=dtype, requires_grad=True)
    y = seeded(layer, x, seed)
    y.backward(torch.ones_like(y))
    return y.detach(), x.grad


def test_evaluation_multiplies_by_the_expectation():
    x, layer = draw(torch.float64).requires_grad_(), ShakeDrop(0.7).eval()
    state = torch.get_rng_state()
    y = layer(x)
    torch.testing.assert_close(y, 0.7 * x)
    torch.testing.assert_close(torch.autograd.grad(y.sum(), x)[0], torch.full_like(x, 0.7))
    assert torch.equal(torch.get_rng_state(), state)
    many = ShakeDrop(0.7)(torch.ones(100_000, 1))
    assert abs(many.mean() - layer(torch.ones(1))) < 5 * many.std() / 100_000**0.5


def test_a_p_of_one_gives_the_very_same_tensor():
    x = draw()
    assert ShakeDrop(1)(x) is x
    assert ShakeDrop(1).eval()(x) is x


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_the_layer_is_the_function_in_forward_and_backward(dtype):
    x, cotangent = draw(dtype).requires_grad_(), draw(dtype) + 1
    shaken = rz.functional.shake_drop(x.detach(), 0.4, torch.Generator().manual_seed(3))
    y = seeded(ShakeDrop(0.4), x, 3)
    assert torch.equal(y, shaken.y)
    (gradient,) = torch.autograd.grad(y, x, cotangent)
    assert torch.equal(gradient, shaken.vjp(cotangent))
    assert y.dtype == gradient.dtype == dtype


def test_a_sample_is_shaken_in_both_directions_or_in_none():
    forward, backward = factors(ShakeDrop(0.5))
    kept = forward == 1
    assert torch.equal(kept, backward == 1)
    assert 0 < kept[:, 0, 0].sum() < 32
    assert (forward[~kept] < 0).any()
    assert ((backward[~kept] >= 0) & (backward[~kept] < 1)).all()
    assert not torch.equal(forward[~kept], backward[~kept])
    assert torch.equal(forward, forward[:, :1, :1].expand(SHAPE))
    assert torch.equal(backward, backward[:, :1, :1].expand(SHAPE))


@pytest.mark.parametrize("batch_axis", [1, (0, 1), ()], ids=repr)
def test_other_axes_of_samples(batch_axis):
    forward, backward = factors(ShakeDrop(0.1, batch_axis))
    for axis in range(3):
        drawn_once = axis not in (batch_axis if isinstance(batch_axis, tuple) else (batch_axis,))
        for factor in (forward, backward):
            assert (factor.std(dim=axis) < 1e-6).all() == drawn_once


def test_what_comes_before_it_gets_the_factor_of_backward():
    branch, x = nn.Linear(3, 3).double(), draw(torch.float64)
    torch.manual_seed(0)
    (x + ShakeDrop(0.4)(branch(x))).sum().backward()
    backward = factors(ShakeDrop(0.4), torch.float64)[1]
    torch.testing.assert_close(branch.bias.grad, backward.sum(dim=(0, 1)))


def test_the_gradient_is_differentiated_again():
    x = draw(torch.float64).requires_grad_()
    y = seeded(ShakeDrop(0.4), x)
    (gradient,) = torch.autograd.grad((y**3).sum(), x, create_graph=True)
    (second,) = torch.autograd.grad(gradient.sum(), x)
    f, g = factors(ShakeDrop(0.4), torch.float64)
    torch.testing.assert_close(gradient, 3 * (f * x) ** 2 * g)
    torch.testing.assert_close(second, 6 * (f * x) * g * g)


@pytest.mark.filterwarnings("ignore:.*should not be instantiated:DeprecationWarning")
@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
def test_it_compiles_whole(backend):
    torch.compiler.reset()
    layer = ShakeDrop(0.4)
    compiled = torch.compile(layer, backend=backend, fullgraph=True)
    x, y = draw().requires_grad_(), draw().requires_grad_()
    ours, theirs = seeded(layer, x), seeded(compiled, y)
    torch.testing.assert_close(theirs, ours)
    (ours**2).sum().backward()
    (theirs**2).sum().backward()
    torch.testing.assert_close(y.grad, x.grad)
    torch.testing.assert_close(compiled.eval()(y), 0.4 * y)


@pytest.mark.parametrize("use_reentrant", [False, True])
def test_a_checkpoint_draws_the_same_factors_again(use_reentrant):
    block, x = nn.Sequential(nn.Linear(3, 3), ShakeDrop(0.4), nn.Sigmoid()), draw()
    x.requires_grad_()
    expected = torch.autograd.grad(seeded(block, x).square().sum(), [x, *block.parameters()])
    torch.manual_seed(0)
    y = checkpoint(block, x, use_reentrant=use_reentrant)
    torch.randn(3)
    y.square().sum().backward()
    torch.testing.assert_close((x.grad, *(p.grad for p in block.parameters())), expected)


def test_under_transforms_each_sample_has_factors_of_its_own():
    layer, x = ShakeDrop(0.4), torch.ones(2, 32, 1)
    y = torch.vmap(layer, randomness="different")(x)
    assert not torch.equal(y[0], y[1])
    gradient = torch.func.grad(lambda x: seeded(layer, x).sum())(torch.ones(SHAPE))
    torch.testing.assert_close(gradient, factors(layer)[1])
    each = torch.vmap(torch.func.grad(lambda x: layer(x).sum()), randomness="different")(x)
    assert ((each >= 0) & (each <= 1)).all()
    assert not torch.equal(each[0], each[1])


def test_copies_and_pickles():
    layer = ShakeDrop(0.4, batch_axis=1)
    file = io.BytesIO()
    torch.save(layer, file)
    file.seek(0)
    for twin in (copy.deepcopy(layer), torch.load(file, weights_only=False)):
        assert repr(twin) == repr(layer) == "ShakeDrop(p=0.4, batch_axis=1)"
        assert torch.equal(seeded(twin, draw()), seeded(layer, draw()))
    assert repr(ShakeDrop(0.5)) == "ShakeDrop(p=0.5)"
    assert list(layer.state_dict()) == []


def test_empty_batches_and_what_is_not_finite():
    assert ShakeDrop(0.5)(torch.ones(0, 2, 3)).shape == (0, 2, 3)
    x = torch.tensor([[float("inf"), float("nan"), 1.0]])
    y = seeded(ShakeDrop(0.1), x)
    assert y.isinf().tolist() == [[True, False, False]]
    assert y.isnan().tolist() == [[False, True, False]]


@pytest.mark.parametrize("p", [0, -0.1, 1.1, float("nan"), None, "0.5"], ids=repr)
def test_a_p_that_cannot_be(p):
    match = rf"^p: expected a number in \(0, 1\], the probability that .* got {p!r} of type"
    with pytest.raises(ConfigurationError, match=match):
        ShakeDrop(p)
    layer = ShakeDrop(0.5)
    layer.p = p
    for mode in (True, False):
        with pytest.raises(ConfigurationError, match=match):
            layer.train(mode)(draw())


def test_other_input_that_cannot_be():
    with pytest.raises(ConfigurationError, match=r"^batch_axis: expected an integer, a tuple of"):
        ShakeDrop(0.5, 1.5)
    with pytest.raises(
        ShapeError, match=r"^batch_axis: expected axes of an array of 2 dim.* got 2"
    ):
        ShakeDrop(0.5, 2)(torch.ones(3, 3))
    for dtype in (torch.int64, torch.complex64):
        with pytest.raises(ArrayTypeError, match=rf"^ShakeDrop: expected a .* type, got {dtype}; "):
            ShakeDrop(0.5)(torch.ones(SHAPE, dtype=dtype))
