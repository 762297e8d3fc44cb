"""The noise layers: noise in training, the very same tensor in evaluation."""

import copy
import io

import pytest
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

import regularizers as rz
from regularizers.errors import ArrayTypeError, ConfigurationError, ShapeError

LAYERS = {
    "DropPath": lambda rate: rz.layers.DropPath(rate),
    "GaussianDropout": lambda rate: rz.layers.GaussianDropout(rate),
    "DropBlock2d": lambda rate: rz.layers.DropBlock2d(rate, block_size=2),
    "SharedDropout": lambda rate: rz.layers.SharedDropout(rate, axes=(-2, 1)),
}
every_layer = pytest.mark.parametrize("make", LAYERS.values(), ids=LAYERS.keys())
SHAPE = (16, 2, 5, 6)


def draw(dtype=torch.float32):
    return torch.randn(SHAPE, generator=torch.Generator().manual_seed(0), dtype=dtype)


def seeded(layer, x, seed=0):
    torch.manual_seed(seed)
    return layer(x)


@every_layer
def test_evaluation_gives_the_very_same_tensor(make):
    x = draw()
    state = torch.get_rng_state()
    assert make(0.5).eval()(x) is x
    assert make(0).train()(x) is x
    assert torch.equal(torch.get_rng_state(), state)
    assert list(make(0.5).state_dict()) == []


@every_layer
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32, torch.float64])
def test_the_layer_is_the_function(make, dtype):
    x, layer = draw(dtype), make(0.4)
    functions = {
        "DropPath": rz.functional.drop_path,
        "GaussianDropout": rz.functional.gaussian_dropout,
        "DropBlock2d": lambda x, rate, rng: rz.functional.drop_block(x, rate, 2, rng),
        "SharedDropout": lambda x, rate, rng: rz.functional.shared_dropout(
            x, rate, rng, axes=(-2, 1)
        ),
    }
    noised = functions[type(layer).__name__](x, 0.4, torch.Generator().manual_seed(3))
    assert torch.equal(seeded(layer, x, 3), noised.y)
    assert not torch.equal(layer(x), noised.y)


@every_layer
def test_the_gradient_is_the_noise_of_the_forward(make):
    layer = make(0.4)
    noise = seeded(layer, torch.ones(SHAPE))
    x = draw().requires_grad_()
    y = seeded(layer, x)
    torch.testing.assert_close(y, x * noise)
    cotangent = draw() + 1
    torch.testing.assert_close(torch.autograd.grad(y, x, cotangent)[0], cotangent * noise)


@every_layer
def test_gradcheck_to_the_second_order(make):
    layer, x = make(0.4), draw(torch.float64)[:2, :1, :3, :3].requires_grad_()
    assert torch.autograd.gradcheck(lambda x: seeded(layer, x), x)
    assert torch.autograd.gradgradcheck(lambda x: seeded(layer, x) ** 2, x)


@every_layer
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_the_type_is_kept(make, dtype):
    x = draw(dtype).requires_grad_()
    y = make(0.4)(x)
    assert y.dtype == dtype
    y.sum().backward()
    assert x.grad.dtype == dtype


@every_layer
@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
def test_it_compiles_whole(make, backend):
    torch.compiler.reset()
    layer = make(0.4)
    compiled = torch.compile(layer, backend=backend, fullgraph=True)
    x, y = draw().requires_grad_(), draw().requires_grad_()
    ours, theirs = seeded(layer, x), seeded(compiled, y)
    torch.testing.assert_close(theirs, ours)
    (ours**2).sum().backward()
    (theirs**2).sum().backward()
    torch.testing.assert_close(y.grad, x.grad)
    compiled.eval()
    assert torch.equal(compiled(y), y)


@every_layer
@pytest.mark.parametrize("use_reentrant", [False, True])
def test_a_checkpoint_draws_the_same_noise_again(make, use_reentrant):
    block = nn.Sequential(nn.Conv2d(2, 2, 1), make(0.4), nn.Sigmoid()).double()
    x = draw(torch.float64).requires_grad_()
    seeded(block, x).square().sum().backward()
    expected = [x.grad.clone(), *(p.grad.clone() for p in block.parameters())]
    x.grad = None
    block.zero_grad()
    torch.manual_seed(0)
    y = checkpoint(block, x, use_reentrant=use_reentrant)
    torch.randn(3)
    y.square().sum().backward()
    torch.testing.assert_close([x.grad, *(p.grad for p in block.parameters())], expected)


@every_layer
def test_each_sample_of_a_vmap_has_its_own_noise(make):
    layer, x = make(0.4), torch.ones(SHAPE)
    y = torch.vmap(layer, randomness="different")(torch.stack([x, x]))
    assert not torch.equal(y[0], y[1])


