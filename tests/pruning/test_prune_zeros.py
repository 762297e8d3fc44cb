"""Zeros stay zeros, whatever the optimizer does."""

import copy
import warnings

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, prune

import regularizers as rz
from regularizers.errors import ConfigurationError, SelectionError

OPTIMIZERS = {
    "Adam": lambda parameters: torch.optim.Adam(parameters, 0.05, weight_decay=0.1),
    "AdamW": lambda parameters: torch.optim.AdamW(parameters, 0.05, weight_decay=0.1),
    "SGD": lambda parameters: torch.optim.SGD(parameters, 0.05, momentum=0.9, weight_decay=0.1),
}


def scatter_zeros(model: nn.Module, share: float = 0.4) -> dict[str, torch.Tensor]:
    """Put zeros into all kernels at random; return where they are, by name."""
    generator = torch.Generator().manual_seed(0)
    where = {}
    with torch.no_grad():
        for name in rz.zeros(model):
            weight = model.get_parameter(name)
            where[name] = torch.rand(weight.shape, generator=generator) < share
            weight.masked_fill_(where[name], 0)
    return where


def read(model: nn.Module, name: str) -> torch.Tensor:
    owner, _, attribute = name.rpartition(".")
    return getattr(model.get_submodule(owner), attribute)


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.LSTM(3, 4, num_layers=2, bidirectional=True)
        self.head = nn.Linear(8, 1)

    def forward(self, x):
        return self.head(self.rnn(x)[0])


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(4, 2)
        self.head = nn.Linear(4, 1)

    def forward(self, x):
        return self.head(self.attention(x, x, x, need_weights=False)[0])


MODELS = {
    "mlp": (lambda: nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 1)), (5, 3), "**"),
    "conv": (lambda: nn.Sequential(nn.Conv2d(2, 4, 3), nn.Tanh()), (2, 2, 5, 5), "**"),
    "transposed": (lambda: nn.ConvTranspose1d(2, 3, 3), (2, 2, 5), "**"),
    "bilinear": (lambda: Bilinear(), (5, 3), "**"),
    "LSTM": (Recurrent, (6, 2, 3), "**"),
    "attention": (Attention, (6, 2, 4), ["attention.in_proj_weight", "head"]),
}


class Bilinear(nn.Bilinear):
    def __init__(self) -> None:
        super().__init__(3, 3, 2)

    def forward(self, x):
        return super().forward(x, x)


def train(model: nn.Module, optimizer: torch.optim.Optimizer, shape: tuple[int, ...], steps: int):
    generator = torch.Generator().manual_seed(1)
    for _ in range(steps):
        optimizer.zero_grad()
        (model(torch.randn(shape, generator=generator)) - 1).square().mean().backward()
        optimizer.step()


@pytest.mark.parametrize("kind", MODELS)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_zeros_stay_zeros_in_training(kind, optimizer):
    make, shape, where = MODELS[kind]
    torch.manual_seed(0)
    model = make()
    made = OPTIMIZERS[optimizer](model.parameters())
    train(model, made, shape, 3)  # momenta, which go on pushing
    zeros = scatter_zeros(model)
    expected = rz.zeros(model, where)
    before = {name: read(model, name).clone() for name in expected}
    assert rz.prune_zeros(model, where) == expected
    assert 0.2 < expected.total < 0.6
    x = torch.randn(shape)
    train(model, made, shape, 20)
    output = model(x)
    for name, old in before.items():
        now = read(model, name).detach()
        assert (now[zeros[name]] == 0).all(), name
        assert (now[~zeros[name]] != old[~zeros[name]]).all(), name
    # the forward uses what is read: the same with plain weights
    plain = make()
    plain.load_state_dict({name: read(model, name) for name in plain.state_dict()}, assign=True)
    torch.testing.assert_close(plain(x), output, rtol=0, atol=0)


def test_the_same_without_masks_loses_them():
    torch.manual_seed(0)
    model = MODELS["mlp"][0]()
    scatter_zeros(model)
    before = rz.zeros(model)
    train(model, OPTIMIZERS["Adam"](model.parameters()), (5, 3), 3)
    after = rz.zeros(model)
    assert all(after[name] < before[name] for name in before)


def test_the_output_is_the_same_and_a_kernel_without_zeros_stays_plain():
    model = MODELS["mlp"][0]()
    with torch.no_grad():
        model[0].weight[0, 1] = 0
    weight, x = model[0].weight, torch.randn(5, 3)
    before = model(x)
    found = rz.prune_zeros(model)
    assert dict(found) == {"0.weight": 1 / 24, "2.weight": 0}
    assert set(dict(model.named_buffers())) == {"0.weight_mask"}
    assert set(model.state_dict()) == {"0.weight_orig", "0.weight_mask"} | {
        *("0.bias", "2.weight", "2.bias")
    }
    assert model[0].weight_orig is weight
    assert (model[0].weight_mask == 0).nonzero().tolist() == [[0, 1]]
    torch.testing.assert_close(model(x), before, rtol=0, atol=0)


