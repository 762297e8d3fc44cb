"""As much penalty as keeps the loss of the task at a stated value."""

import math

import pytest
import torch
from torch import nn

import regularizers as rz
from attach.control.driving import batch, error_of, saved
from attach.control.lossy import KEY, kernels, made, outputs, stepped, trained
from regularizers.errors import ConfigurationError

deliveries = pytest.mark.parametrize("delivery", ["collect", "inject"])


@deliveries
def test_it_is_reached(delivery):
    model, reg = made([outputs()], delivery)
    trained(model, reg, 1500, delivery)
    assert reg.targets()[KEY].measured == pytest.approx(0.3, rel=0.1)
    with torch.no_grad(), reg.paused():
        assert error_of(model, batch(77, rows=2048)).item() == pytest.approx(0.3, rel=0.15)


@deliveries
def test_what_is_measured_is_the_loss_without_penalties(delivery):
    model, reg = made([outputs()], delivery)
    update = torch.optim.SGD(model.parameters(), lr=0.05)
    total = weight = 0.0
    for step in range(20):
        total = 0.9 * total + stepped(model, reg, delivery, update, step)
        weight = 0.9 * weight + 1
    reached = reg.targets()[KEY]
    assert reached.measured == pytest.approx(total / weight, rel=1e-12)
    assert reached.unit == "loss"


@deliveries
def test_the_law_is_given_what_falls_and_ten_times_the_value(delivery):
    """2 − loss / target; and the strength at which the penalties weigh ten times the loss."""
    target = rz.TargetLoss(2.0)
    model, reg = made([outputs(target), kernels(target)], delivery)
    x = batch(0)
    loss = error_of(model, x)
    weights = model[0].weight.detach().clone()
    with reg.paused():
        unit = (model[:2](x).sum() / len(x)).item() + weights.square().sum().item()
    if delivery == "collect":
        (loss + reg.penalty()).backward()
        reg.step(loss=loss)
    else:
        reg.scale_from(loss).backward()
        reg.step()
    state = saved(reg)
    assert state["scale"] == pytest.approx(10 * loss.item() / unit, rel=1e-9)
    assert state["law"]["measured_total"] == pytest.approx(2 - loss.item() / 2.0, rel=1e-12)


def test_a_loss_far_above_its_target_is_not_below_nothing():
    falling = rz.TargetLoss(0.5).as_falling
    given = [falling(loss, 0.5)[0] for loss in (0.0, 0.25, 0.5, 0.99, 5.0)]
    assert given == pytest.approx([2.0, 1.5, 1.0, 0.02, 0.02])


def test_several_rules_have_one_strength():
    rules = [outputs(), kernels(where="0"), kernels(where="2"), rz.bias(rz.L1(0.25), where="0")]
    model, reg = made(rules)
    for strengths in trained(model, reg, 60):
        of_target = [s for key, s in strengths.items() if key != "0.bias/bias/L1"]
        assert len(set(of_target)) == 1
        assert strengths["0.bias/bias/L1"] == 0.25
    assert of_target[0] > 1e-6
    assert len(reg.state_dict()["controllers"]) == 1
    assert len(set(reg.targets().values())) == 1


def test_unequal_targets_have_strengths_of_their_own():
    model, reg = made([outputs(), kernels(rz.TargetLoss(0.4))])
    last = trained(model, reg, 60)[-1]
    assert len(set(last.values())) == 2
    assert len(reg.state_dict()["controllers"]) == 2


def test_the_gradient_is_that_of_the_one_strength():
    model, reg = made([outputs(), kernels()])
    trained(model, reg, 30)
    strength = reg.strengths[KEY]
    x = batch(99)
    model.zero_grad()
    (error_of(model, x) + reg.penalty()).backward()
    coding = model[:2](x)
    size = coding.sum() / len(x) + model[0].weight.square().sum()
    by_hand = nn.functional.mse_loss(model[2](coding), x) + strength * size
    expected = torch.autograd.grad(by_hand, list(model.parameters()))
    for parameter, gradient in zip(model.parameters(), expected, strict=True):
        torch.testing.assert_close(parameter.grad, gradient, rtol=1e-9, atol=1e-12)


def test_losses_of_accumulated_batches_are_averaged():
    """With inject each loss is read; with collect the mean is given."""
    parts = batch(3, rows=40).split([10, 10, 10, 10])
    model, reg = made([outputs()], "inject")
    losses = []
    for part in parts:
        loss = error_of(model, part)
        losses.append(loss.item())
        (reg.scale_from(loss) / 4).backward()
    reg.step()
    assert reg.targets()[KEY].measured == pytest.approx(sum(losses) / 4, rel=1e-12)
    assert len(set(losses)) == 4

    model, reg = made([outputs()])
    for part in parts:
        ((error_of(model, part) + reg.penalty()) / 4).backward()
    reg.step(loss=sum(losses) / 4)
    assert reg.targets()[KEY].measured == pytest.approx(sum(losses) / 4, rel=1e-12)


@deliveries
def test_a_step_without_a_loss_says_what_to_do_and_changes_nothing(delivery):
    model, reg = made([outputs()], delivery)
    trained(model, reg, 15, delivery)
    if delivery == "collect":
        (error_of(model, batch(15)) + reg.penalty()).backward()
    before = reg.state_dict()
    for _ in range(2):
        with pytest.raises(
            ConfigurationError,
            match=rf"{KEY}: TargetLoss\(0\.3\) needs the loss of the task in each step: "
            r"reg\.step\(loss=loss\), or delivery='inject' and reg\.scale_from\(loss\)",
        ):
            reg.step()
        assert reg.state_dict() == before
    if delivery == "collect":
        reg.step(loss=0.5)
        assert reg.state_dict()["steps"] == 16


@pytest.mark.parametrize("loss", [None, "0.3", torch.ones(2), torch.tensor(1j), True])
def test_a_loss_is_a_number(loss):
    model, reg = made([outputs()])
    before = reg.state_dict()
    with pytest.raises(ConfigurationError, match="the loss of the task"):
        reg.step(loss=loss)
    assert reg.state_dict() == before
    assert model is not None


def test_a_loss_below_0_is_refused():
    model, reg = made([outputs()])
    (error_of(model, batch(0)) + reg.penalty()).backward()
    with pytest.raises(ConfigurationError, match=rf"{KEY}: TargetLoss\(0\.3\).*not negative"):
        reg.step(loss=-0.5)
    assert reg.state_dict()["steps"] == 0


@pytest.mark.parametrize("loss", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_stops_the_law(loss):
    model, reg = made([outputs()])
    trained(model, reg, 15)
    before = saved(reg)
    (error_of(model, batch(15)) + reg.penalty()).backward()
    reg.step(loss=loss)
    assert saved(reg)["law"] == before["law"]
    assert saved(reg)["strength"] == before["strength"]
    last = trained(model, reg, 1, first=16)[-1]
    assert math.isfinite(last[KEY])


def test_a_loss_is_for_a_target_of_it():
    model, reg = made([outputs(rz.TargetActive(3))])
    (error_of(model, batch(0)) + reg.penalty()).backward()
    with pytest.raises(ConfigurationError, match="loss= is for a strength with a TargetLoss"):
        reg.step(loss=0.5)