@every_layer
def test_copies_and_pickles(make):
    layer = make(0.4).eval()
    file = io.BytesIO()
    torch.save(layer, file)
    file.seek(0)
    for twin in (copy.deepcopy(layer), torch.load(file, weights_only=False)):
        assert repr(twin) == repr(layer)
        assert not twin.training
        assert torch.equal(seeded(twin.train(), draw()), seeded(copy.copy(layer).train(), draw()))


@every_layer
def test_an_empty_batch(make):
    assert make(0.5)(torch.ones(0, 2, 5, 6)).shape == (0, 2, 5, 6)


@every_layer
@pytest.mark.parametrize("rate", [1.0, -0.1, float("nan"), True, None, "0.5"], ids=repr)
def test_a_rate_that_cannot_be(make, rate):
    match = rf"^rate: expected a number in \[0, 1\), the fraction dropped, got {rate!r} of"
    with pytest.raises(ConfigurationError, match=match):
        make(rate)
    layer = make(0.5)
    layer.rate = rate
    with pytest.raises(ConfigurationError, match=match):
        layer(draw())


@every_layer
@pytest.mark.parametrize("dtype", [torch.int64, torch.complex64])
def test_what_has_no_real_gradient(make, dtype):
    name = type(make(0.5)).__name__
    match = rf"^{name}: expected a tensor of a real floating type, got {dtype}; convert it first"
    with pytest.raises(ArrayTypeError, match=match):
        make(0.5)(torch.ones(SHAPE, dtype=dtype))


def test_drop_path_drops_whole_samples_along_its_batch_axis():
    y = seeded(rz.layers.DropPath(0.5, batch_axis=1), torch.ones(5, 16, 2))
    assert torch.equal(y, y[:1, :, :1].expand(5, 16, 2))
    assert set(y.flatten().tolist()) == {0, 2}


def test_drop_path_along_an_axis_that_cannot_be():
    match = r"^batch_axis: expected an integer, a tuple of integers or None, got 1\.5$"
    with pytest.raises(ConfigurationError, match=match):
        rz.layers.DropPath(0.5, batch_axis=1.5)
    match = r"^batch_axis: expected axes of an array of 2 dimensions, from -2 to 1, got 2$"
    with pytest.raises(ShapeError, match=match):
        rz.layers.DropPath(0.5, batch_axis=2)(torch.ones(3, 3))


def test_a_residual_block_keeps_samples_whose_branch_is_dropped():
    branch, x = nn.Linear(3, 3), torch.randn(8, 3)
    y = x + seeded(rz.layers.DropPath(0.5), branch(x))
    kept = (y != x).any(dim=1)
    assert 0 < kept.sum() < 8
    torch.testing.assert_close(y[kept], (x + 2 * branch(x))[kept])


def test_drop_block_drops_squares_of_each_map():
    y = seeded(rz.layers.DropBlock2d(0.3, block_size=3), torch.ones(4, 5, 8, 9))
    zero = (y == 0).double()
    # what an opening by squares leaves alone is a union of squares
    eroded = 1 - nn.functional.max_pool2d(1 - zero, 3, stride=1)
    opened = nn.functional.max_pool2d(nn.functional.pad(eroded, (2, 2, 2, 2)), 3, stride=1)
    assert torch.equal(opened, zero)
    assert len({tuple(one.flatten().tolist()) for one in zero.flatten(0, 1)}) > 15
    torch.testing.assert_close(y.mean(), torch.tensor(1.0))


def test_drop_block_of_what_is_no_map():
    match = r"^DropBlock2d: expected an input of shape \(N, C, H, W\) or \(C, H, W\), got \(8, 8\)$"
    with pytest.raises(ShapeError, match=match):
        rz.layers.DropBlock2d(0.5)(torch.ones(8, 8))


def test_drop_block_with_a_block_that_cannot_be():
    with pytest.raises(ConfigurationError, match=r"^block_size: expected an integer of 1 or more"):
        rz.layers.DropBlock2d(0.5, block_size=0)


def test_their_text_shows_their_settings():
    assert repr(rz.layers.DropPath(0.5)) == "DropPath(rate=0.5)"
    assert repr(rz.layers.DropPath(0.5, 1)) == "DropPath(rate=0.5, batch_axis=1)"
    assert repr(rz.layers.GaussianDropout(0)) == "GaussianDropout(rate=0.0)"
    assert repr(rz.layers.DropBlock2d(0.5)) == "DropBlock2d(rate=0.5, block_size=7)"
