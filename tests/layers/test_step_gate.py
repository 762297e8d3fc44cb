"""Gates and JumpReLU: values by hand, and pseudo-gradients by the formula and by smoothing."""

import copy

import pytest
import torch
from torch.utils.checkpoint import checkpoint

import regularizers as rz
from layers.gates import STEP, THRESHOLDS, WIDTH, density, smoothed, weights
from regularizers.errors import ArrayTypeError, ConfigurationError, ShapeError
from regularizers.layers import JumpReLU, StepGate

SHAPES = [(40, 3), (7, 5, 3), (400, 300)]
layers = pytest.mark.parametrize("layer", [StepGate, JumpReLU])


def draw(shape, dtype=torch.float64, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)).to(dtype)


def made(layer, units=3, dtype=torch.float64, **options):
    made = layer(units, 0.3, WIDTH, **options).to(dtype)
    gate = made if layer is StepGate else made.gate
    with torch.no_grad():
        gate.threshold += 0.1 * torch.arange(units).to(dtype) / units
    return made


def gradients(layer, z, cotangent):
    z = z.clone().requires_grad_()
    y = layer(z)
    threshold = layer.threshold
    found = torch.autograd.grad(y, [z, threshold], cotangent, allow_unused=True)
    return y.detach(), *[torch.zeros_like(z) if g is None else g for g in found]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("input_gradient", [False, True])
def test_the_gradients_are_those_on_paper(shape, input_gradient):
    z, g = draw(shape), draw(shape, seed=1)
    gate = made(StepGate, shape[-1], input_gradient=input_gradient)
    theta = gate.threshold.detach()
    near, samples = (z - theta).abs() < WIDTH / 2, tuple(range(z.ndim - 1))
    y, of_z, of_theta = gradients(gate, z, g)
    assert torch.equal(y, (z > theta).double())
    torch.testing.assert_close(of_theta, -(g * near).sum(samples) / WIDTH)
    torch.testing.assert_close(of_z, input_gradient * g * near / WIDTH)
    assert torch.equal(gate.pseudo_gradient_window(z), near)
    jump = made(JumpReLU, shape[-1], input_gradient=input_gradient)
    y, of_z, of_theta = gradients(jump, z, g)
    assert torch.equal(y, z * (z > theta))
    torch.testing.assert_close(of_theta, -(g * theta * near).sum(samples) / WIDTH)
    expected = g * (z > theta) + input_gradient * g * theta * near / WIDTH
    torch.testing.assert_close(of_z, expected)


def over_a_density(layer):
    """Return a layer with the thresholds of the density, and the density."""
    module = made(layer)
    with torch.no_grad():
        module.threshold.copy_(torch.tensor(THRESHOLDS))
    return module, density(), torch.tensor(THRESHOLDS, dtype=torch.float64)


def differences(function, theta, h):
    """Return the central difference of a function of the threshold of each unit."""
    return (function(theta + h) - function(theta - h)) / (2 * h)


def test_the_gate_has_the_gradient_of_the_smoothed_expectation():
    """Over uniform shifts of the threshold, by autograd and by differences."""
    gate, z, theta = over_a_density(StepGate)

    def value(z, on):
        return (weights(z) * on).sum(0)

    _, _, of_theta = gradients(gate, z, weights(z))
    torch.testing.assert_close(of_theta, smoothed(value, z, theta)[1], rtol=1e-12, atol=0)
    by_differences = differences(lambda theta: smoothed(value, z, theta)[0], theta, 1e-5)
    torch.testing.assert_close(of_theta, by_differences, rtol=1e-6, atol=0)


