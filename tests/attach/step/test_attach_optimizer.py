"""`reg.attach(optimizer)`: the same update as the optimizer's own weight decay, or as the loss."""

import copy
import gc
import warnings

import pytest
import torch
from torch import Tensor, nn

import regularizers as rz
from attach.helpers import batch, mlp

DECAY = 0.3
OPTIMIZERS = {
    "SGD": lambda p, **kw: torch.optim.SGD(p, lr=0.05, **kw),
    "momentum": lambda p, **kw: torch.optim.SGD(p, lr=0.02, momentum=0.9, nesterov=True, **kw),
    "Adam": lambda p, **kw: torch.optim.Adam(p, lr=0.01, **kw),
    "RMSprop": lambda p, **kw: torch.optim.RMSprop(p, lr=0.01, **kw),
    "Adagrad": lambda p, **kw: torch.optim.Adagrad(p, lr=0.05, **kw),
    "NAdam": lambda p, **kw: torch.optim.NAdam(p, lr=0.01, **kw),
}
FORMS = [{"foreach": False}, {"foreach": True}, {"fused": True}]


def everything(penalty: rz.Penalty) -> list[rz.Rule]:
    return [rz.kernel(penalty), rz.bias(penalty)]


def steps(model: nn.Module, optimizer: torch.optim.Optimizer, count: int, penalty=lambda: 0.0):
    for seed in range(count):
        x = batch(seed=seed)
        optimizer.zero_grad()
        (model(x).square().mean() + penalty()).backward()
        optimizer.step()


