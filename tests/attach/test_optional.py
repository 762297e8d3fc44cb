"""Sites that may never fire, such as experts that are given no tokens."""

import pytest
import torch
from torch import Tensor, nn

import regularizers as rz
from attach.helpers import Branches, assert_same_loss_and_gradients, batch, per_sample
from regularizers.errors import CollectionError, RegimeError


def experts(*, optional: bool = True, delivery: str = "collect") -> tuple[Branches, ...]:
    torch.manual_seed(0)
    model = Branches()
    rules = [
        rz.activity(rz.L1(1.0), where="left"),
        rz.activity(rz.L1(2.0), where="right", optional=optional),
    ]
    return model, rz.Regularization(model, rules, delivery=delivery)


def test_a_site_that_never_fires_gives_0_and_one_that_does_counts():
    model, reg = experts()
    x = batch()
    for n, which in enumerate(("left", "left right", "left")):
        loss = model(x, which).square().mean() + reg.penalty()
        left = model.left(x)
        right = model.right(left)
        by_hand = (right if "right" in which else left).square().mean() + per_sample(left)
        if "right" in which:
            by_hand = by_hand + 2 * per_sample(right)
            assert reg.penalties()["right/activity/L1"] == pytest.approx(
                2 * per_sample(right).item(), rel=1e-12
            )
        elif n == 0:
            assert reg.penalties()["right/activity/L1"] == 0
        torch.testing.assert_close(loss, by_hand)
        parameters = list(model.left.parameters())
        torch.testing.assert_close(
            torch.autograd.grad(loss, parameters), torch.autograd.grad(by_hand, parameters)
        )
        with torch.no_grad():
            reg.penalty()  # what the sites recorded when they were called by hand


def test_without_it_a_site_that_never_fires_raises():
    model, reg = experts(optional=False)
    model(batch(), "left")
    with pytest.raises(CollectionError, match=r"right: the site has never fired .*optional=True"):
        reg.penalty()


def test_under_inject():
    model, reg = experts(delivery="inject")
    reg.scale_from(model(batch(), "left").sum()).backward()
    model, reg = experts(delivery="inject", optional=False)
    with pytest.raises(RegimeError, match=r"right: the site has never fired.*optional=True"):
        reg.scale_from(model(batch(), "left").sum()).backward()


def test_an_expert_that_is_given_an_empty_batch_has_fired():
    model, reg = experts(optional=False)

    def loss(x: Tensor) -> Tensor:
        return model(x, "left").sum() + model.right(x[:0]).sum() + reg.penalty()

    x = batch()
    left = model.left.forward(x)
    actual = loss(x)
    torch.testing.assert_close(actual, left.sum() + per_sample(left))


def test_a_site_that_two_rules_mean_is_optional_for_one():
    torch.manual_seed(0)
    model = Branches()
    rules = [
        rz.activity(rz.L1(1.0), where=["left", "right"], optional=True),
        rz.activity(rz.L2Squared(1.0), where="right"),
    ]
    reg = rz.Regularization(model, rules)
    model(batch(), "left")
    with pytest.raises(CollectionError, match="right: the site has never fired"):
        reg.penalty()


@pytest.mark.parametrize("make", [rz.ar, rz.tar])
def test_temporal_rules_take_it_too(make):
    model = nn.ModuleDict({"used": nn.LSTM(4, 3), "idle": nn.LSTM(4, 3)})
    rules = [rz.ar(1.0, where="used"), make(1.0, where="idle", optional=True)]
    reg = rz.Regularization(model, rules)
    y, _ = model["used"](torch.randn(5, 2, 4))
    torch.testing.assert_close(reg.penalty(), y.square().mean())


def test_by_hand():
    model, reg = experts()
    x = batch()
    loss = model(x, "left").sum() + reg.penalty()
    left = x @ model.left.weight.T + model.left.bias
    model.right.requires_grad_(False)
    parts = model.left
    assert_same_loss_and_gradients(parts, loss, left.sum() + left.abs().sum() / len(x))
