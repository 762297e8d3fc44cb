"""A step that no hook sees: the penalty of an attached weight would be missing without a word."""

import copy

import pytest
import torch
from torch import nn
from torch.optim import SGD, Optimizer

import regularizers as rz
from attach.helpers import kernels
from regularizers.errors import RegimeError

UNSEEN = r"weight: the weight has changed .* no step of SGD was seen"


def layer() -> nn.Linear:
    torch.manual_seed(0)
    return nn.Linear(4, 2, bias=False)


def attached(model: nn.Module) -> tuple[rz.Regularization, Optimizer]:
    optimizer = SGD(model.parameters(), lr=0.1)
    reg = kernels(model, rz.L2Squared(0.05))
    reg.attach(optimizer)
    return reg, optimizer


def backward(model: nn.Module) -> None:
    model(torch.ones(1, 4)).sum().backward()


@torch.no_grad()
def by_hand(model: nn.Module) -> None:
    for parameter in model.parameters():
        parameter.sub_(parameter.grad, alpha=0.1)
        parameter.grad = None


def by_data(model: nn.Module) -> None:
    for parameter in model.parameters():
        parameter.data.sub_(parameter.grad, alpha=0.1)
        parameter.grad = None


def assert_nothing_is_missed(reg: rz.Regularization, weight: torch.Tensor) -> None:
    """Assert that penalties are those of the weight as it is, and that no step is missed."""
    by_hand = 0.05 * weight.detach().square().sum().item()
    expected = {"weight/kernel/L2Squared": pytest.approx(by_hand, rel=1e-6, nan_ok=True)}
    assert reg.penalties() == expected


def test_an_update_by_hand_is_noticed():
    model = layer()
    reg, _ = attached(model)
    backward(model)
    by_hand(model)
    with pytest.raises(RegimeError, match=UNSEEN):
        reg.penalties()


def test_an_update_by_hand_is_noticed_when_it_is_made_again():
    """The first may be half a step of a two-step optimizer."""
    model = layer()
    reg, _ = attached(model)
    backward(model)
    by_hand(model)
    reg.penalty()
    backward(model)
    by_hand(model)
    with pytest.raises(RegimeError, match=UNSEEN):
        reg.penalty()


def test_the_first_half_of_a_two_step_optimizer_is_none():
    model = layer()
    reg, optimizer = attached(model)
    for _ in range(3):
        backward(model)
        before = model.weight.detach().clone()
        by_hand(model)  # climbs
        reg.penalty()
        backward(model)
        with torch.no_grad():
            model.weight.copy_(before)
        optimizer.step()
        assert_nothing_is_missed(reg, model.weight)


def test_another_optimizer_is_noticed_after_steps_that_were_seen():
    model = layer()
    reg, optimizer = attached(model)
    for _ in range(2):
        backward(model)
        optimizer.step()
        reg.penalties()
    other = SGD(model.parameters(), lr=0.1)
    backward(model)
    other.step()
    with pytest.raises(RegimeError, match=UNSEEN):
        reg.penalties()


def test_an_update_before_another_backward_pass_is_noticed():
    """Penalties are looked at now and then only."""
    model = layer()
    reg, _ = attached(model)
    backward(model)
    by_hand(model)
    backward(model)
    with pytest.raises(RegimeError, match=UNSEEN):
        reg.penalties()


def test_an_update_of_the_last_weight_alone_is_noticed():
    """Another optimizer may have the head."""
    model = nn.Sequential(layer(), nn.Linear(2, 2))
    reg, _ = attached(model)
    backward(model)
    by_hand(model[1])
    with pytest.raises(RegimeError, match=rf"1\.{UNSEEN}"):
        reg.penalties()


def test_updates_that_pytorch_does_not_count_are_noticed_when_they_go_on():
    model = layer()
    reg, _ = attached(model)
    backward(model)
    by_data(model)
    reg.penalties()
    backward(model)
    by_data(model)
    with pytest.raises(RegimeError, match=UNSEEN):
        reg.penalties()


def test_an_injected_loss_says_so_too():
    model = nn.Sequential(layer(), nn.Tanh())
    rules = [rz.activity(rz.L1(0.1), where="1"), rz.kernel(rz.L2Squared(0.05))]
    reg = rz.Regularization(model, rules, delivery="inject")
    reg.attach(SGD(model.parameters(), lr=0.1))
    for _ in range(2):
        reg.scale_from(model(torch.ones(1, 4)).sum()).backward()
        by_hand(model)
    loss = model(torch.ones(1, 4)).sum()
    with pytest.raises(RegimeError, match=UNSEEN):
        reg.scale_from(loss)


# what is no step


def test_accumulation_is_none():
    model = layer()
    reg, optimizer = attached(model)
    for _ in range(3):
        backward(model)
        assert_nothing_is_missed(reg, model.weight)
    optimizer.step()
    assert_nothing_is_missed(reg, model.weight)


def test_a_step_between_two_backward_passes_is_seen():
    model = layer()
    reg, optimizer = attached(model)
    for _ in range(3):
        backward(model)
        optimizer.step()
        backward(model)
        assert_nothing_is_missed(reg, model.weight)


def test_a_weight_that_is_nan_and_stays_is_none():
    model = layer()
    nn.init.constant_(model.weight, torch.nan)
    reg, _ = attached(model)
    for _ in range(3):
        backward(model)
        assert_nothing_is_missed(reg, model.weight)


def test_a_state_that_is_loaded_is_none():
    model = layer()
    reg, _ = attached(model)
    for load in (model.load_state_dict, nn.ModuleList([model])[0].load_state_dict):
        backward(model)
        load({"weight": model.weight.detach() + 1})
        assert_nothing_is_missed(reg, model.weight)


def test_the_state_of_a_module_around_is_none():
    model = layer()
    around = nn.Sequential(model)
    reg, _ = attached(model)
    backward(model)
    around.load_state_dict(nn.Sequential(nn.Linear(4, 2, bias=False)).state_dict())
    assert_nothing_is_missed(reg, model.weight)


@pytest.mark.parametrize("steps", [0, 1, 3])
def test_averages_written_through_data_are_none(steps):
    model = layer()
    reg, optimizer = attached(model)
    for _ in range(steps):
        backward(model)
        optimizer.step()
        assert_nothing_is_missed(reg, model.weight)
    average = torch.optim.swa_utils.AveragedModel(model)
    for _ in range(2 if steps else 1):
        backward(model)
        kept = model.weight.data.clone()
        model.weight.data.copy_(average.module.weight.data + 1)
        assert_nothing_is_missed(reg, model.weight)
        model.weight.data.copy_(kept)
        assert_nothing_is_missed(reg, model.weight)


def test_a_weight_set_before_any_backward_pass_is_none():
    model = layer()
    reg, _ = attached(model)
    model(torch.ones(1, 4))
    nn.init.ones_(model.weight)
    assert_nothing_is_missed(reg, model.weight)


def test_detaching_takes_the_hooks_away():
    model = layer()
    reg, _ = attached(model)
    reg.detach()
    assert not model.weight._post_accumulate_grad_hooks
    assert not model._load_state_dict_post_hooks


def test_a_copy_of_the_model_is_not_watched():
    model = layer()
    reg, _ = attached(model)
    other = copy.deepcopy(model)
    backward(other)
    by_hand(other)
    other.load_state_dict(layer().state_dict())
    assert_nothing_is_missed(reg, model.weight)