def test_the_gradient_of_a_jump_is_that_of_its_smoothed_height():
    """Of θ·1[z > θ + u] in the mean over u, the height θ held: the formula of the authors."""
    jump, z, theta = over_a_density(JumpReLU)

    def value(z, on):
        return (weights(z) * theta * on).sum(0)

    _, _, of_theta = gradients(jump, z, weights(z))
    torch.testing.assert_close(of_theta, smoothed(value, z, theta)[1], rtol=1e-12, atol=0)
    by_differences = differences(lambda theta: smoothed(value, z, theta)[0], theta, 1e-5)
    torch.testing.assert_close(of_theta, by_differences, rtol=1e-6, atol=0)


@layers
def test_over_a_density_the_gradient_is_that_of_the_step_itself(layer):
    """∫ 2 g(z) dz has the derivative −2 in θ, and ∫ 2 f(z) dz the derivative −2θ."""
    module, z, theta = over_a_density(layer)

    def integral(theta):
        height = z if layer is JumpReLU else torch.ones_like(z)
        return (2 * height * (z > theta)).sum(0) * STEP

    _, _, of_theta = gradients(module, z, torch.full_like(z, 2.0))
    expected = -2 * (theta if layer is JumpReLU else torch.ones(3).double())
    torch.testing.assert_close(of_theta * STEP, expected, rtol=1e-12, atol=0)
    by_differences = differences(integral, theta, 64 * STEP)
    torch.testing.assert_close(by_differences, expected, rtol=1e-12, atol=0)


def test_the_window_is_open_on_both_sides_and_even():
    gate = StepGate(1, 0.5, 0.25)
    z = torch.tensor([[0.375], [0.376], [0.5], [0.624], [0.625]])
    assert gate.pseudo_gradient_window(z).tolist() == [[False], [True], [True], [True], [False]]
    for row, inside in zip(z, [0, 1, 1, 1, 0], strict=True):
        (slope,) = torch.autograd.grad(gate(row[None]).sum(), gate.threshold)
        assert slope.item() == -4 * inside


def test_the_gate_in_a_jump_hands_on_what_is_added_to_it():
    jump, z, g = made(JumpReLU), draw((40, 3)), draw((40, 3), seed=1)
    theta, seen = jump.threshold.detach(), []
    jump.gate.register_forward_hook(lambda module, inputs, y: seen.append(y))
    f = jump(z)
    (of_gate,) = torch.autograd.grad(f, seen[0], g, retain_graph=True)
    assert torch.equal(of_gate, g * theta)
    loss = (f * g).sum() + 0.7 * seen[0].sum()
    (found,) = torch.autograd.grad(loss, jump.threshold)
    near = (z - theta).abs() < WIDTH / 2
    torch.testing.assert_close(found, -((g * theta + 0.7) * near).sum(0) / WIDTH)


@layers
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_compared_with_thresholds_in_float32(layer, dtype):
    made = layer(1, 0.3)
    near = torch.tensor(0.3).to(dtype)  # rounded, it is above or below
    z = torch.stack([near, near * 1.01, near * 0.99])[:, None]
    y, of_z, of_theta = gradients(made, z, torch.ones_like(z))
    assert y.dtype == of_z.dtype == dtype
    assert of_theta.dtype == torch.float32
    assert torch.equal(y != 0, z.float() > made.threshold)


@layers
@pytest.mark.parametrize("kind", ["strided", "float32", "large"])
def test_any_layout_and_size_gives_the_same(layer, kind):
    z, g = draw((300, 400)), draw((300, 400), seed=1)
    expected = gradients(made(layer, 400), z, g)
    dtype = torch.float32 if kind == "float32" else torch.float64
    if kind == "strided":
        z, g = z.T.contiguous().T, g.T.contiguous().T
    elif kind == "large":
        z, g = z.reshape(3, 100, 400), g.reshape(3, 100, 400)
    found = gradients(made(layer, 400, dtype), z.to(dtype), g.to(dtype))
    tolerance = {"rtol": 1e-3, "atol": 2e-3} if kind == "float32" else {"rtol": 1e-10, "atol": 1e-9}
    for one, other in zip(found, expected, strict=True):
        near = one.double().reshape(other.shape)
        assert ((near - other).abs() > tolerance["atol"]).double().mean() < 1e-4