def test_the_mask_of_a_pruned_weight_is_combined():
    layer = nn.Linear(3, 1)
    prune.custom_from_mask(layer, "weight", torch.tensor([[0.0, 1.0, 1.0]]))
    with torch.no_grad():
        layer.weight_orig[0, 1] = 0
    assert rz.prune_zeros(layer).total == pytest.approx(2 / 3)
    assert layer.weight_mask.tolist() == [[0, 0, 1]]
    with torch.no_grad():
        layer.weight_orig.fill_(5)
    layer(torch.ones(1, 3))
    assert layer.weight.tolist() == [[0, 0, 5]]


def test_a_second_call_adds_no_mask():
    layer = nn.Linear(3, 1)
    with torch.no_grad():
        layer.weight[0, 0] = 0
    rz.prune_zeros(layer)
    hooks = list(layer._forward_pre_hooks.values())
    assert rz.prune_zeros(layer).total == pytest.approx(1 / 3)
    assert list(layer._forward_pre_hooks.values()) == hooks
    prune.remove(layer, "weight")
    assert rz.zeros(layer).total == pytest.approx(1 / 3)


def test_a_masked_model_can_be_copied():
    model = MODELS["mlp"][0]()
    scatter_zeros(model)
    rz.prune_zeros(model)
    assert rz.zeros(copy.deepcopy(model)) == rz.zeros(model)


def test_a_module_under_two_names_gets_one_mask():
    layer = nn.Linear(3, 3)
    scatter_zeros(layer)
    model = nn.ModuleDict({"a": layer, "b": layer})
    assert list(rz.prune_zeros(model)) == ["a.weight"]
    assert len(layer._forward_pre_hooks) == 1


@pytest.mark.parametrize("delivery", ["loss", "step", "proximal"])
def test_rules_for_kernels_act_on_what_is_left(delivery):
    """As on a weight that is multiplied by the mask by hand."""
    torch.manual_seed(0)
    layer = nn.Linear(4, 3, bias=False)
    scatter_zeros(layer)
    kept, x = layer.weight.detach() != 0, torch.randn(6, 4)
    by_hand = layer.weight.detach().clone().requires_grad_()
    reg = rz.Regularization(layer, [rz.kernel(rz.L1(0.1), proximal=delivery == "proximal")])
    optimizer = torch.optim.SGD(layer.parameters(), 0.1)
    if delivery != "loss":
        reg.attach(optimizer)
    rz.prune_zeros(layer)
    for _ in range(3):
        optimizer.zero_grad()
        (layer(x).square().mean() + reg.penalty()).backward()
        optimizer.step()
        penalty = 0.1 * (by_hand * kept).abs().sum() if delivery != "proximal" else 0
        (gradient,) = torch.autograd.grad(
            (x @ (by_hand * kept).T).square().mean() + penalty, by_hand
        )
        with torch.no_grad():
            by_hand -= 0.1 * gradient
            if delivery == "proximal":
                by_hand.copy_(by_hand.sign() * (by_hand.abs() - 0.01).clamp(min=0))
    torch.testing.assert_close(layer.weight_orig * kept, by_hand * kept)


def parametrized() -> nn.Module:
    layer = nn.Linear(3, 2)
    scatter_zeros(layer)
    parametrizations.weight_norm(layer)
    return layer


def hooked() -> nn.Module:
    layer = nn.Linear(3, 2)
    scatter_zeros(layer)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        nn.utils.weight_norm(layer)
    return layer


def tied() -> nn.Module:
    layer, other = nn.Linear(3, 2), nn.Embedding(2, 3)
    other.weight = layer.weight
    scatter_zeros(layer)
    return nn.ModuleList([layer, other])


def attention() -> nn.Module:
    model = Attention()
    scatter_zeros(model)
    return model


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (parametrized, r"weight: expected .* is computed by a parametrization"),
        (hooked, r"weight: expected .* is computed by a forward pre-hook"),
        (tied, r"0\.weight: expected .* of Linear is tied to that of another module"),
        (attention, r"attention\.out_proj\.weight: .* reads this weight without calling"),
    ],
    ids=["parametrized", "hooked", "tied", "attention"],
)
def test_what_cannot_be_masked_is_refused_by_name_and_nothing_is_masked(make, message):
    model = nn.ModuleList([nn.Linear(2, 2), make()])
    with torch.no_grad():
        model[0].weight[0, 0] = 0
    with pytest.raises(SelectionError, match=f"prune_zeros: 1.{message}"):
        rz.prune_zeros(model)
    assert not any(name.endswith("_mask") for name in dict(model.named_buffers()))
    rz.prune_zeros(model, where="0")


@pytest.mark.parametrize("make", [parametrized, hooked, tied])
def test_without_a_zero_there_is_nothing_to_refuse(make):
    model = make()
    with torch.no_grad():
        for weight in model.parameters():
            weight.fill_(1.0)
    assert rz.prune_zeros(model).total == 0


def test_bad_input():
    with pytest.raises(
        ConfigurationError, match=r"prune_zeros: expected a torch\.nn\.Module, got N"
    ):
        rz.prune_zeros(None)
    with pytest.raises(SelectionError, match="where='x' matches nothing"):
        rz.prune_zeros(nn.Linear(2, 2), "x")
