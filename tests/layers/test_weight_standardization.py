"""Weight standardization against NumPy output by output, and against timm's batch norm."""

import copy
import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, parametrize, prune

import regularizers as rz
from regularizers.errors import ArrayTypeError, ConfigurationError
from regularizers.layers import weight_standardization

RELU = math.sqrt(2) / math.sqrt(1 - 1 / math.pi)
MODULES = {
    "Linear": lambda: nn.Linear(5, 4),
    "Conv1d": lambda: nn.Conv1d(3, 4, 2),
    "Conv2d": lambda: nn.Conv2d(3, 4, (3, 2)),
    "Conv3d": lambda: nn.Conv3d(2, 4, 2),
    "Conv2d of groups": lambda: nn.Conv2d(4, 6, 3, groups=2),
    "depthwise": lambda: nn.Conv2d(4, 4, 3, groups=4),
    "ConvTranspose1d": lambda: nn.ConvTranspose1d(3, 4, 2),
    "ConvTranspose2d": lambda: nn.ConvTranspose2d(3, 4, 3),
    "ConvTranspose2d of groups": lambda: nn.ConvTranspose2d(4, 6, 3, groups=2),
}
every_module = pytest.mark.parametrize("make", MODULES.values(), ids=MODULES)


def weights_of_outputs(module, weight):
    """Return a list of the weights of each output, found one by one."""
    if not isinstance(module, nn.modules.conv._ConvTransposeNd):
        return [(np.s_[o],) for o in range(len(weight))]
    of_group = weight.shape[0] // module.groups
    return [
        np.s_[group * of_group : (group + 1) * of_group, o]
        for group in range(module.groups)
        for o in range(weight.shape[1])
    ]


def by_hand(module, weight, gains=None, gamma=1.0, eps=1e-6):
    expected = np.empty_like(weight)
    for o, where in enumerate(weights_of_outputs(module, weight)):
        w = weight[where]
        standardized = (w - w.mean()) / np.sqrt(w.var() + eps)
        if gains is not None:
            standardized *= gamma * gains[o] / np.sqrt(w.size)
        expected[where] = standardized
    return expected


@every_module
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_each_output_has_mean_zero_and_variance_one(make, dtype):
    module = make().to(dtype)
    raw = module.weight.detach().clone()
    assert weight_standardization(module) is module
    expected = by_hand(module, raw.double().numpy())
    torch.testing.assert_close(module.weight.double(), torch.tensor(expected), rtol=1e-5, atol=1e-6)
    for where in weights_of_outputs(module, expected):
        w = module.weight.detach()[where]
        assert w.mean().abs() < 1e-6
        torch.testing.assert_close(w.var(correction=0), w.new_tensor(1.0), rtol=0, atol=1e-3)


@every_module
def test_scaled_it_is_multiplied_by_the_gain_and_divided_by_the_root_of_its_inputs(make):
    module = make().double()
    raw = module.weight.detach().numpy().copy()
    weight_standardization(module, scaled=True, gamma=RELU, eps=1e-4)
    gain = module.parametrizations.weight[0].gain
    ones = by_hand(module, raw, np.ones(len(gain)), RELU, 1e-4)
    np.testing.assert_allclose(module.weight.detach().numpy(), ones, rtol=1e-12)
    with torch.no_grad():
        gain.copy_(torch.arange(1.0, len(gain) + 1))
    expected = by_hand(module, raw, gain.detach().numpy(), RELU, 1e-4)
    np.testing.assert_allclose(module.weight.detach().numpy(), expected, rtol=1e-12)


@pytest.mark.parametrize("gamma", [None, 1.0, RELU])
def test_it_is_the_formula_of_timm(gamma):
    # timm, StdConv2d and ScaledStdConv2d: a batch normalization of the weight in training, its
    # weight the gain times γ / √N
    conv = nn.Conv2d(3, 8, 3).double()
    raw = conv.weight.detach().clone()
    if gamma is None:
        weight_standardization(conv)
        scale = None
    else:
        weight_standardization(conv, scaled=True, gamma=gamma)
        scale = torch.full((8,), gamma * raw[0].numel() ** -0.5, dtype=torch.float64)
    expected = nn.functional.batch_norm(
        raw.reshape(1, 8, -1), None, None, weight=scale, training=True, eps=1e-6
    )
    torch.testing.assert_close(conv.weight, expected.reshape_as(raw))


def test_scaled_by_the_gamma_of_relu_a_deep_network_keeps_its_variance():
    torch.manual_seed(0)
    # the paper's: inputs after the first are ReLUs of normal numbers, whose variance γ makes 1
    layers = [nn.Linear(512, 512, bias=False) for _ in range(8)]
    x = torch.randn(512, 512)
    x = weight_standardization(layers[0], scaled=True)(x)
    for layer in layers[1:]:
        x = weight_standardization(layer, scaled=True, gamma=RELU)(nn.functional.relu(x))
    assert 0.8 < x.var() < 1.25


