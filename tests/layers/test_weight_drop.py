"""Weights dropped for one forward, against recurrent layers written out with the same masks."""

import copy
import io

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations
from torch.nn.utils.rnn import pack_sequence

import regularizers as rz
from layers.recurrent import noises_of, written_out
from regularizers.errors import ArrayTypeError, ConfigurationError, RegimeError, SelectionError
from regularizers.layers import WeightDrop

RATE = 0.4
LAYERS = {
    "lstm": (nn.LSTM, {}),
    "lstm of 2": (nn.LSTM, {"num_layers": 2}),
    "lstm both ways": (nn.LSTM, {"bidirectional": True}),
    "lstm of 2 both ways": (nn.LSTM, {"num_layers": 2, "bidirectional": True}),
    "lstm projected": (nn.LSTM, {"proj_size": 2, "num_layers": 2, "bidirectional": True}),
    "gru of 2 both ways": (nn.GRU, {"num_layers": 2, "bidirectional": True}),
    "rnn of 2 both ways": (nn.RNN, {"num_layers": 2, "bidirectional": True}),
}
every_layer = pytest.mark.parametrize(("make", "options"), LAYERS.values(), ids=LAYERS.keys())


def recurrent(make=nn.LSTM, rate=RATE, names=None, **options):
    torch.manual_seed(0)
    layer = make(3, 4, **options).double()
    names = names or [n for n, _ in layer.named_parameters() if n.startswith("weight_hh")]
    return WeightDrop(layer, names, rate)


