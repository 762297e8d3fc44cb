"""Attaching edits nothing, and detaching leaves nothing."""

import pytest
import torch
from torch import nn

import regularizers as rz
from attach.helpers import batch, hook_dicts, mlp, records
from regularizers.errors import CollectionError, SelectionError

RULES = [
    rz.activity(rz.L1(1.0) + rz.L2Norm(1.0), where=["", "1"]),
    rz.kernel(rz.L2Squared(0.5)),
    rz.bias(rz.L1(0.5)),
]


def test_outputs_gradients_and_state_are_bit_identical():
    model, x = mlp(), batch()

    def snapshot() -> list[torch.Tensor]:
        output = model(x)
        gradients = torch.autograd.grad(output.square().sum(), tuple(model.parameters()))
        return [output, *gradients, *model.state_dict().values()]

    before, keys = snapshot(), list(model.state_dict())
    reg = rz.Regularization(model, RULES)
    while_attached = snapshot()
    reg.penalty()
    reg.detach()
    for plain, attached, detached in zip(before, while_attached, snapshot(), strict=True):
        assert torch.equal(plain, attached)
        assert torch.equal(plain, detached)
    assert list(model.state_dict()) == keys


def test_the_output_is_the_very_tensor_the_module_returned():
    model = nn.Sequential(nn.Identity())
    rz.Regularization(model, [rz.activity(rz.L2Squared(1.0), where=["", "0"])])
    x = torch.ones(2, 3, requires_grad=True)
    assert model(x) is x


def test_detaching_leaves_no_hook_and_keeps_those_of_others():
    model = mlp()
    calls = []
    reg = rz.Regularization(model, RULES)
    assert any(hook_dicts(model))
    handle = model[1].register_forward_hook(lambda *_: calls.append(1))
    reg.detach()
    model(batch())
    assert calls == [1]
    handle.remove()
    assert not any(hook_dicts(model))


def test_weights_alone_need_no_hook():
    model = mlp()
    rz.Regularization(model, [rz.kernel(rz.L1(1.0))])
    assert not any(hook_dicts(model))


@pytest.mark.parametrize("rule", [rz.activity(rz.L1(1.0), where="9"), rz.kernel(rz.L1(1), "9")])
def test_a_regularization_that_fails_leaves_no_hook(rule):
    model = mlp()
    with pytest.raises(SelectionError):
        rz.Regularization(model, [*RULES, rule])
    assert not any(hook_dicts(model))


@pytest.mark.parametrize("use", ["penalty", "penalties", "report"])
@pytest.mark.parametrize("rules", [RULES, [rz.kernel(rz.L1(1.0))]], ids=["all", "weights"])
def test_use_after_detach_raises(use, rules):
    model = mlp()
    reg = rz.Regularization(model, rules)
    model(batch())
    reg.detach()
    with pytest.raises(CollectionError, match=r"was detached .*attach a new one: Regularization"):
        getattr(reg, use)()


def test_detaching_lets_go_of_what_was_recorded():
    model = mlp()
    reg = rz.Regularization(model, RULES)
    model(batch())
    assert records(reg) == 4
    reg.detach()
    assert records(reg) == 0


def test_detaching_twice_does_nothing_and_a_new_one_works():
    model, x = mlp(), batch()
    reg = rz.Regularization(model, [rz.activity(rz.L1(1.0), where="1")])
    reg.detach()
    reg.detach()
    again = rz.Regularization(model, [rz.activity(rz.L1(1.0), where="1")])
    hidden = torch.tanh(x @ model[0].weight.T + model[0].bias)
    model(x)
    torch.testing.assert_close(again.penalty(), hidden.abs().sum() / 6)