@every_module
@pytest.mark.parametrize("scaled", [False, True])
def test_gradients_pass_finite_differences(make, scaled):
    module = weight_standardization(make().double(), scaled=scaled)
    parts = module.parametrizations.weight
    given = [parts.original.detach().clone().requires_grad_()]
    if scaled:
        given.append((1 + torch.rand_like(parts[0].gain)).detach().requires_grad_())

    def standardized(weight, gain=None):
        state = {} if gain is None else {"gain": gain}
        return torch.func.functional_call(parts[0], state, (weight,))

    assert torch.autograd.gradcheck(standardized, given, fast_mode=True)


def test_the_gradient_has_no_part_along_the_weight():
    # the computed weight does not depend on the mean of W nor, up to ε, on its size
    module = weight_standardization(nn.Linear(20, 3).double())
    (module(torch.randn(7, 20, dtype=torch.float64)) ** 3).sum().backward()
    original = module.parametrizations.weight.original
    size = original.grad.norm() * original.norm()
    assert (original.grad.sum(dim=1).abs() < 1e-12 * size).all()
    assert ((original.grad * original).sum(dim=1).abs() < 1e-3 * size).all()


def test_constant_weights_are_zero_with_a_finite_gradient():
    module = nn.Linear(5, 4)
    nn.init.constant_(module.weight, 0.3)
    weight_standardization(module)
    module(torch.randn(3, 5)).sum().backward()
    torch.testing.assert_close(module.weight, torch.zeros(4, 5), rtol=0, atol=1e-4)
    assert module.parametrizations.weight.original.grad.isfinite().all()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_standardized_in_float32(dtype):
    raw = 1e-3 * torch.randn(4, 600)
    module = nn.Linear(600, 4)
    module.weight.data.copy_(raw)
    module = weight_standardization(module.to(dtype), scaled=True, eps=1e-12)
    assert module.weight.dtype == module.parametrizations.weight[0].gain.dtype == dtype
    expected = by_hand(module, raw.to(dtype).double().numpy(), np.ones(4), eps=1e-12)
    torch.testing.assert_close(module.weight, torch.tensor(expected).to(dtype))


def test_nan_and_infinity_stay_in_their_output():
    module = nn.Linear(5, 3)
    module.weight.data[0, 0], module.weight.data[1, 0] = float("nan"), float("inf")
    weight = weight_standardization(module).weight
    assert weight[:2].isnan().any(dim=1).all()
    assert weight[2].isfinite().all()


def test_parameters_names_and_state():
    module = weight_standardization(nn.Conv2d(3, 4, 3), scaled=True)
    assert [name for name, _ in module.named_parameters()] == [
        "bias",
        "parametrizations.weight.original",
        "parametrizations.weight.0.gain",
    ]
    assert "scaled, gamma=1.0" in repr(module)
    assert "WeightStandardization(eps=1e-06)" in repr(weight_standardization(nn.Linear(3, 2)))
    twin = weight_standardization(nn.Conv2d(3, 4, 3), scaled=True)
    twin.load_state_dict(module.state_dict())
    assert torch.equal(twin.weight, module.weight)
    assert torch.equal(copy.deepcopy(module).weight, module.weight)
    frozen = nn.Linear(3, 2)
    frozen.weight.requires_grad_(False)
    assert not weight_standardization(frozen).weight.requires_grad


def test_it_can_be_made_the_weight_again():
    module = weight_standardization(nn.Linear(5, 4))
    weight = module.weight.detach().clone()
    parametrize.remove_parametrizations(module, "weight")
    assert type(module) is nn.Linear
    assert torch.equal(module.weight, weight)


def test_other_parametrizations_may_come_before():
    module = parametrizations.spectral_norm(nn.Linear(5, 4).double()).eval()
    before = module.weight.detach().numpy().copy()
    weight_standardization(module)
    np.testing.assert_allclose(module.weight.detach().numpy(), by_hand(module, before), rtol=1e-9)


@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
def test_it_compiles_whole(backend):
    torch.compiler.reset()
    conv = weight_standardization(nn.Conv2d(3, 4, 3), scaled=True)
    compiled = torch.compile(conv, backend=backend, fullgraph=True)
    x = torch.randn(2, 3, 6, 6)
    y = compiled(x)
    torch.testing.assert_close(y, conv(x))
    grads = torch.autograd.grad(y.square().sum(), [*conv.parameters()])
    torch.testing.assert_close(
        grads, torch.autograd.grad(conv(x).square().sum(), [*conv.parameters()])
    )


