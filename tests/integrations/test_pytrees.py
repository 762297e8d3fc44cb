"""The examples of the page for Haiku and Equinox, where these are installed, and what they give."""

import re
from pathlib import Path

import pytest

import regularizers as rz

jax = pytest.importorskip("jax")
optax = pytest.importorskip("optax")
jnp = jax.numpy

PAGE = Path(__file__).parents[2] / "docs/integrations/optax.md"


def example(heading):
    """Return the names that an example of the page defines."""
    section = re.search(rf"\n## {heading}\n.*?```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    names = {}
    exec(section[1], names)
    return names


def slope_of_the_penalty(names, weights):
    """Return what the penalty alone adds to the updates of weights."""
    added = rz.integrations.optax.add_penalty(rz.L1(1e-3), mask=names["kernels"])
    zeros = jax.tree.map(jnp.zeros_like, weights)
    return added.update(zeros, added.init(weights), weights)[0]


def test_haiku():
    pytest.importorskip("haiku")
    names = example("Haiku")
    params = names["params"]
    slope = slope_of_the_penalty(names, params)
    for module, weights in params.items():
        assert jnp.allclose(slope[module]["w"], 1e-3 * jnp.sign(weights["w"]))
        assert not slope[module]["b"].any()
    names["optimizer"].update(params, names["state"], params)


def test_equinox():
    pytest.importorskip("equinox")
    names = example("Equinox")
    model, layers = names["model"], names["model"].layers
    assert float(names["loss"]) == pytest.approx(
        1e-3 * sum(float(jnp.abs(layer.weight).sum()) for layer in layers), rel=1e-6
    )
    slope = slope_of_the_penalty(names, names["weights"])
    for found in (names["grads"], slope):
        for layer, of_layer in zip(layers, found.layers, strict=True):
            assert jnp.allclose(of_layer.weight, 1e-3 * jnp.sign(layer.weight))
            assert not of_layer.bias.any()
    names["optimizer"].update(slope, names["state"], names["weights"])
    assert model.depth == 1