def assert_same(one: nn.Module, other: nn.Module, **tolerance: float) -> None:
    tolerance = tolerance or {"rtol": 1e-12, "atol": 1e-14}
    for a, b in zip(one.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(a, b, **tolerance)


@pytest.mark.parametrize("form", FORMS, ids=str)
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_update_is_that_of_the_optimizers_own_weight_decay(name, form):
    if "fused" in form and name not in {"SGD", "momentum", "Adam", "Adagrad"}:
        form = {}
    model, other = mlp(), mlp()
    attached = OPTIMIZERS[name](model.parameters(), **form)
    rz.Regularization(model, everything(rz.L2Squared(DECAY / 2))).attach(attached)
    own = OPTIMIZERS[name](other.parameters(), weight_decay=DECAY, **form)
    steps(model, attached, 100)
    steps(other, own, 100)
    assert_same(model, other)


@pytest.mark.parametrize("name", ["SGD", "Adam"])
def test_in_float32_it_is_the_same_to_the_tolerance_of_float32(name):
    model, other = mlp().float(), mlp().float()
    attached = OPTIMIZERS[name](model.parameters())
    rz.Regularization(model, everything(rz.L2Squared(DECAY / 2))).attach(attached)
    own = OPTIMIZERS[name](other.parameters(), weight_decay=DECAY)
    for seed in range(100):
        for net, optimizer in ((model, attached), (other, own)):
            optimizer.zero_grad()
            net(batch(seed=seed).float()).square().mean().backward()
            optimizer.step()
    assert_same(model, other, rtol=1e-4, atol=1e-6)


PENALTIES = [
    rz.L1(0.1),
    rz.L2Squared(0.1),
    rz.L1L2(0.1, 0.2),
    rz.L2Norm(0.3),
    rz.L1(0.3, reduce="mean"),
    rz.L2Squared(0.3, reduce="batch_mean"),
    rz.L2Norm(0.3, reduce="batch_mean"),
    rz.L1(0.1) + rz.L2Norm(0.2),
    rz.Huber(0.3, delta=0.2),
    rz.Lp(0.1, 1.5),
    rz.GroupLasso(0.1, axis=0),
    rz.Orthogonal(0.1),
    rz.Orthogonal(0.1, axis=1, normalized=True),
]


@pytest.mark.parametrize("name", ["SGD", "momentum", "Adam"])
@pytest.mark.parametrize("penalty", PENALTIES, ids=repr)
def test_the_update_is_that_of_the_penalty_in_the_loss(name, penalty):
    model, other = mlp(), mlp()
    rules = [rz.kernel(penalty)]
    attached, plain = (OPTIMIZERS[name](net.parameters()) for net in (model, other))
    rz.Regularization(model, rules).attach(attached)
    steps(model, attached, 20)
    in_loss = rz.Regularization(other, rules)
    steps(other, plain, 20, in_loss.penalty)
    assert_same(model, other, rtol=1e-9, atol=1e-11)


def test_activities_stay_in_the_loss():
    model, other = mlp(), mlp()
    rules = [rz.activity(rz.L1(0.1), where="1"), rz.kernel(rz.L2Squared(0.1))]
    attached, plain = (OPTIMIZERS["SGD"](net.parameters()) for net in (model, other))
    reg, in_loss = rz.Regularization(model, rules), rz.Regularization(other, rules)
    reg.attach(attached)
    steps(model, attached, 10, reg.penalty)
    steps(other, plain, 10, in_loss.penalty)
    assert_same(model, other)
    assert list(reg.penalties()) == list(in_loss.penalties())


def test_injected_activities_go_beside_attached_weights():
    model, other = mlp(), mlp()
    rules = [rz.activity(rz.L1(0.1), where="1"), rz.kernel(rz.L2Squared(0.1))]
    reg = rz.Regularization(model, rules, delivery="inject")
    in_loss = rz.Regularization(other, rules)
    attached, plain = (OPTIMIZERS["SGD"](net.parameters()) for net in (model, other))
    reg.attach(attached)
    for seed in range(5):
        attached.zero_grad()
        reg.scale_from(model(batch(seed=seed)).square().mean()).backward()
        attached.step()
    steps(other, plain, 5, in_loss.penalty)
    assert_same(model, other)


def test_the_penalty_leaves_weights_out_and_the_penalties_report_them():
    model = mlp()
    reg = rz.Regularization(model, [rz.kernel(rz.L2Squared(0.5))])
    reg.attach(OPTIMIZERS["SGD"](model.parameters()))
    assert reg.penalty().item() == 0
    expected = [0.5 * w.square().sum().item() for w in (model[0].weight, model[2].weight)]
    assert list(reg.penalties().values()) == pytest.approx(expected)
    with torch.no_grad():
        model[0].weight.zero_()
    assert reg.penalties()["0.weight/kernel/L2Squared"] == 0


def test_a_step_over_several_backward_passes_adds_the_gradient_once():
    model = mlp()
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    rz.Regularization(model, [rz.kernel(rz.L1(0.1), where="0")]).attach(optimizer)
    before = model[0].weight.detach().clone()
    gradient = torch.zeros_like(before)
    for seed in range(3):
        loss = model(batch(seed=seed)).sum() / 3
        gradient += torch.autograd.grad(loss, model[0].weight, retain_graph=True)[0]
        loss.backward()
    optimizer.step()
    torch.testing.assert_close(model[0].weight, before - gradient - 0.1 * before.sign())


def test_it_comes_after_gradient_clipping():
    model = mlp()
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    rz.Regularization(model, [rz.kernel(rz.L2Squared(50.0), where="0")]).attach(optimizer)
    (1000 * model(batch()).square().mean()).backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1e-6)
    before = model[0].weight.detach().clone()
    optimizer.step()
    torch.testing.assert_close(model[0].weight, -99 * before, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("by_name", [False, True])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_closure_computes_the_gradient_before_the_penalty_is_added(name, by_name):
    model, other = mlp(), mlp()
    attached, plain = (OPTIMIZERS[name](net.parameters()) for net in (model, other))
    rules = everything(rz.L1(0.1))
    rz.Regularization(model, rules).attach(attached)
    in_loss = rz.Regularization(other, rules)
    for seed in range(5):

        def closure(seed=seed) -> Tensor:
            attached.zero_grad()
            loss = model(batch(seed=seed)).square().mean()
            loss.backward()
            return loss

        loss = attached.step(closure=closure) if by_name else attached.step(closure)
        assert loss.item() > 0
    steps(other, plain, 5, in_loss.penalty)
    assert_same(model, other)


class Inner(torch.optim.SGD):
    """An optimizer that calls the step it inherits, whose hooks PyTorch calls again."""

    def step(self, closure=None):
        return super().step(closure)


@pytest.mark.parametrize("with_closure", [False, True])
def test_a_step_within_a_step_of_the_same_optimizer_counts_once(with_closure):
    torch.optim.SGD([nn.Parameter(torch.ones(1))], lr=0.1)  # from now on SGD.step calls hooks
    weight = nn.Linear(3, 1, bias=False)
    optimizer = Inner(weight.parameters(), lr=1.0)
    rz.Regularization(weight, [rz.kernel(rz.L1(0.1))]).attach(optimizer)
    before = weight.weight.detach().clone()

    def closure() -> None:
        weight.weight.grad = torch.zeros_like(before)

    closure()
    optimizer.step(closure if with_closure else None)
    torch.testing.assert_close(weight.weight, before - 0.1 * before.sign())


def test_a_step_that_raised_leaves_the_next_one_right():
    layer = nn.Linear(3, 1, bias=False)
    optimizer = torch.optim.SGD(layer.parameters(), lr=1.0)
    rz.Regularization(layer, [rz.kernel(rz.L1(0.1))]).attach(optimizer)

    def closure() -> None:
        raise KeyError

    with pytest.raises(KeyError):
        optimizer.step(closure)
    before = layer.weight.detach().clone()
    layer.weight.grad = torch.zeros_like(before)
    optimizer.step()
    torch.testing.assert_close(layer.weight, before - 0.1 * before.sign())


@pytest.mark.parametrize("optimizer_class", [torch.optim.SGD, torch.optim.Adam])
@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("unscaled", [False, True])
def test_under_a_grad_scaler_it_is_as_without(optimizer_class, fused, unscaled):
    model, other = mlp().float(), mlp().float()
    attached = optimizer_class(model.parameters(), lr=0.01, fused=fused)
    own = optimizer_class(other.parameters(), lr=0.01, weight_decay=DECAY)
    rz.Regularization(model, everything(rz.L2Squared(DECAY / 2))).attach(attached)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**10)
    for seed in range(10):
        x = batch(seed=seed).float()
        for net, optimizer in ((model, attached), (other, own)):
            optimizer.zero_grad()
            loss = net(x).square().mean()
            (scaler.scale(loss) if net is model else loss).backward()
        if unscaled:
            scaler.unscale_(attached)
        scaler.step(attached)
        scaler.update()
        own.step()
    assert_same(model, other, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("rule", [{}, {"proximal": True}], ids=str)
def test_a_step_whose_gradient_overflowed_changes_nothing(fused, rule):
    model = mlp().float()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01, fused=fused)
    rz.Regularization(model, [rz.kernel(rz.L1(0.1), **rule)]).attach(optimizer)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**10)
    for factor in (1.0, torch.inf):
        before = copy.deepcopy(model)
        optimizer.zero_grad()
        scaler.scale(factor * model(batch().float()).square().mean()).backward()
        scaler.step(optimizer)
        scaler.update()
    assert_same(model, before, rtol=0, atol=0)