def steps(*shape):
    shape = shape or (5, 2, 3)
    return torch.randn(shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def seeded(layer, *inputs, seed=7, **options):
    torch.manual_seed(seed)
    return layer(*inputs, **options)


def masked(layer, seed=7):
    """Return the weights of the module, those named times masks drawn here in their order."""
    torch.manual_seed(seed)
    weights = dict(layer.module.named_parameters())
    for name in layer.weights:
        kept = torch.rand(weights[name].shape, dtype=torch.float64) >= layer.rate
        weights[name] = torch.where(kept, weights[name] / (1 - layer.rate), 0)
    return weights


def gradients(value, layer, x):
    return torch.autograd.grad(value, [x, *layer.parameters()])


@every_layer
def test_a_recurrent_layer_is_the_one_written_out_with_the_same_masks(make, options):
    layer, x = recurrent(make, **options), steps().requires_grad_()
    states, last = seeded(layer, x)
    hidden = last[0] if make is nn.LSTM else last
    expected = written_out(layer.module, x, masked(layer))

    torch.testing.assert_close((states, hidden), expected)
    actual = gradients(states.square().sum() + hidden.sum(), layer, x)
    by_hand = gradients(expected[0].square().sum() + expected[1].sum(), layer, x)
    torch.testing.assert_close(actual, by_hand)
    for name, gradient in zip(dict(layer.module.named_parameters()), actual[1:], strict=True):
        assert name not in layer.weights or (gradient == 0).any()


@every_layer
def test_evaluation_and_a_rate_of_zero_are_the_module(make, options):
    layer, x = recurrent(make, **options), steps()
    twin = recurrent(make, rate=0, **options)
    random = torch.get_rng_state()
    expected = layer.module(x)
    torch.testing.assert_close(layer.eval()(x), expected, rtol=0, atol=0)
    torch.testing.assert_close(twin.train()(x), expected, rtol=0, atol=0)
    assert torch.equal(torch.get_rng_state(), random)


def test_any_of_the_weights_and_biases():
    names = ["bias_hh_l0", "weight_ih_l0", "weight_hr_l0"]
    layer, x = recurrent(names=names, proj_size=2), steps()
    states, _ = seeded(layer, x)
    torch.testing.assert_close(states, written_out(layer.module, x, masked(layer))[0])


def test_inputs_of_every_kind_are_passed_on():
    layer = recurrent(batch_first=True)
    x, state = steps(2, 5, 3), (steps(1, 2, 4), steps(1, 2, 4))
    first, _ = seeded(layer, x[:, :2], state)
    _, state_then = seeded(layer, x[:, :2], hx=state)
    rest, _ = seeded(layer, x[:, 2:], hx=state_then)
    whole, _ = seeded(layer, x, state)
    torch.testing.assert_close(torch.cat([first, rest], dim=1), whole)

    packed, _ = seeded(layer, pack_sequence([x[0], x[1, :3]]))
    alone, _ = seeded(layer, x[1:, :3])
    torch.testing.assert_close(torch.nn.utils.rnn.unpack_sequence(packed)[1], alone[0])


MODULES = {
    "linear": (lambda: nn.Linear(3, 4), ["weight"]),
    "linear with its bias": (lambda: nn.Linear(3, 4), ["weight", "bias"]),
    "nested": (lambda: nn.Sequential(nn.Linear(3, 3), nn.Tanh(), nn.Linear(3, 2)), ["2.weight"]),
    "cell": (lambda: nn.GRUCell(3, 4), ["weight_hh", "weight_ih"]),
    "convolution": (lambda: nn.Conv1d(1, 2, 2), ["weight"]),
    "list": (lambda: Listed(), ["kernels.1"]),
    "recurrent, nested": (lambda: Last(nn.LSTM(3, 4)), ["rnn.weight_hh_l0", "scale"]),
}


class Listed(nn.Module):
    def __init__(self):
        super().__init__()
        self.kernels = nn.ParameterList([torch.randn(3, 3), torch.randn(3, 3)])

    def forward(self, x):
        return x @ self.kernels[0] @ self.kernels[1]


class Last(nn.Module):
    def __init__(self, rnn):
        super().__init__()
        self.rnn = rnn
        self.scale = nn.Parameter(torch.ones(4))

    def forward(self, x):
        return self.rnn(x)[0] * self.scale


@pytest.mark.parametrize(("make", "names"), MODULES.values(), ids=MODULES.keys())
def test_any_module_is_its_functional_call_with_the_same_masks(make, names):
    torch.manual_seed(0)
    layer = WeightDrop(make().double(), names, RATE)
    x = (steps(2, 1, 3) if isinstance(layer.module, nn.Conv1d) else steps(2, 3)).requires_grad_()
    before = dict(layer.named_parameters())
    y = seeded(layer, x)
    after = dict(layer.named_parameters())
    assert all(after[name] is parameter for name, parameter in before.items())
    expected = torch.func.functional_call(layer.module, masked(layer), (x,))
    torch.testing.assert_close(y, expected)
    torch.testing.assert_close(
        gradients(y.square().sum(), layer, x), gradients(expected.square().sum(), layer, x)
    )


class Published(nn.Module):
    """The weight drop of Merity et al.: a raw parameter, and the dropped one set before a call."""

    def __init__(self, layer, mask):
        super().__init__()
        self.layer, self.mask = layer, mask
        raw = layer.weight_hh_l0
        del layer._parameters["weight_hh_l0"]
        self.raw = nn.Parameter(raw.detach().clone())

    def forward(self, x):
        self.layer.weight_hh_l0 = self.mask * self.raw
        self.layer._flat_weights = [getattr(self.layer, n) for n in self.layer._flat_weights_names]
        return self.layer(x)


def test_it_is_the_published_weight_drop():
    layer, x = recurrent(), steps()
    noise = noises_of(layer)
    states, _ = layer(x)
    published = Published(copy.deepcopy(layer.module), noise[0])
    expected, _ = published(x)
    torch.testing.assert_close(states, expected)
    states.square().sum().backward()
    expected.square().sum().backward()
    torch.testing.assert_close(layer.module.weight_hh_l0.grad, published.raw.grad)


def test_each_forward_draws_once_and_each_graph_keeps_its_own():
    layer, x = recurrent(), steps()
    noise = noises_of(layer)
    first, _ = layer(x)
    second, _ = layer(x)
    assert len(noise) == 2
    assert not torch.equal(*noise)
    weights = dict(layer.module.named_parameters())

    def expected(mask):
        dropped = {**weights, "weight_hh_l0": weights["weight_hh_l0"] * mask}
        return written_out(layer.module, x, dropped)[0].square().sum()

    # the earlier graph after the later forward, by itself and both together
    grads = torch.autograd.grad(first.square().sum(), layer.parameters(), retain_graph=True)
    torch.testing.assert_close(grads, torch.autograd.grad(expected(noise[0]), layer.parameters()))
    both = torch.autograd.grad(first.square().sum() + second.square().sum(), layer.parameters())
    by_hand = expected(noise[0]) + expected(noise[1])
    torch.testing.assert_close(both, torch.autograd.grad(by_hand, layer.parameters()))


def test_the_share_that_is_dropped():
    layer = WeightDrop(nn.Linear(300, 300, bias=False), ["weight"], 0.3)
    nn.init.ones_(layer.module.weight)
    weight = seeded(layer, torch.eye(300))
    assert abs((weight == 0).double().mean() - 0.3) < 5 * (0.3 * 0.7 / 90_000) ** 0.5
    torch.testing.assert_close(weight[weight != 0], torch.full_like(weight[weight != 0], 1 / 0.7))


def test_only_the_raw_weights_are_parameters_and_they_train():
    layer = recurrent()
    plain = [id(p) for p in layer.module.parameters()]
    assert [id(p) for p in layer.parameters()] == plain
    assert list(layer.buffers()) == []
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)
    before = layer.module.weight_hh_l0.detach().clone()
    noise = noises_of(layer)
    for _ in range(3):
        optimizer.zero_grad()
        layer(steps())[0].square().sum().backward()
        assert torch.equal(layer.module.weight_hh_l0.grad == 0, noise[-1] == 0)
        optimizer.step()
    assert (layer.module.weight_hh_l0 != before).any()
    assert [id(p) for p in layer.parameters()] == plain
    assert layer.module._flat_weights[1] is layer.module.weight_hh_l0
    # what evaluation uses is what was trained
    expected, _ = written_out(layer.module, steps(), dict(layer.module.named_parameters()))
    torch.testing.assert_close(layer.eval()(steps())[0], expected)


