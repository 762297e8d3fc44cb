"""A target of the loss with an optimizer that it is attached to, and after a restart."""

import pytest
import torch
from torch import nn

from attach.control.driving import batch, error_of, from_json
from attach.control.lossy import KEY, kernels, made, outputs, stepped, trained
from regularizers.errors import RegimeError

deliveries = pytest.mark.parametrize("delivery", ["collect", "inject"])


def test_attached_with_collect_the_steps_are_by_hand():
    """As the optimizer does not know the loss."""
    model, reg = made([outputs(), kernels()])
    update = torch.optim.SGD(model.parameters(), lr=0.05)
    reg.attach(update)
    for step in range(15):
        stepped(model, reg, "collect", update, step)
    assert reg.state_dict()["steps"] == 15
    strength = reg.strengths[KEY]
    assert strength == reg.strengths["0.weight/kernel/L2Squared"] > 1e-6

    x, before = batch(15), model[0].weight.detach().clone()
    update.zero_grad()
    loss = error_of(model, x)
    (loss + reg.penalty()).backward()
    coding = nn.functional.linear(x, before, model[0].bias).relu()
    leaf = before.clone().requires_grad_()
    coding = nn.functional.linear(x, leaf, model[0].bias).relu()
    whole = nn.functional.mse_loss(model[2](coding), x)
    whole = whole + strength * (coding.sum() / len(x) + leaf.square().sum())
    (gradient,) = torch.autograd.grad(whole, leaf)
    update.step()
    torch.testing.assert_close(model[0].weight.detach(), before - 0.05 * gradient)


def test_attached_with_inject_the_optimizer_makes_them():
    model, reg = made([outputs(), kernels()], "inject")
    update = torch.optim.SGD(model.parameters(), lr=0.05)
    reg.attach(update)
    for step in range(15):
        update.zero_grad()
        reg.scale_from(error_of(model, batch(step))).backward()
        update.step()
    assert reg.state_dict()["steps"] == 15
    assert reg.strengths[KEY] == reg.strengths["0.weight/kernel/L2Squared"] > 1e-6
    with pytest.raises(RegimeError, match="leave this call out"):
        reg.step()


@pytest.mark.parametrize("attached", [False, True])
def test_kernels_alone_attached_or_in_the_loss(attached):
    model, reg = made([kernels(where=["0", "2"])])
    update = torch.optim.SGD(model.parameters(), lr=0.05)
    if attached:
        reg.attach(update)
    for step in range(1200):
        update.zero_grad()
        loss = error_of(model, batch(step))
        (loss if attached else loss + reg.penalty()).backward()
        update.step()
        reg.step(loss=loss)
    reached = set(reg.targets().values())
    assert reached.pop().measured == pytest.approx(0.3, rel=0.1)
    assert not reached


@deliveries
@pytest.mark.parametrize("attached", [False, True])
def test_an_interrupted_run_goes_on_bit_for_bit(delivery, attached):
    def run():
        model, reg = made([outputs(), kernels()], delivery)
        update = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.5)
        if attached and delivery == "collect":
            reg.attach(update)
        return model, reg, update

    model, reg, update = run()
    trained(model, reg, 37, delivery, update=update)
    state = from_json(reg)
    weights = {name: weight.clone() for name, weight in model.state_dict().items()}
    momentum = [update.state[p]["momentum_buffer"].clone() for p in model.parameters()]
    expected = trained(model, reg, 30, delivery, first=37, update=update)

    fresh, other, again = run()
    fresh.load_state_dict(weights)
    other.load_state_dict(state)
    for parameter, buffer in zip(fresh.parameters(), momentum, strict=True):
        again.state[parameter]["momentum_buffer"] = buffer
    assert from_json(other) == state
    assert trained(fresh, other, 30, delivery, first=37, update=again) == expected
    assert len({strengths[KEY] for strengths in expected}) > 10
