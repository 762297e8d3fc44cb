"""Weights: trainable ones, tied ones once, as they are when they are collected."""

import pytest
import torch
from torch import nn

import regularizers as rz
from attach.helpers import kernels, sites, squares, total


def test_tied_weights_count_once():
    model = nn.Sequential(nn.Linear(3, 3, bias=False), nn.Tanh(), nn.Linear(3, 3, bias=False))
    model[2].weight = model[0].weight
    reg = kernels(model)
    assert sites(reg) == ["0.weight", "2.weight"]
    assert total(reg) == pytest.approx(squares(model[0].weight))
    assert sum(reg.penalties().values()) == pytest.approx(squares(model[0].weight))


def test_weights_may_be_tied_and_untied_after_attaching():
    model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    own = model[1].weight
    reg = kernels(model)
    model[1].weight = model[0].weight
    assert total(reg) == pytest.approx(squares(model[0].weight))
    model[1].weight = own
    assert total(reg) == pytest.approx(squares(model[0].weight, own))


def test_a_head_tied_to_an_embedding_is_a_kernel_once():
    model = nn.ModuleDict({"embedding": nn.Embedding(5, 3), "head": nn.Linear(3, 5, bias=False)})
    model["head"].weight = model["embedding"].weight
    reg = kernels(model)
    assert sites(reg) == ["head.weight"]
    assert total(reg) == pytest.approx(squares(model["head"].weight))


def test_tied_weights_count_once_for_each_rule():
    model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    model[1].weight = model[0].weight
    reg = rz.Regularization(
        model, [rz.kernel(rz.L2Squared(1.0)), rz.kernel(rz.L2Squared(0.5), where="1")]
    )
    assert total(reg) == pytest.approx(1.5 * squares(model[0].weight))


def test_a_shared_module_counts_its_weights_once():
    shared = nn.Linear(3, 3)
    model = nn.Sequential(shared, nn.Tanh(), shared)
    for where in ("**", nn.Linear, shared, "2"):
        assert total(kernels(model, where=where)) == pytest.approx(squares(shared.weight))


def test_frozen_weights_do_not_count_whenever_they_were_frozen():
    model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    model[0].weight.requires_grad_(False)
    reg = kernels(model)
    assert total(reg) == pytest.approx(squares(model[1].weight))
    model[1].weight.requires_grad_(False)
    assert total(reg) == 0
    model[0].weight.requires_grad_(True)
    assert total(reg) == pytest.approx(squares(model[0].weight))


def test_a_collection_of_frozen_weights_alone_reports_zeros():
    model = nn.Sequential(nn.Linear(3, 3)).requires_grad_(False)
    reg = kernels(model)
    assert total(reg) == 0
    assert reg.penalties() == {"0.weight/kernel/L2Squared": 0}


def test_weights_are_read_as_they_are_at_the_collection():
    model = nn.Linear(2, 2)
    reg = kernels(model)
    model.weight.data.fill_(3.0)
    assert total(reg) == 36
    model.weight = nn.Parameter(torch.ones(2, 2))
    assert total(reg) == 4
    model.load_state_dict({"weight": torch.zeros(2, 2), "bias": torch.zeros(2)})
    assert total(reg) == 0


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("grad", [True, False])
def test_weights_count_in_evaluation_and_without_gradients(training, grad):
    model = nn.Linear(2, 2).train(training)
    with torch.set_grad_enabled(grad):
        penalty = kernels(model).penalty()
    assert penalty.item() == pytest.approx(squares(model.weight))
    assert penalty.requires_grad == grad