@pytest.mark.parametrize("penalty", [rz.L1(0.3), rz.L2Squared(0.3), rz.L2Norm(0.3)], ids=repr)
def test_a_kernel_rule_penalises_the_computed_weight_as_one_site(penalty):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()).double()
    weight_standardization(model[0], scaled=True, gamma=RELU)
    reg = rz.Regularization(model, [rz.kernel(penalty)])
    total = reg.penalty()
    assert list(reg.penalties()) == [f"0.weight/kernel/{type(penalty).__name__}"]
    parameters = [p for n, p in model.named_parameters() if n != "0.bias"]
    actual = torch.autograd.grad(total, parameters)
    w = model[0].weight
    expected = {
        "L1": 0.3 * w.abs().sum(),
        "L2Squared": 0.3 * w.square().sum(),
        "L2Norm": 0.3 * w.square().sum().sqrt(),
    }[type(penalty).__name__]
    torch.testing.assert_close(total, expected)
    torch.testing.assert_close(actual, torch.autograd.grad(expected, parameters))


@pytest.mark.parametrize("axis", ["output", "input"])
def test_a_rule_finds_the_axes_of_a_standardized_weight(axis):
    conv = weight_standardization(nn.ConvTranspose2d(3, 4, 2).double(), scaled=True)
    reg = rz.Regularization(conv, [rz.kernel(rz.GroupLasso(0.3, axis=axis))])
    number = {"output": 1, "input": 0}[axis]
    expected = rz.GroupLasso(0.3, axis=number)(conv.weight)
    torch.testing.assert_close(reg.penalty(), expected)


@pytest.mark.parametrize("scaled", [False, True])
def test_no_parameter_of_it_decays(scaled):
    # the computed weight does not depend on the size of W, which is all that decay changes
    model = nn.Sequential(weight_standardization(nn.Linear(5, 4), scaled=scaled), nn.Linear(4, 2))
    decay, no_decay = rz.weight_decay_groups(model, 0.1)
    assert decay["params"] == [model[1].weight]
    assert len(no_decay["params"]) == 3 + scaled


class Halved(nn.Module):
    def forward(self, weight):
        return weight / 2


def hooked(module):
    prune.l1_unstructured(module, "weight", 1)
    return module


def standardized_before_another(module):
    weight_standardization(module)
    parametrize.register_parametrization(module, "weight", Halved())
    return module


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (
            lambda: nn.LSTM(3, 4),
            ConfigurationError,
            r"expected an nn\.Linear or a conv.* got LSTM; ",
        ),
        (
            lambda: nn.Sequential(nn.Linear(3, 3)),
            ConfigurationError,
            r"expected .* got Sequential;",
        ),
        (
            lambda: nn.LayerNorm(3),
            ConfigurationError,
            r"expected .* got LayerNorm; call it for each",
        ),
        (lambda: nn.ReLU(), ConfigurationError, r"expected .* got ReLU; call it for each"),
        (
            lambda: weight_standardization(nn.Linear(3, 3)),
            ConfigurationError,
            r"the weight of ParametrizedLinear is standardized already; torch\.nn\.utils\.param",
        ),
        (
            lambda: standardized_before_another(nn.Linear(3, 3)),
            ConfigurationError,
            r"the weight of ParametrizedLinear is standardized already",
        ),
        (
            lambda: hooked(nn.Linear(3, 3)),
            ConfigurationError,
            r"expected a weight that is a param.*",
        ),
        (
            lambda: nn.LazyLinear(3),
            ConfigurationError,
            r"the weight of LazyLinear is not initialised; run one batch",
        ),
        (
            lambda: nn.Linear(1, 3),
            ConfigurationError,
            r"expected two weights or more for each output, .* got Linear .* for 3 outputs",
        ),
        (
            lambda: nn.ConvTranspose1d(4, 4, 1, groups=4),
            ConfigurationError,
            r"expected two weights or more for each output, .* \(4, 1, 1\) for 4 outputs",
        ),
        (
            lambda: nn.Linear(3, 3, dtype=torch.complex64),
            ArrayTypeError,
            r"expected a weight of a real floating type, got torch\.complex64 in Linear",
        ),
    ],
    ids=[
        *("LSTM", "Sequential", "LayerNorm", "ReLU", "twice", "twice, another between", "pruned"),
        *("lazy", "one input", "one input of a group", "complex"),
    ],
)
def test_a_module_that_cannot_be_standardized_is_left_as_it_is(make, error, message):
    module = make()
    before = repr(module), [name for name, _ in module.named_parameters()]
    with pytest.raises(error, match=f"^weight_standardization: {message}"):
        weight_standardization(module)
    assert (repr(module), [name for name, _ in module.named_parameters()]) == before


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"eps": 0}, r"^eps: expected a finite number above 0, got 0$"),
        ({"eps": float("nan")}, r"^eps: expected a finite number above 0, got nan$"),
        ({"gamma": 0, "scaled": True}, r"^gamma: expected a finite number above 0, got 0$"),
        (
            {"gamma": 2},
            r"^gamma: expected scaled=True, which it is a factor of, got gamma=2 without$",
        ),
    ],
    ids=["eps 0", "eps nan", "gamma 0", "gamma alone"],
)
def test_settings_that_cannot_be(settings, message):
    module = nn.Linear(3, 3)
    with pytest.raises(ConfigurationError, match=message):
        weight_standardization(module, **settings)
    assert not parametrize.is_parametrized(module)
