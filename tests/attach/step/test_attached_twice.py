"""The same rule on the same weight from two Regularizations of one optimizer would count twice."""

import pytest
import torch
from torch import nn

import regularizers as rz
from regularizers.errors import RegimeError

REPLACES = "attach: this Regularization replaces one with the same rules"


def layer() -> nn.Linear:
    torch.manual_seed(0)
    return nn.Linear(4, 2, bias=False)


def step(model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    optimizer.zero_grad()
    (0 * model(torch.ones(1, 4))).sum().backward()
    optimizer.step()


@pytest.mark.parametrize("strength", [0.05, 0.1])
def test_a_cell_that_is_run_again_replaces_what_it_made_before(strength):
    model = layer()
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    first = rz.Regularization(model, [rz.kernel(rz.L2Squared(0.05))])
    first.attach(optimizer)
    second = rz.Regularization(model, [rz.kernel(rz.L2Squared(strength))])
    with pytest.warns(UserWarning, match=REPLACES):
        second.attach(optimizer)
    before = model.weight.detach().clone()
    step(model, optimizer)
    torch.testing.assert_close(model.weight.detach(), (1 - 2 * strength) * before)
    assert "detached" in repr(first)


def test_injected_rules_are_replaced_too():
    model = nn.Sequential(layer(), nn.ReLU())
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    rules = [rz.activity(rz.L1(rz.Constant(0.5)), where="1")]
    first = rz.Regularization(model, rules, delivery="inject")
    first.set_scale(1.0)
    first.attach(optimizer)
    second = rz.Regularization(model, rules, delivery="inject")
    second.set_scale(1.0)
    with pytest.warns(UserWarning, match=REPLACES):
        second.attach(optimizer)
    x = torch.ones(1, 4)
    (0 * model(x)).sum().backward()
    (slope,) = torch.autograd.grad(0.5 * torch.relu(x @ model[0].weight.T).sum(), model[0].weight)
    torch.testing.assert_close(model[0].weight.grad, slope)


def test_a_rule_that_another_has_too_raises_and_changes_nothing():
    model = nn.Sequential(layer(), nn.Linear(2, 2))
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    rz.Regularization(model, [rz.kernel(rz.L2Squared(0.05), where="0")]).attach(optimizer)
    both = rz.Regularization(model, [rz.kernel(rz.L2Squared(0.1))])
    with pytest.raises(RegimeError, match=r"0\.weight/kernel/L2Squared: another Regularization"):
        both.attach(optimizer)
    before = model[0].weight.detach().clone()
    step(model, optimizer)
    torch.testing.assert_close(model[0].weight.detach(), 0.9 * before)


def test_other_rules_on_the_same_weight_add_up():
    model = layer()
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    for penalty in (rz.L2Squared(0.05), rz.L1(0.01)):
        rz.Regularization(model, [rz.kernel(penalty)]).attach(optimizer)
    before = model.weight.detach().clone()
    step(model, optimizer)
    torch.testing.assert_close(model.weight.detach(), 0.9 * before - 0.01 * before.sign())


def test_after_detaching_the_same_rules_can_be_attached_in_silence():
    model = layer()
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    for _ in range(2):
        reg = rz.Regularization(model, [rz.kernel(rz.L2Squared(0.05))])
        reg.attach(optimizer)
        before = model.weight.detach().clone()
        step(model, optimizer)
        torch.testing.assert_close(model.weight.detach(), 0.9 * before)
        reg.detach()