def test_a_weight_without_a_gradient_gets_the_penaltys_alone():
    model = nn.ModuleList([nn.Linear(2, 1, bias=False), nn.Linear(2, 1, bias=False)])
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    rz.Regularization(model, [rz.kernel(rz.L2Squared(0.1))]).attach(optimizer)
    unused = model[1].weight.detach().clone()
    model[0](torch.ones(1, 2)).sum().backward()
    optimizer.step()
    torch.testing.assert_close(model[1].weight, 0.8 * unused)


def test_a_step_without_any_gradient_changes_nothing():
    layer = nn.Linear(2, 1)
    optimizer = torch.optim.SGD(layer.parameters(), lr=1.0)
    rz.Regularization(layer, [rz.kernel(rz.L2Squared(0.1))]).attach(optimizer)
    before = copy.deepcopy(layer)
    optimizer.step()
    assert_same(layer, before, rtol=0, atol=0)
    assert layer.weight.grad is None


def test_a_sparse_gradient_becomes_dense():
    embedding = nn.Embedding(4, 2, sparse=True)
    optimizer = torch.optim.SGD(embedding.parameters(), lr=1.0)
    reg = rz.Regularization(
        embedding, [rz.kernel(rz.L2Squared(0.1))], roles={nn.Embedding: "kernel"}
    )
    reg.attach(optimizer)
    before = embedding.weight.detach().clone()
    embedding(torch.tensor([1])).sum().backward()
    assert embedding.weight.grad.is_sparse
    optimizer.step()
    expected = 0.8 * before
    expected[1] -= 1
    torch.testing.assert_close(embedding.weight, expected)


