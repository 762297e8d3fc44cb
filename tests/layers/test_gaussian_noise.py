"""Gaussian noise as a layer: added in training, the very same tensor in evaluation."""

import copy
import io

import pytest
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

import regularizers as rz
from regularizers.errors import ArrayTypeError, ConfigurationError
from regularizers.layers import GaussianNoise

SHAPE = (16, 2, 5)


def draw(dtype=torch.float32):
    return torch.randn(SHAPE, generator=torch.Generator().manual_seed(0), dtype=dtype)


def seeded(layer, x, seed=0):
    torch.manual_seed(seed)
    return layer(x)


def test_evaluation_gives_the_very_same_tensor():
    x = draw()
    state = torch.get_rng_state()
    assert GaussianNoise(0.5).eval()(x) is x
    assert GaussianNoise(0).train()(x) is x
    assert torch.equal(torch.get_rng_state(), state)
    assert list(GaussianNoise(0.5).state_dict()) == []


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_the_layer_is_the_function(dtype):
    x = draw(dtype)
    noised = rz.functional.gaussian_noise(x, 0.4, torch.Generator().manual_seed(3))
    y = seeded(GaussianNoise(0.4), x, 3)
    assert torch.equal(y, noised.y)
    assert y.dtype == dtype


def test_the_gradient_passes():
    x = draw(torch.float64).requires_grad_()
    layer, cotangent = GaussianNoise(0.4), draw(torch.float64) + 1
    assert torch.equal(torch.autograd.grad(layer(x), x, cotangent)[0], cotangent)
    small = x[:2].detach().requires_grad_()
    assert torch.autograd.gradcheck(lambda x: seeded(layer, x) ** 2, small)
    assert torch.autograd.gradgradcheck(lambda x: seeded(layer, x) ** 3, small)


@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
def test_it_compiles_whole(backend):
    torch.compiler.reset()
    layer = GaussianNoise(0.4)
    compiled = torch.compile(layer, backend=backend, fullgraph=True)
    x = draw()
    torch.testing.assert_close(seeded(compiled, x), seeded(layer, x))
    assert torch.equal(compiled.eval()(x), x)


@pytest.mark.parametrize("use_reentrant", [False, True])
def test_a_checkpoint_draws_the_same_noise_again(use_reentrant):
    block, x = nn.Sequential(GaussianNoise(0.4), nn.Sigmoid()), draw().requires_grad_()
    (expected,) = torch.autograd.grad(seeded(block, x).square().sum(), x)
    torch.manual_seed(0)
    y = checkpoint(block, x, use_reentrant=use_reentrant)
    torch.randn(3)
    y.square().sum().backward()
    torch.testing.assert_close(x.grad, expected)


def test_each_sample_of_a_vmap_has_its_own_noise():
    x = torch.ones(SHAPE)
    y = torch.vmap(GaussianNoise(0.4), randomness="different")(torch.stack([x, x]))
    assert not torch.equal(y[0], y[1])


def test_copies_and_pickles():
    layer = GaussianNoise(0.4)
    file = io.BytesIO()
    torch.save(layer, file)
    file.seek(0)
    for twin in (copy.deepcopy(layer), torch.load(file, weights_only=False)):
        assert repr(twin) == repr(layer) == "GaussianNoise(std=0.4)"
        assert torch.equal(seeded(twin, draw()), seeded(layer, draw()))


def test_an_empty_batch():
    assert GaussianNoise(0.5)(torch.ones(0, 2, 5)).shape == (0, 2, 5)


@pytest.mark.parametrize("std", [-0.1, float("inf"), float("nan"), True, None, "0.5"], ids=repr)
def test_a_standard_deviation_that_cannot_be(std):
    match = rf"^std: expected a finite number, zero or more, .* got {std!r} of type "
    with pytest.raises(ConfigurationError, match=match):
        GaussianNoise(std)
    layer = GaussianNoise(0.5)
    layer.std = std
    with pytest.raises(ConfigurationError, match=match):
        layer(draw())


@pytest.mark.parametrize("dtype", [torch.int64, torch.complex64])
def test_what_has_no_real_gradient(dtype):
    with pytest.raises(ArrayTypeError, match=rf"^GaussianNoise: expected a .* type, got {dtype}; "):
        GaussianNoise(0.5)(torch.ones(SHAPE, dtype=dtype))
