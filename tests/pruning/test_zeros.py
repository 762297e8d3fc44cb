"""Exact zeros of kernels are counted as the forward uses them."""

import math

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, prune

import regularizers as rz
from regularizers.errors import ArrayTypeError, ConfigurationError, SelectionError


def with_zeros(*counts: int) -> nn.Sequential:
    """Return linear layers of 4 x 3, 3 x 2, ... of ones with so many zeros, and biases of 0."""
    layers = [nn.Linear(4 - i, 3 - i) for i in range(len(counts))]
    with torch.no_grad():
        for layer, count in zip(layers, counts, strict=True):
            layer.weight.fill_(1).view(-1)[:count] = 0
            layer.bias.zero_()
    return nn.Sequential(*layers)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_shares_by_kernel_and_over_all(dtype):
    found = rz.zeros(with_zeros(3, 6).to(dtype))
    assert dict(found) == {"0.weight": 3 / 12, "1.weight": 1.0}
    assert found.total == 9 / 18
    assert found.as_dict() == {
        "0.weight/zeros": 0.25,
        "1.weight/zeros": 1.0,
        "model/zeros": 0.5,
    }


def test_it_prints_a_table():
    assert str(rz.zeros(with_zeros(3, 6))).splitlines() == [
        "kernel    zeros  of   share",
        "--------  -----  --  ------",
        "0.weight      3  12   25.0%",
        "1.weight      6   6  100.0%",
        "total         9  18   50.0%",
    ]


@pytest.mark.parametrize("where", ["1", "1.weight", ["1"], "1*", lambda module, name: name == "1"])
def test_where_selects_kernels(where):
    assert dict(rz.zeros(with_zeros(3, 2), where)) == {"1.weight": 2 / 6}


def test_only_what_is_exactly_zero_counts():
    layer = nn.Linear(5, 1)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[0.0, -0.0, 5e-324, math.nan, math.inf]]))
        assert rz.zeros(layer)["weight"] == 3 / 5  # in float32 the third is 0
        layer.weight[0, 2] = 1e-45
    assert rz.zeros(layer)["weight"] == 2 / 5


def test_roles_decide_what_a_kernel_is():
    model = nn.ModuleDict(
        {
            "norm": nn.LayerNorm(3),
            "embedding": nn.Embedding(4, 3),
            "rnn": nn.LSTM(3, 2),
            "attention": nn.MultiheadAttention(4, 2),
        }
    )
    assert list(rz.zeros(model)) == [
        "rnn.weight_ih_l0",
        "rnn.weight_hh_l0",
        "attention.in_proj_weight",
        "attention.out_proj.weight",
    ]


def test_a_tied_kernel_counts_once_and_a_frozen_one_counts():
    model = nn.ModuleDict({"a": nn.Linear(2, 2), "b": nn.Linear(2, 2)})
    model["b"].weight = model["a"].weight
    with torch.no_grad():
        model["a"].weight.copy_(torch.eye(2))
    model.requires_grad_(False)
    assert dict(rz.zeros(model)) == {"a.weight": 0.5}


def test_a_pruned_weight_counts_with_its_mask_as_it_is_now():
    layer = nn.Linear(4, 1)
    prune.custom_from_mask(layer, "weight", torch.tensor([[0.0, 1.0, 1.0, 1.0]]))
    with torch.no_grad():
        layer.weight_orig[0, 1] = 0  # no forward since
    assert rz.zeros(layer)["weight"] == 0.5


def test_a_parametrized_weight_counts_as_it_is_computed():
    layer = nn.Linear(2, 2)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[0.0, 3.0], [4.0, 3.0]]))
    parametrizations.weight_norm(layer)
    assert rz.zeros(layer)["weight"] == 0.25


def test_a_kernel_without_elements_has_no_zeros():
    with pytest.warns(UserWarning, match="zero-element"):
        layer = nn.Linear(0, 3)
    assert rz.zeros(layer).total == 0


def test_nothing_is_changed():
    model = with_zeros(3, 2)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    rz.zeros(model)
    torch.testing.assert_close(dict(model.state_dict()), before, rtol=0, atol=0)
    assert all(weight.requires_grad and weight.grad is None for weight in model.parameters())


@pytest.mark.parametrize(
    ("model", "where", "error", "message"),
    [
        ("no model", "**", ConfigurationError, "zeros: expected a torch.nn.Module, got str"),
        (with_zeros(0), "2", SelectionError, "kernel: where='2' matches nothing"),
        (with_zeros(0), "0.bias", SelectionError, r"zeros: no kernel there, only 0\.bias \(bias\)"),
        (with_zeros(0), 3, ConfigurationError, "where: expected .* got 3"),
        (nn.ReLU(), "**", SelectionError, r"kernel: where='\*\*' matches nothing"),
        (nn.LazyLinear(3), "**", SelectionError, "LazyLinear .* is not initialised"),
        (
            nn.Linear(2, 2, dtype=torch.complex64),
            "**",
            ArrayTypeError,
            r"weight: expected .* got torch\.complex64",
        ),
    ],
    ids=["no model", "no name", "a bias", "no where", "no kernel", "lazy", "complex"],
)
def test_what_cannot_be_counted_is_said(model, where, error, message):
    with pytest.raises(error, match=message):
        rz.zeros(model, where)