def test_a_frozen_weight_stays_without_gradient():
    layer = recurrent()
    layer.module.weight_hh_l0.requires_grad_(False)
    layer(steps())[0].sum().backward()
    assert layer.module.weight_hh_l0.grad is None
    assert layer.module.weight_ih_l0.grad is not None


def test_a_forward_that_fails_leaves_the_module_as_it_was():
    for layer in (recurrent(), WeightDrop(nn.Linear(3, 4).double(), ["weight"], RATE)):
        before = dict(layer.named_parameters())
        with pytest.raises(RuntimeError):
            layer(steps(5, 2, 9))
        assert all(before[name] is parameter for name, parameter in layer.named_parameters())
        torch.testing.assert_close(layer.eval()(steps()), layer.module(steps()), rtol=0, atol=0)


def test_without_gradients_it_drops_as_well():
    layer = recurrent()
    with torch.no_grad():
        states, _ = seeded(layer, steps())
    torch.testing.assert_close(states, written_out(layer.module, steps(), masked(layer))[0])


def test_dropped_twice():
    layer = WeightDrop(recurrent(), ["module.weight_hh_l0", "module.bias_hh_l0"], 0.5)
    noises = [noises_of(layer), noises_of(layer.module)]
    states, _ = layer(steps())
    (outer, bias), (inner,) = noises
    weights = dict(layer.module.module.named_parameters())
    weights["weight_hh_l0"] = weights["weight_hh_l0"] * outer * inner
    weights["bias_hh_l0"] = weights["bias_hh_l0"] * bias
    torch.testing.assert_close(states, written_out(layer.module.module, steps(), weights)[0])


def test_it_saves_the_names_of_its_parameters_and_loads_those_of_the_module():
    layer, other = recurrent(), recurrent()
    names = [name for name, _ in layer.named_parameters()]
    assert list(layer.state_dict()) == names
    assert names[1] == "module.weight_hh_l0"
    for parameter in layer.parameters():
        nn.init.normal_(parameter)
    other.load_state_dict(layer.state_dict())
    torch.testing.assert_close(other.state_dict(), layer.state_dict(), rtol=0, atol=0)
    for assign in (False, True):
        other = recurrent()
        other.load_state_dict(layer.module.state_dict(), assign=assign)
        torch.testing.assert_close(seeded(other, steps()), seeded(layer, steps()), rtol=0, atol=0)

    model = nn.Sequential(nn.Linear(3, 3), WeightDrop(nn.Linear(3, 2), ["weight"], 0.5))
    plain = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 2))
    model.load_state_dict(plain.state_dict())
    assert torch.equal(model[1].module.weight, plain[1].weight)
    plain[1] = model[1].module
    assert list(plain.state_dict()) == ["0.weight", "0.bias", "1.weight", "1.bias"]


