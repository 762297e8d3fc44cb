"""Sparse codes on arrays of every library: values by hand, and that autograd gives the vjp."""

import jax
import numpy as np
import pytest
import torch

from penalties.arrays import make, numbers
from regularizers import functional
from regularizers.errors import ArrayTypeError, ConfigurationError, ShapeError

RNG = np.random.default_rng(0)
Z, G = RNG.normal(size=(2, 50, 4)), RNG.normal(size=(2, 50, 4))
THETA = np.array([0.0, 0.3, 0.5, 1.0])
UNITS = [RNG.normal(size=4) for _ in range(3)]

FUNCTIONS = {
    "step_gate": lambda z, *theta: functional.step_gate(z, *theta, 0.5),
    "step_gate to z": lambda z, *theta: functional.step_gate(z, *theta, 0.5, input_gradient=True),
    "jump_relu": lambda z, *theta: functional.jump_relu(z, *theta, 0.5),
    "jump_relu to z": lambda z, *theta: functional.jump_relu(z, *theta, 0.5, input_gradient=True),
    "top_k": lambda z: functional.top_k(z, 2),
    "batch_top_k": lambda z: functional.batch_top_k(z, 1.5),
    "gated": functional.gated,
}
PARAMETERS = {"top_k": [], "batch_top_k": [], "gated": UNITS}
each = pytest.mark.parametrize("name", FUNCTIONS)


def applied(name, xp):
    arguments = [make(xp, a) for a in (Z, *PARAMETERS.get(name, [THETA]))]
    return FUNCTIONS[name], arguments


def as_tuple(gradients):
    return gradients if isinstance(gradients, tuple) else (gradients,)


@each
def test_every_library_gives_the_same(xp, name):
    function, arguments = applied(name, xp)
    result = function(*arguments)
    by_numpy, as_numpy = applied(name, np)
    expected = by_numpy(*as_numpy)
    np.testing.assert_allclose(numbers(result.y), expected.y, rtol=1e-12)
    found = as_tuple(result.vjp(make(xp, G)))
    for one, other in zip(found, as_tuple(expected.vjp(G)), strict=True):
        np.testing.assert_allclose(numbers(one), other, rtol=1e-12, atol=1e-14)


@each
def test_autograd_gives_the_vjp(name):
    function, arguments = applied(name, torch)
    leaves = [a.requires_grad_() for a in arguments]
    result, g = function(*leaves), torch.tensor(G)
    found = torch.autograd.grad(result.y, leaves, g, allow_unused=True)
    expected = as_tuple(result.vjp(g))
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(torch.zeros_like(other) if one is None else one, other)
    with jax.enable_x64(True):
        function, arguments = applied(name, jax.numpy)
        _, pull = jax.vjp(lambda *a: function(*a).y, *arguments)
        for one, other in zip(pull(jax.numpy.asarray(G)), expected, strict=True):
            np.testing.assert_allclose(one, other.detach(), rtol=1e-9, atol=1e-12)


def test_values_by_hand(xp):
    z, theta = make(xp, [[0.5, 0.4, -1.0], [0.7, 0.2, 2.0]]), make(xp, [0.5, 0.3, 0.1])
    jumped = functional.jump_relu(z, theta, 0.5)
    np.testing.assert_array_equal(numbers(jumped.gate.y), [[0, 1, 0], [1, 0, 1]])
    np.testing.assert_array_equal(numbers(jumped.y), [[0, 0.4, 0], [0.7, 0, 2]])
    window = [[True, True, False], [True, True, False]]
    np.testing.assert_array_equal(np.asarray(jumped.gate.window), window)
    ones = make(xp, np.ones((2, 3)))
    np.testing.assert_allclose(numbers(jumped.gate.vjp(ones).threshold), [-4, -4, 0])
    np.testing.assert_allclose(numbers(jumped.vjp(ones).threshold), [-2, -1.2, 0])
    np.testing.assert_array_equal(numbers(functional.top_k(z, 2).y), [[0.5, 0.4, 0], [0.7, 0, 2.0]])
    np.testing.assert_array_equal(
        numbers(functional.batch_top_k(z, 1.5).y), [[0.5, 0, 0], [0.7, 0, 2.0]]
    )
    equal = functional.batch_top_k(make(xp, np.ones((3, 4))), 1.5)
    np.testing.assert_array_equal(np.asarray(equal.kept).sum(), 4)


def test_half_precision_keeps_its_type_and_compares_in_the_wider():
    z = torch.tensor([[0.3]]).bfloat16()
    jumped = functional.jump_relu(z, torch.tensor([0.3]), 0.5)
    gradients = jumped.vjp(z)
    assert jumped.y.dtype == gradients.z.dtype == torch.bfloat16
    assert gradients.threshold.dtype == torch.float32
    assert jumped.gate.y.item() == (z.float() > 0.3).item()


def test_bad_input():
    with pytest.raises(ShapeError, match=r"^threshold: expected one number for each unit, .* \(3,"):
        functional.jump_relu(Z, np.ones(3))
    with pytest.raises(ConfigurationError, match=r"^bandwidth: expected a finite number above 0"):
        functional.step_gate(Z, THETA, 0.0)
    with pytest.raises(ArrayTypeError, match=r"^threshold: expected an array of a real floating"):
        functional.step_gate(Z, np.ones(4, dtype=np.int64))
    with pytest.raises(ConfigurationError, match=r"^k: expected at most the number of units, 4"):
        functional.top_k(Z, 5)
    with pytest.raises(ConfigurationError, match=r"^k: expected at most the number of units, 4"):
        functional.batch_top_k(Z, 4.5)
    with pytest.raises(ShapeError, match=r"^z: expected an array whose last axis numbers"):
        functional.top_k(np.array(1.0), 1)
    with pytest.raises(ShapeError, match=r"^bias: expected one number for each unit"):
        functional.gated(Z, THETA, THETA, np.ones(3))
    with pytest.raises(ShapeError, match=r"^cotangent: expected the shape of y"):
        functional.top_k(Z, 1).vjp(np.ones(4))