def test_a_maximised_objective_is_penalised_all_the_same():
    model, other = mlp(), mlp()
    attached = torch.optim.SGD(model.parameters(), lr=0.01, maximize=True)
    own = torch.optim.SGD(other.parameters(), lr=0.01, maximize=True, weight_decay=DECAY)
    rz.Regularization(model, everything(rz.L2Squared(DECAY / 2))).attach(attached)
    steps(model, attached, 5)
    steps(other, own, 5)
    assert_same(model, other)


def test_weights_in_bfloat16_are_updated_as_by_weight_decay():
    model, other = (nn.Linear(4, 3).bfloat16() for _ in range(2))
    other.load_state_dict(model.state_dict())
    attached = torch.optim.SGD(model.parameters(), lr=0.5)
    own = torch.optim.SGD(other.parameters(), lr=0.5, weight_decay=0.5)
    rz.Regularization(model, everything(rz.L2Squared(0.25))).attach(attached)
    for net, optimizer in ((model, attached), (other, own)):
        net(torch.ones(1, 4).bfloat16()).sum().backward()
        optimizer.step()
    assert_same(model, other, rtol=1e-2, atol=1e-2)


def test_tied_weights_are_penalised_once():
    model = nn.Sequential(nn.Linear(3, 3, bias=False), nn.Linear(3, 3, bias=False))
    model[1].weight = model[0].weight
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    rz.Regularization(model, [rz.kernel(rz.L1(0.1))]).attach(optimizer)
    before = model[0].weight.detach().clone()
    model[0].weight.grad = torch.zeros_like(before)
    optimizer.step()
    torch.testing.assert_close(model[0].weight, before - 0.1 * before.sign())