def test_a_state_dict_that_does_not_fit_raises_as_ever():
    layer = recurrent()
    state = layer.module.state_dict()
    del state["bias_hh_l0"]
    with pytest.raises(RuntimeError, match=r'Missing key\(s\) in state_dict: "module.bias_hh_l0"'):
        layer.load_state_dict(state)
    with pytest.raises(RuntimeError, match=r'Unexpected key\(s\) in state_dict: "other"'):
        layer.load_state_dict({**layer.state_dict(), "other": torch.ones(1)})
    # a plain name beside the full one is not taken for it
    with pytest.raises(RuntimeError, match=r'Unexpected key\(s\) in state_dict: "bias_hh_l0"'):
        layer.load_state_dict({**layer.state_dict(), "bias_hh_l0": torch.ones(16)})


def test_copies_and_pickles():
    layer = recurrent()
    layer(steps())[0].sum().backward()
    file = io.BytesIO()
    torch.save(layer, file)
    file.seek(0)
    for twin in (copy.deepcopy(layer), torch.load(file, weights_only=False)):
        assert repr(twin) == repr(layer)
        assert twin.module.weight_hh_l0 is not layer.module.weight_hh_l0
        torch.testing.assert_close(seeded(twin, steps()), seeded(layer, steps()), rtol=0, atol=0)
        twin.load_state_dict({k: v * 0 for k, v in layer.module.state_dict().items()})
        assert (seeded(twin, steps())[0] == 0).all()
        seeded(twin, steps())[0].sum().backward()
    assert (layer(steps())[0] != 0).any()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_conversions(dtype):
    layer = recurrent().to(dtype)
    states, _ = layer(steps().to(dtype))
    assert states.dtype == dtype
    states.sum().backward()
    assert layer.module.weight_hh_l0.grad.dtype == dtype
    assert recurrent().to("meta")(steps().to("meta"))[0].is_meta


def test_monte_carlo_dropout_finds_it():
    layer = recurrent().eval()
    with rz.layers.monte_carlo_dropout(layer), torch.no_grad():
        assert (layer.training, layer.module.training) == (True, False)
        one, other = layer(steps())[0], layer(steps())[0]
    assert not torch.equal(one, other)
    assert torch.equal(layer(steps())[0], layer.module(steps())[0])


def test_its_text_shows_its_settings():
    text = repr(WeightDrop(nn.Linear(2, 3), ["weight"], 0.5)).splitlines()
    assert text[:2] == ["WeightDrop(", "  weights=['weight'], rate=0.5"]


LSTM_HAS = r"its parameters are weight_ih_l0, weight_hh_l0, bias_ih_l0, bias_hh_l0$"
UNKNOWN = [
    (nn.LSTM(2, 3), "weight_hh_l1", rf"LSTM has no 'weight_hh_l1'; {LSTM_HAS}"),
    (nn.LSTM(2, 3), "rnn.weight", rf"LSTM has no 'rnn.weight'; {LSTM_HAS}"),
    (nn.Linear(2, 3, bias=False), "bias", r"Linear has no 'bias'; its parameters are weight$"),
    (nn.Tanh(), "weight", r"Tanh has no 'weight'; its parameters are none$"),
    (
        nn.LSTM(2, 3, num_layers=4),
        "w",
        r"LSTM has no 'w'; its parameters are weight_ih_l0, .*, bias_hh_l2 and 4 more$",
    ),
]


@pytest.mark.parametrize(("module", "name", "message"), UNKNOWN)
def test_a_name_that_the_module_does_not_have(module, name, message):
    with pytest.raises(SelectionError, match=rf"^WeightDrop: {message}"):
        WeightDrop(module, [name], 0.5)


@pytest.mark.parametrize("names", [[], (), "weight", None, [1], {"weight": 1}], ids=repr)
def test_what_is_no_list_of_names(names):
    match = r"^WeightDrop: expected a list of names of weights such as \['weight_hh_l0'\], got "
    with pytest.raises(ConfigurationError, match=match):
        WeightDrop(nn.Linear(2, 3), names, 0.5)


@pytest.mark.parametrize("name", ["running_mean", "eps", "forward"])
def test_what_is_no_parameter(name):
    match = (
        rf"^WeightDrop: expected a parameter of BatchNorm1d, got '{name}', which is of type \w+ "
        rf"and no parameter; its parameters are weight, bias$"
    )
    with pytest.raises(ConfigurationError, match=match):
        WeightDrop(nn.BatchNorm1d(3), [name], 0.5)


