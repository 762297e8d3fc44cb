"""`rate` and PyTorch's `p` are one setting, in every function and layer that drops."""

import numpy as np
import pytest
import torch
from torch import nn

from regularizers import functional, layers
from regularizers.errors import ConfigurationError

X = torch.ones(8, 2, 4, 4)
FUNCTIONS = {
    "dropout": functional.dropout,
    "drop_path": functional.drop_path,
    "gaussian_dropout": functional.gaussian_dropout,
    "drop_block": functional.drop_block,
    "locked_dropout": lambda *args, **kwargs: functional.locked_dropout(
        *args, time_axis=1, **kwargs
    ),
    "shared_dropout": lambda *args, **kwargs: functional.shared_dropout(*args, axes=1, **kwargs),
}
LAYERS = {
    "DropPath": layers.DropPath,
    "GaussianDropout": layers.GaussianDropout,
    "DropBlock2d": layers.DropBlock2d,
    "LockedDropout": layers.LockedDropout,
    "SharedDropout": lambda *args, **kwargs: layers.SharedDropout(*args, axes=1, **kwargs),
    "EmbeddingDropout": lambda *args, **kwargs: layers.EmbeddingDropout(
        nn.Embedding(3, 2), *args, **kwargs
    ),
    "WeightDrop": lambda *args, **kwargs: layers.WeightDrop(
        nn.Linear(3, 2), ["weight"], *args, **kwargs
    ),
}
every_function = pytest.mark.parametrize("function", FUNCTIONS.values(), ids=FUNCTIONS)
every_layer = pytest.mark.parametrize("layer", LAYERS.values(), ids=LAYERS)
BOTH = (
    r"^rate, p: expected one of the two names of the fraction dropped, got rate=0\.5 and p=0\.5; "
    r"leave one out$"
)
NEITHER = r"^rate: expected a number in \[0, 1\), the fraction dropped, got None of type NoneType"


def generator():
    return torch.Generator().manual_seed(0)


@every_function
def test_a_function_takes_either(function):
    by_rate = function(X, 0.4, rng=generator())
    assert torch.equal(function(X, p=0.4, rng=generator()).y, by_rate.y)
    assert torch.equal(function(X, rate=0.4, rng=generator()).y, by_rate.y)
    torch.manual_seed(0)
    assert torch.equal(function(X, p=0.4).y, by_rate.y)
    assert not torch.equal(by_rate.y, X)


@every_function
@pytest.mark.parametrize("p", [1, -0.1, float("nan"), True, "0.5"], ids=repr)
def test_a_function_refuses_both_and_none_and_a_p_that_cannot_be(function, p):
    with pytest.raises(ConfigurationError, match=BOTH):
        function(X, 0.5, p=0.5)
    with pytest.raises(ConfigurationError, match=NEITHER):
        function(X)
    with pytest.raises(ConfigurationError, match=rf"^p: expected a number in .* got {p!r} of type"):
        function(X, p=p)


@every_function
def test_an_array_without_a_generator_of_its_own_needs_one(function):
    with pytest.raises(ConfigurationError, match=r"^rng: expected a numpy\.random\.Generator, got"):
        function(np.ones((8, 2, 4, 4)), p=0.5)


@every_layer
def test_a_layer_takes_either_and_keeps_one(layer):
    one = layer(p=0.4)
    assert one.rate == one.p == 0.4
    assert repr(one) == repr(layer(0.4)) == repr(layer(rate=0.4))
    assert "rate=0.4" in repr(one)
    one.p = 0.25
    assert one.rate == 0.25
    one.rate = 0.75
    assert one.p == 0.75
    assert "p" not in vars(one)


@every_layer
def test_a_layer_refuses_both_and_none_and_a_p_that_cannot_be(layer):
    with pytest.raises(ConfigurationError, match=BOTH):
        layer(0.5, p=0.5)
    with pytest.raises(ConfigurationError, match=NEITHER):
        layer()
    with pytest.raises(
        ConfigurationError, match=r"^p: expected a number in \[0, 1\).* got 1\.5 of"
    ):
        layer(p=1.5)


def test_a_p_that_is_set_is_used():
    torch.manual_seed(0)
    layer = layers.DropPath(p=0.0)
    layer.p = 0.5
    assert set(layer(torch.ones(64, 1)).flatten().tolist()) == {0, 2}
