"""Weights measured from and by tensors within the step of an optimizer, and in proximal steps."""

import copy
import warnings

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import prune

import regularizers as rz
from attach.helpers import batch, mlp
from regularizers.errors import ConfigurationError
from regularizers.penalties.kernels import thresholds

OPTIMIZERS = {
    "SGD": lambda model: torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.5),
    "Adam": lambda model: torch.optim.Adam(model.parameters(), lr=0.01),
}
every_optimizer = pytest.mark.parametrize("make", OPTIMIZERS.values(), ids=OPTIMIZERS)
STEPS = 50
STRENGTH = 0.3


def tensors(model: nn.Module, seed: int) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {
        name: torch.randn(p.shape, generator=generator, dtype=torch.float64).to(p.dtype)
        for name, p in model.named_parameters()
    }


def squares(model: nn.Module, seed: int) -> dict[str, Tensor]:
    return {name: each.square() for name, each in tensors(model, seed).items()}


def rules_of(name: str, model: nn.Module) -> list[rz.Rule]:
    """Return the rules of a method, of kernels and biases, and what they are measured by."""
    towards = None if name == "importance" else tensors(model, 1)
    importance = None if name == "L2-SP" else squares(model, 2)
    options = {"towards": towards, "importance": importance}
    half = rz.L2Squared(STRENGTH / 2)
    return [rz.kernel(half, **options), rz.bias(half, **options)]


def by_hand(name: str, model: nn.Module) -> Tensor:
    """Return ½λΣF(w − w*)², of every parameter."""
    starts, fisher = tensors(model, 1), squares(model, 2)
    total = torch.zeros((), dtype=torch.float64)
    for key, w in model.named_parameters():
        difference = w if name == "importance" else w - starts[key]
        weights = 1.0 if name == "L2-SP" else fisher[key]
        total = total + STRENGTH / 2 * (weights * difference**2).sum()
    return total