@layers
@pytest.mark.filterwarnings("ignore:.*should not be instantiated:DeprecationWarning")
def test_it_compiles_whole_and_goes_through_transforms_and_checkpoints(layer):
    torch.compiler.reset()
    module, z, g = made(layer), draw((40, 3)), draw((40, 3), seed=1)
    expected = gradients(module, z, g)
    compiled = torch.compile(module, backend="aot_eager", fullgraph=True)
    x = z.clone().requires_grad_()
    y = compiled(x)
    assert torch.equal(y, expected[0])
    (found,) = torch.autograd.grad(y, module.threshold, g)
    torch.testing.assert_close(found, expected[2])
    parameters = dict(module.named_parameters())

    def loss(parameters, z, g):
        return (torch.func.functional_call(module, parameters, (z,)) * g).sum()

    each = torch.func.vmap(torch.func.grad(loss), (None, 0, 0))(parameters, z, g)
    (of_samples,) = each.values()
    torch.testing.assert_close(of_samples.sum(0), expected[2])
    x = z.clone().requires_grad_()
    y = checkpoint(module, x, use_reentrant=False)
    (found,) = torch.autograd.grad(y, module.threshold, g)
    torch.testing.assert_close(found, expected[2])


def test_the_gradient_for_z_is_differentiated_again():
    jump, z = made(JumpReLU), draw((40, 3)).requires_grad_()
    (first,) = torch.autograd.grad((jump(z) ** 3).sum(), z, create_graph=True)
    (second,) = torch.autograd.grad(first.sum(), z)
    torch.testing.assert_close(second, 6 * z.detach() * (z > jump.threshold).detach())


def test_thresholds_are_saved_by_name():
    jump = JumpReLU(3, 0.0)
    assert list(jump.state_dict()) == ["gate.threshold"]
    assert jump.threshold is jump.gate.threshold
    assert (jump.units, copy.deepcopy(jump).units) == (3, 3)


@layers
def test_empty_batches_and_what_is_no_number(layer):
    module = layer(3)
    z = torch.zeros(0, 3, requires_grad=True)
    module(z).sum().backward()
    assert module.threshold.grad.tolist() == [0.0] * 3
    y = module(torch.tensor([[float("nan"), float("inf"), 1.0]]))
    assert y[0, 1] == (1 if layer is StepGate else float("inf"))
    assert y[0, 0].isnan() == (layer is JumpReLU)


@layers
def test_bad_input(layer):
    with pytest.raises(ConfigurationError, match=r"^units: expected an integer of 1 or more, .* 0"):
        layer(0)
    with pytest.raises(ConfigurationError, match=r"^threshold: expected a finite number, zero or"):
        layer(3, -0.1)
    with pytest.raises(ConfigurationError, match=r"^bandwidth: expected a finite number above 0"):
        layer(3, 0.1, 0)
    with pytest.raises(ArrayTypeError, match=r"^StepGate: expected a tensor of a real floating"):
        layer(3)(torch.ones(2, 3, dtype=torch.int64))
    with pytest.raises(ShapeError, match=r"^StepGate: expected pre-activations \(\.\.\., 3 units"):
        layer(3)(torch.ones(3, 2))


def test_the_function_is_the_layer():
    z, g = draw((40, 3)), draw((40, 3), seed=1)
    for layer, function in (
        (StepGate, rz.functional.step_gate),
        (JumpReLU, rz.functional.jump_relu),
    ):
        module = made(layer, input_gradient=True)
        theta = module.threshold.detach()
        result = function(z.numpy(), theta.numpy(), WIDTH, input_gradient=True)
        expected = gradients(module, z, g)
        for one, other in zip((result.y, *result.vjp(g.numpy())), expected, strict=True):
            torch.testing.assert_close(torch.as_tensor(one), other)