def test_frozen_weights_are_left_alone_until_they_are_trained():
    layer = nn.Linear(3, 1)
    layer.weight.requires_grad_(False)
    optimizer = torch.optim.SGD([layer.bias], lr=1.0)
    rz.Regularization(layer, [rz.kernel(rz.L1(0.1))]).attach(optimizer)
    before = layer.weight.detach().clone()
    layer(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    assert torch.equal(layer.weight, before)
    layer.weight.requires_grad_()
    optimizer.add_param_group({"params": [layer.weight], "lr": 0.5})
    optimizer.step()
    torch.testing.assert_close(layer.weight, before - 0.05 * before.sign())


def test_a_frozen_weight_that_the_optimizer_holds_is_penalised_once_it_is_trained():
    layer = nn.Linear(3, 1)
    layer.weight.requires_grad_(False)
    optimizer = torch.optim.SGD(layer.parameters(), lr=1.0)
    rz.Regularization(layer, [rz.kernel(rz.L1(0.1))]).attach(optimizer)
    before = layer.weight.detach().clone()
    layer(torch.ones(1, 3)).sum().backward()
    for trained in (False, True):
        layer.weight.requires_grad_(trained)
        optimizer.step()
        torch.testing.assert_close(layer.weight, before - 0.1 * trained * before.sign())


def test_a_weight_put_into_a_group_later_is_penalised():
    layer = nn.Linear(3, 1)
    optimizer = torch.optim.SGD([layer.bias], lr=1.0)
    layer.weight.requires_grad_(False)
    rz.Regularization(layer, [rz.kernel(rz.L1(0.1))]).attach(optimizer)
    before = layer.weight.detach().clone()
    layer(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    layer.weight.requires_grad_()
    optimizer.param_groups[0]["params"].append(layer.weight)
    optimizer.step()
    torch.testing.assert_close(layer.weight, before - 0.1 * before.sign())


def test_a_weight_unfrozen_without_an_optimizer_is_an_error_at_the_next_step():
    layer = nn.Linear(3, 1)
    layer.weight.requires_grad_(False)
    optimizer = torch.optim.SGD([layer.bias], lr=1.0)
    rz.Regularization(layer, [rz.kernel(rz.L1(0.1))]).attach(optimizer)
    layer.weight.requires_grad_()
    with pytest.raises(rz.RegularizersError, match=r"1 of the penalised weights .*: weight; give"):
        optimizer.step()


def test_several_optimizers_each_penalise_what_they_hold():
    model = mlp()
    first = torch.optim.SGD(model[0].parameters(), lr=1.0)
    second = torch.optim.SGD(model[2].parameters(), lr=0.5)
    rz.Regularization(model, [rz.kernel(rz.L1(0.1))]).attach(first, second)
    before = [model[0].weight.detach().clone(), model[2].weight.detach().clone()]
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    second.step()
    assert torch.equal(model[0].weight, before[0])
    torch.testing.assert_close(model[2].weight, before[1] - 0.05 * before[1].sign())
    first.step()
    torch.testing.assert_close(model[0].weight, before[0] - 0.1 * before[0].sign())


def test_strengths_can_change_between_steps():
    layer = nn.Linear(3, 1, bias=False)
    optimizer = torch.optim.SGD(layer.parameters(), lr=1.0)
    reg = rz.Regularization(layer, [rz.kernel(rz.L1(0.1))])
    reg.attach(optimizer)
    for strength in (0.1, 0.0, 0.3):
        reg.strengths["weight/kernel/L1"] = strength
        before = layer.weight.detach().clone()
        layer.weight.grad = torch.zeros_like(before)
        optimizer.step()
        torch.testing.assert_close(layer.weight, before - strength * before.sign())


def test_a_restored_optimizer_goes_on_with_the_penalty():
    model, other = mlp(), mlp()
    optimizers = []
    for net in (model, other):
        optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
        rz.Regularization(net, [rz.kernel(rz.L1(0.1))]).attach(optimizer)
        optimizers.append(optimizer)
    steps(model, optimizers[0], 3)
    other.load_state_dict(model.state_dict())
    optimizers[1].load_state_dict(copy.deepcopy(optimizers[0].state_dict()))
    steps(model, optimizers[0], 3)
    steps(other, optimizers[1], 3)
    assert_same(model, other, rtol=0, atol=0)


def test_a_scheduler_may_wrap_the_step():
    layer = nn.Linear(3, 1, bias=False)
    optimizer = torch.optim.SGD(layer.parameters(), lr=1.0)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 0.5**step)
    rz.Regularization(layer, [rz.kernel(rz.L1(0.1))]).attach(optimizer)
    before = layer.weight.detach().clone()
    for rate in (1.0, 0.5):
        layer.weight.grad = torch.zeros_like(before)
        optimizer.step()
        schedule.step()
        before -= rate * 0.1 * before.sign()
        torch.testing.assert_close(layer.weight, before)


@pytest.mark.parametrize("rule", [{}, {"proximal": True}], ids=str)
def test_a_compiled_step_penalises_too(rule):
    model, other = mlp(), mlp()
    optimizers = []
    for net in (model, other):
        optimizer = torch.optim.Adam(net.parameters(), lr=torch.tensor(0.01))
        rz.Regularization(net, [rz.kernel(rz.L1(0.1), **rule)]).attach(optimizer)
        optimizers.append(optimizer)
    steps(model, optimizers[0], 5)
    compiled = torch.compile(optimizers[1].step, backend="eager")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for seed in range(5):
            optimizers[1].zero_grad()
            other(batch(seed=seed)).square().mean().backward()
            compiled()
    # a compiled Adam counts its steps in float32
    assert_same(model, other, rtol=1e-5, atol=1e-5)


def test_the_optimizer_keeps_the_regularization_until_it_is_detached():
    layer = nn.Linear(3, 1, bias=False)
    optimizer = torch.optim.SGD(layer.parameters(), lr=1.0)
    reg = rz.Regularization(layer, [rz.kernel(rz.L1(0.1))])
    reg.attach(optimizer)
    before = layer.weight.detach().clone()
    hold = [reg]
    del reg
    gc.collect()
    layer.weight.grad = torch.zeros_like(before)
    optimizer.step()
    torch.testing.assert_close(layer.weight, before - 0.1 * before.sign())
    hold.pop().detach()
    before = layer.weight.detach().clone()
    layer.weight.grad = torch.zeros_like(before)
    optimizer.step()
    assert torch.equal(layer.weight, before)
    assert not optimizer._optimizer_step_pre_hooks
    assert not optimizer._optimizer_step_post_hooks


def test_an_optimizer_without_a_name_for_the_regularization_keeps_it():
    layer = nn.Linear(3, 1, bias=False)
    optimizer = torch.optim.SGD(layer.parameters(), lr=1.0)
    rz.Regularization(layer, [rz.kernel(rz.L1(0.1))]).attach(optimizer)
    gc.collect()
    before = layer.weight.detach().clone()
    layer.weight.grad = torch.zeros_like(before)
    optimizer.step()
    torch.testing.assert_close(layer.weight, before - 0.1 * before.sign())