@every_optimizer
@pytest.mark.parametrize("way", ["in the loss", "injected", "within the step"])
@pytest.mark.parametrize("name", ["L2-SP", "EWC", "importance"])
def test_training_is_that_of_the_loss_written_by_hand(name, way, make):
    model, twin = mlp(), mlp()
    delivery = "inject" if way == "injected" else "collect"
    reg = rz.Regularization(model, rules_of(name, model), delivery=delivery)
    optimizer, plain = make(model), make(twin)
    if way == "within the step":
        reg.attach(optimizer)
    for step in range(STEPS):
        optimizer.zero_grad()
        plain.zero_grad()
        task = model(batch(seed=step)).square().mean()
        if way == "in the loss":
            task = task + reg.penalty()
        elif way == "injected":
            task = reg.scale_from(task)
        task.backward()
        (twin(batch(seed=step)).square().mean() + by_hand(name, twin)).backward()
        optimizer.step()
        plain.step()
    for got, wanted in zip(model.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(got, wanted, rtol=1e-9, atol=1e-9)


PIECE = 64
SHAPES = [(7, 5), (1, 1), (4, 6), (PIECE + 3, 1), (5, 40)]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize(
    "penalty",
    [rz.L1(0.3), rz.L2Squared(0.5), rz.L2Squared(3.0, reduce="mean"), rz.Huber(0.3, 0.5)],
    ids=str,
)
def test_many_weights_together_are_each_as_by_itself(penalty, dtype, monkeypatch):
    monkeypatch.setattr(thresholds, "PIECE", PIECE)
    torch.manual_seed(0)
    model = nn.Sequential(*[nn.Linear(n, m, bias=False, dtype=dtype) for m, n in SHAPES])
    towards, importance = tensors(model, 1), squares(model, 2)
    sets = [(towards, importance), (None, importance), (towards, None), (tensors(model, 3), None)]
    rules = [rz.kernel(penalty, towards=t, importance=f) for t, f in sets]
    rules.append(rz.kernel(penalty))
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    rz.Regularization(model, rules).attach(optimizer)
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    expected = {}
    for name, w in before.items():
        wide = torch.promote_types(dtype, torch.float32)
        total = torch.zeros_like(w, dtype=wide)
        for starts, fisher in [*sets, (None, None)]:
            d = w.to(wide) - (0 if starts is None else starts[name].to(wide))
            total += penalty.gradient(d) * (1 if fisher is None else fisher[name].to(wide))
        expected[name] = total.to(dtype)
    for p in model.parameters():
        p.grad = torch.zeros_like(p)
    optimizer.step()
    tolerance = {torch.float16: 4e-3, torch.bfloat16: 3e-2}.get(dtype, 1e-6)
    for name, p in model.named_parameters():
        torch.testing.assert_close(p.grad, expected[name], rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("fused", [False, True])
def test_under_a_grad_scaler_it_is_as_without(fused):
    model, twin = mlp().float(), mlp().float()
    rz_rules = rules_of("EWC", model)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, fused=fused)
    plain = torch.optim.SGD(twin.parameters(), lr=0.05)
    rz.Regularization(model, rz_rules).attach(optimizer)
    scaler = torch.amp.GradScaler("cpu", init_scale=64.0)
    scaler.scale(model(batch().float()).square().mean()).backward()
    scaler.step(optimizer)
    (twin(batch().float()).square().mean() + by_hand("EWC", twin)).backward()
    plain.step()
    for got, wanted in zip(model.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(got, wanted, rtol=1e-5, atol=1e-6)


def test_strengths_that_change_and_zero_work_with_references():
    model = nn.Linear(3, 2, bias=False).double()
    towards = tensors(model, 1)
    reg = rz.Regularization(model, [rz.kernel(rz.L2Squared(1.0), towards=towards)])
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    reg.attach(optimizer)
    for strength in (2.0, 0.0, 0.5):
        reg.strengths["weight/kernel/L2Squared/towards"] = strength
        model.weight.grad = torch.zeros_like(model.weight)
        optimizer.step()
        torch.testing.assert_close(
            model.weight.grad, 2 * strength * (model.weight.detach() - towards["weight"])
        )


def test_of_a_pruned_weight_the_gradient_is_masked():
    model, twin = mlp(), mlp()
    rule = rz.kernel(
        rz.L2Squared(0.5), where="0", towards=tensors(model, 1), importance=squares(model, 2)
    )
    for each in (model, twin):
        torch.manual_seed(1)
        prune.random_unstructured(each[0], "weight", 0.5)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    reg = rz.Regularization(model, [rule])
    in_loss = rz.Regularization(twin, [rule])
    reg.attach(optimizer)
    model(batch()).square().mean().backward()
    (twin(batch()).square().mean() + in_loss.penalty()).backward()
    optimizer.step()
    torch.testing.assert_close(model[0].weight_orig.grad, twin[0].weight_orig.grad)


def test_a_strength_that_is_found_works_with_references():
    model = mlp()
    strength = rz.TargetLoss(0.2)
    rule = rz.kernel(rz.L2Squared(strength), towards="initial", importance=squares(model, 2))
    reg = rz.Regularization(model, [rule])
    before = model[0].weight.detach().clone()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    reg.attach(optimizer)
    for step in range(3):
        optimizer.zero_grad()
        loss = model(batch(seed=step)).square().mean()
        loss.backward()
        (of_task,) = [model[0].weight.grad.clone()]
        at = model[0].weight.detach().clone()
        found = reg.strengths["0.weight/kernel/L2Squared/towards"]
        optimizer.step()
        slope = 2 * found * squares(model, 2)["0.weight"] * (at - before)
        torch.testing.assert_close(model[0].weight.grad - of_task, slope)
        reg.step(loss=loss)


# --- proximal

PROXIMAL = {
    "L1": (rz.L1(0.3), True),
    "L2Squared": (rz.L2Squared(0.3), True),
    "L1L2": (rz.L1L2(0.3, 0.2), True),
    "L2Norm": (rz.L2Norm(0.3), False),
    "GroupLasso": (rz.GroupLasso(0.3, axis="output"), False),
}


def nearest(penalty: rz.Penalty, w: Tensor, step: Tensor, start: Tensor, f: Tensor) -> Tensor:
    """Return the minimiser v of Σ f p(v − start) + Σ (v − w)² / 2 step, by hand."""
    d, t = w - start, step * f
    match penalty:
        case rz.L1(strength=s):
            moved = d.sign() * (d.abs() - t * s).relu()
        case rz.L2Squared(strength=s):
            moved = d / (1 + 2 * t * s)
        case rz.L1L2(l1=one, l2=two):
            moved = d.sign() * (d.abs() - t * one).relu() / (1 + 2 * t * two)
        case rz.L2Norm(strength=s):
            moved = d * (1 - t * s / d.norm()).relu()
        case rz.GroupLasso(strength=s):
            moved = d * (1 - t * s / d.norm(dim=1, keepdim=True)).relu()
    return start + moved


@pytest.mark.parametrize("is_weighted", [False, True])
@pytest.mark.parametrize("is_shifted", [False, True])
@pytest.mark.parametrize("name", PROXIMAL)
def test_a_proximal_step_goes_to_the_reference(name, is_shifted, is_weighted):
    penalty, may_be_weighted = PROXIMAL[name]
    if is_weighted and not may_be_weighted:
        with pytest.raises(ConfigurationError, match="sums over elements"):
            rz.kernel(penalty, proximal=True, importance={})
        return
    model = mlp()
    start = tensors(model, 1) if is_shifted else None
    fisher = squares(model, 2) if is_weighted else None
    rule = rz.kernel(penalty, proximal=True, towards=start, importance=fisher)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    rz.Regularization(model, [rule]).attach(optimizer)
    twin = copy.deepcopy(model)
    plain = torch.optim.SGD(twin.parameters(), lr=0.1)
    for step in range(3):
        for each, update in ((model, optimizer), (twin, plain)):
            update.zero_grad()
            each(batch(seed=step)).square().mean().backward()
            update.step()
        with torch.no_grad():
            for key in ("0.weight", "2.weight"):
                w = twin.get_parameter(key)
                zero, one = torch.zeros_like(w), torch.ones_like(w)
                f = fisher[key] if fisher else (one if may_be_weighted else torch.tensor(1.0))
                w.copy_(nearest(penalty, w, 0.1, start[key] if start else zero, f))
        for got, wanted in zip(model.parameters(), twin.parameters(), strict=True):
            torch.testing.assert_close(got, wanted)


def test_proximal_weights_arrive_at_the_reference_exactly():
    model = mlp()
    start = tensors(model, 1)
    rule = rz.kernel(rz.L1(1e3), proximal=True, towards=start)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    reg = rz.Regularization(model, [rule])
    reg.attach(optimizer)
    model(batch()).square().mean().backward()
    optimizer.step()
    assert torch.equal(model[0].weight, start["0.weight"])
    assert [row.zeros for row in reg.report().rows] == [1.0, 1.0]


def test_an_importance_of_zero_leaves_a_weight_where_it_is():
    model, twin = mlp(), mlp()
    none = {name: torch.zeros_like(p) for name, p in model.named_parameters()}
    rule = rz.kernel(rz.L1(5.0), proximal=True, towards=tensors(model, 1), importance=none)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    rz.Regularization(model, [rule]).attach(optimizer)
    plain = torch.optim.SGD(twin.parameters(), lr=0.1)
    for each, update in ((model, optimizer), (twin, plain)):
        each(batch()).square().mean().backward()
        update.step()
    for got, wanted in zip(model.parameters(), twin.parameters(), strict=True):
        assert torch.equal(got, wanted)


def test_proximal_rules_of_one_weight_with_two_references_raise():
    model = mlp()
    rules = [rz.kernel(rz.L1(0.1), proximal=True, towards=tensors(model, seed)) for seed in (1, 2)]
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with pytest.raises(ConfigurationError, match=r"0\.weight: its proximal rules have different"):
        rz.Regularization(model, rules).attach(optimizer)
    same = [rz.kernel(p, proximal=True, towards=tensors(model, 1)) for p in (rz.L1(1), rz.L1(2))]
    rz.Regularization(model, same).attach(optimizer)


# --- several regularizations of one optimizer


def test_two_tasks_before_are_two_regularizations_which_add_up():
    model = mlp()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    for seed in (1, 2):
        rule = rz.kernel(
            rz.L2Squared(0.5), towards=tensors(model, seed), importance=squares(model, seed)
        )
        rz.Regularization(model, [rule]).attach(optimizer)
    for p in model.parameters():
        p.grad = torch.zeros_like(p)
    optimizer.step()
    w = model[0].weight.detach()
    expected = sum(
        squares(model, seed)["0.weight"] * (w - tensors(model, seed)["0.weight"]) for seed in (1, 2)
    )
    torch.testing.assert_close(model[0].weight.grad, expected)


@pytest.mark.parametrize("towards", ["initial", "given"])
def test_a_cell_that_is_run_twice_counts_once(towards):
    model = mlp()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    for number in range(2):
        start = towards if towards == "initial" else tensors(model, 1)
        reg = rz.Regularization(model, [rz.kernel(rz.L2Squared(0.5), towards=start)])
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            reg.attach(optimizer)
        assert [str(w.message)[:40] for w in caught] == [
            "attach: this Regularization replaces one"
        ] * number
