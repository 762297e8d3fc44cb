"""The identity at which an activity is read."""

import copy

import pytest
import torch
from torch import nn

import regularizers as rz
from regularizers.errors import ConfigurationError


def coder(penalty: rz.Penalty) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Linear(4, 3), nn.Sigmoid(), rz.layers.ActivityPenalty(penalty), nn.Linear(3, 4)
    ).double()


def test_it_is_the_identity():
    layer = rz.layers.ActivityPenalty(rz.L1(1.0))
    x = torch.randn(2, 3, requires_grad=True)
    assert layer(x) is x
    assert list(layer.state_dict()) == []


def test_its_penalty_enters_the_loss_through_a_regularization():
    model, x = coder(rz.KLSparsity(0.5, 0.1)), torch.randn(6, 4, dtype=torch.float64)
    reg = rz.Regularization(model)
    loss = (model(x) - x).square().mean() + reg.penalty()

    coding = torch.sigmoid(x @ model[0].weight.T + model[0].bias)
    reconstruction = coding @ model[3].weight.T + model[3].bias
    rho = coding.mean(dim=0)
    kl = (0.1 * (0.1 / rho).log() + 0.9 * (0.9 / (1 - rho)).log()).sum()
    by_hand = (reconstruction - x).square().mean() + 0.5 * kl
    torch.testing.assert_close(loss, by_hand)
    parameters = tuple(model.parameters())
    torch.testing.assert_close(
        torch.autograd.grad(loss, parameters), torch.autograd.grad(by_hand, parameters)
    )
    assert list(reg.penalties()) == ["2/activity/KLSparsity"]


def test_it_survives_a_deepcopy_of_a_model_in_use():
    model = coder(rz.L1(0.5))
    reg = rz.Regularization(model)
    model(torch.randn(6, 4, dtype=torch.float64))
    twin = copy.deepcopy(model)
    x = torch.randn(3, 4, dtype=torch.float64)
    twin_reg = rz.Regularization(twin)
    twin(x)
    expected = 0.5 * torch.sigmoid(x @ twin[0].weight.T + twin[0].bias).sum() / 3
    torch.testing.assert_close(twin_reg.penalty(), expected)
    reg.penalty()
    assert reg.penalties()["2/activity/L1"] > 0


def test_it_can_be_marked_as_well():
    layer = rz.regularize(rz.layers.ActivityPenalty(rz.L1(1.0)), activity_regularizer=rz.L1(2.0))
    reg = rz.Regularization(layer)
    layer(torch.ones(2, 3, requires_grad=True))
    assert reg.penalty().item() == 9
    assert reg.penalties() == {"model/activity/L1": 3, "model/activity/L1/2": 6}


def test_its_text_shows_the_penalty():
    assert str(rz.layers.ActivityPenalty(rz.L1(0.5))) == "ActivityPenalty(L1(0.5))"


@pytest.mark.parametrize("penalty", [0.1, None, rz.L1])
def test_what_is_no_penalty_raises(penalty):
    with pytest.raises(ConfigurationError, match=r"ActivityPenalty: expected a penalty such as L1"):
        rz.layers.ActivityPenalty(penalty)