def test_a_weight_named_twice():
    shared = nn.Linear(3, 3)
    for module, names in [
        (shared, ["weight", "weight"]),
        (nn.Sequential(shared, shared), ["0.weight", "1.weight"]),
    ]:
        with pytest.raises(ConfigurationError, match=r"^WeightDrop: a weight is named twice in \["):
            WeightDrop(module, names, 0.5)


@pytest.mark.parametrize("rate", [1.0, -0.1, float("nan"), True, None, "0.5"], ids=repr)
def test_a_rate_that_cannot_be(rate):
    match = rf"^rate: expected a number in \[0, 1\), the fraction dropped, got {rate!r} of"
    with pytest.raises(ConfigurationError, match=match):
        WeightDrop(nn.Linear(2, 3), ["weight"], rate)
    layer = recurrent()
    layer.rate = rate
    with pytest.raises(ConfigurationError, match=match):
        layer(steps())


def test_a_weight_without_a_real_gradient():
    layer = WeightDrop(nn.Linear(2, 3, dtype=torch.complex64), ["weight"], 0.5)
    with pytest.raises(ArrayTypeError, match=r"^WeightDrop: expected a tensor of a real floating"):
        layer(torch.ones(2, dtype=torch.complex64))


def test_a_parametrized_weight():
    match = r"^WeightDrop: '{}' of {} cannot be dropped, because a parametrization computes"
    with pytest.raises(ConfigurationError, match=match.format("weight", "\\w+Linear")):
        WeightDrop(parametrizations.weight_norm(nn.Linear(2, 3)), ["weight"], 0.5)
    lstm = parametrizations.weight_norm(nn.LSTM(2, 3), "weight_hh_l0")
    with pytest.raises(ConfigurationError, match=match.format("weight_ih_l0", "\\w+LSTM")):
        WeightDrop(lstm, ["weight_ih_l0"], 0.5)

    layer = WeightDrop(nn.Linear(2, 3), ["weight"], 0.5)
    parametrizations.weight_norm(layer.module)
    with pytest.raises(ConfigurationError, match=r"remove_parametrizations first$"):
        layer(torch.ones(2))
    # beside another weight that is, a parameter can be dropped
    other = WeightDrop(parametrizations.weight_norm(nn.Linear(2, 3)), ["bias"], 0.5)
    noise = noises_of(other)
    y = other(torch.zeros(2))
    assert torch.equal(y, other.module.bias * noise[0])


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_weights_that_a_hook_exchanges():
    layer = WeightDrop(nn.LSTM(3, 4), ["weight_ih_l0"], 0.5)
    nn.utils.weight_norm(layer.module, "weight_hh_l0")
    match = r"^LSTM: its weights were exchanged while it ran, so the dropped weights were not"
    with pytest.raises(RegimeError, match=match):
        layer(torch.ones(5, 2, 3))


def test_a_weight_that_is_exchanged_by_the_module_itself():
    class Restless(nn.Linear):
        def forward(self, x):
            self.weight = nn.Parameter(torch.ones(3, 2))
            return super().forward(x)

    layer = WeightDrop(Restless(2, 3), ["weight"], 0.5)
    with pytest.raises(RegimeError, match=r"^Restless: its weights were exchanged while it ran"):
        layer(torch.ones(2))
    assert isinstance(layer.module.weight, nn.Parameter)


@pytest.mark.filterwarnings("ignore:.*jit.*:DeprecationWarning")
def test_a_scripted_module():
    scripted = torch.jit.script(nn.Linear(2, 3))
    for module, name in [(scripted, "weight"), (nn.Sequential(scripted), "0.weight")]:
        with pytest.raises(ConfigurationError, match=rf"'{name}' of \w+ is kept by TorchScript"):
            WeightDrop(module, [name], 0.5)


def test_modules_whose_weights_are_elsewhere():
    with pytest.raises(
        ConfigurationError, match=r"^WeightDrop: 'weight' of LazyLinear is not init"
    ):
        WeightDrop(nn.LazyLinear(3), ["weight"], 0.5)
    replica = nn.Linear(2, 3)._replicate_for_data_parallel()
    layer = WeightDrop(nn.Linear(2, 3), ["weight"], 0.5)
    layer.module = replica
    with pytest.raises(RegimeError, match=r"^WeightDrop: the replicas of nn\.DataParallel have no"):
        layer(torch.ones(2))
