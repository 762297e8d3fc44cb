"""Many weights in one step: added and shrunk together, each exactly as it would be by itself."""

import copy

import pytest
import torch
from torch import Tensor, nn

import regularizers as rz

# what is stepped together, and never one by one, changes no number
from regularizers.attach.step._batches import batches
from regularizers.attach.step._proximal import ProximalWeight
from regularizers.penalties.kernels import thresholds

PIECE = 64
SHAPES = [(7, 5), (1, 1), (4, 6), (3, 5), (PIECE + 3, 1), (5, 40)]


@pytest.fixture(autouse=True)
def _small_pieces(monkeypatch):
    monkeypatch.setattr(thresholds, "PIECE", PIECE)


def layers(dtype: torch.dtype = torch.float32) -> nn.Sequential:
    """Return kernels of many sizes: small, large, and one whose memory is in another order."""
    torch.manual_seed(0)
    model = nn.Sequential(*[nn.Linear(n, m, bias=False, dtype=dtype) for m, n in SHAPES])
    model.append(nn.Linear(1, 1, bias=False, dtype=dtype))
    model[-1].weight = nn.Parameter(torch.randn(30, 6, dtype=dtype).t())
    return model


def give_gradients(model: nn.Module, seed: int) -> None:
    """Give every weight but one a gradient of its own, of which some elements are always 0."""
    generator = torch.Generator().manual_seed(seed)
    for number, weight in enumerate(model.parameters()):
        if number == seed % 2:
            weight.grad = None
            continue
        values = torch.randn(weight.shape, generator=generator).to(weight.dtype)
        weight.grad = values * (torch.arange(weight.numel()).reshape(weight.shape) % 3 > 0)


OPTIMIZERS = {
    "SGD": lambda groups: torch.optim.SGD(groups, lr=0.1),
    "SGD with momentum": lambda groups: torch.optim.SGD(
        groups, lr=0.1, momentum=0.9, dampening=0.3
    ),
    "Adam": lambda groups: torch.optim.Adam(groups, lr=0.01),
    "Adam with amsgrad": lambda groups: torch.optim.Adam(groups, lr=0.01, amsgrad=True),
    "AdamW": lambda groups: torch.optim.AdamW(groups, lr=0.01, betas=(0.8, 0.9), eps=1e-3),
    "AdamW, fused": lambda groups: torch.optim.AdamW(groups, lr=0.01, fused=True),
    "SGD, rate as a tensor": lambda groups: torch.optim.SGD(groups, lr=torch.tensor(0.1)),
    "Adam, rate as a tensor": lambda groups: torch.optim.Adam(groups, lr=torch.tensor(0.01)),
}
PENALTIES = [
    rz.L1(0.3),
    rz.L1(3.0, reduce="mean"),
    rz.L2Squared(0.7, reduce="batch_mean"),
    rz.L1L2(0.2, 0.4),
    rz.L1(0.2) + rz.L2Squared(0.4, reduce="mean") + rz.L1(0.1),
    rz.L1(0.2) + rz.GroupLasso(0.1, axis=0),
]


def in_two_groups(model: nn.Module) -> list[dict]:
    weights = list(model.parameters())
    return [{"params": weights[::2]}, {"params": weights[1::2]}]


def step_size(optimizer: torch.optim.Optimizer, group: dict, weight: Tensor) -> float | Tensor:
    if "momentum" in group:
        return group["lr"] * (1 - group["dampening"]) / (1 - group["momentum"])
    state = optimizer.state[weight]
    second = state["max_exp_avg_sq" if group["amsgrad"] else "exp_avg_sq"]
    corrected = second / (1 - group["betas"][1] ** state["step"].double())
    return group["lr"] / (corrected.sqrt() + group["eps"])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16], ids=str)
@pytest.mark.parametrize("penalty", PENALTIES, ids=repr)
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_weights_are_shrunk_bit_for_bit_as_the_penalty_shrinks_arrays(name, penalty, dtype):
    model, other = layers(dtype), layers(dtype)
    attached, plain = (OPTIMIZERS[name](in_two_groups(net)) for net in (model, other))
    rz.Regularization(model, [rz.kernel(penalty, proximal=True)]).attach(attached)
    for seed in range(3):
        for net, optimizer in ((model, attached), (other, plain)):
            give_gradients(net, seed)
            optimizer.param_groups[1]["lr"] *= 0.5
            optimizer.step()
        with torch.no_grad():
            for group in plain.param_groups:
                for weight in group["params"]:
                    if weight.grad is not None:
                        weight.copy_(penalty.prox(weight, step_size(plain, group, weight)))
    for a, b in zip(model.parameters(), other.parameters(), strict=True):
        assert torch.equal(a, b)
        assert not torch.signbit(a[a == 0]).any()


@pytest.mark.parametrize("penalty", [*PENALTIES[:5], rz.Huber(0.3, delta=0.2)], ids=repr)
def test_gradients_are_added_as_the_penalty_adds_them_to_arrays(penalty):
    model, other = layers(torch.float64), layers(torch.float64)
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    rz.Regularization(model, [rz.kernel(penalty)]).attach(optimizer)
    give_gradients(model, 0)
    give_gradients(other, 0)
    optimizer.step()
    for got, weight in zip(model.parameters(), other.parameters(), strict=True):
        data = 0 if weight.grad is None else weight.grad
        expected = weight.detach() - data - penalty.gradient(weight.detach())
        torch.testing.assert_close(got.detach(), expected, rtol=1e-12, atol=1e-14)


def test_a_gradient_in_another_order_of_memory_than_its_weight():
    layer = nn.Linear(4, PIECE, bias=False)
    optimizer = torch.optim.SGD(layer.parameters(), lr=1.0)
    rz.Regularization(layer, [rz.kernel(rz.L1(0.5))]).attach(optimizer)
    before = layer.weight.detach().clone()
    layer.weight.grad = torch.zeros(4, PIECE).t()
    optimizer.step()
    assert torch.equal(layer.weight, before - 0.5 * before.sign())


def test_rules_alike_at_one_weight_add_up():
    model = nn.Sequential(*[nn.Linear(3, 2, bias=False) for _ in range(4)])
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    rules = [rz.kernel(rz.L1(0.1)), rz.kernel(rz.L1(0.1), where=["1", "2"])]
    rz.Regularization(model, rules).attach(optimizer)
    before = [layer.weight.detach().clone() for layer in model]
    for layer in model:
        layer.weight.grad = torch.zeros_like(layer.weight)
    optimizer.step()
    for layer, weight, strength in zip(model, before, (0.1, 0.2, 0.2, 0.1), strict=True):
        torch.testing.assert_close(layer.weight, weight - strength * weight.sign())
    assert optimizer.param_groups[0]["params"] == list(model.parameters())


@pytest.mark.parametrize("fused", [False, True])
def test_many_strengths_and_kinds_are_each_added_under_a_scale_too(fused):
    model = nn.Sequential(*[nn.Linear(3, 2, bias=False) for _ in range(9)])
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0, fused=fused)
    of = {
        number: rz.L1(0.1 * (1 + number % 3)) if number % 2 else rz.L2Squared(0.01 * number)
        for number in range(9)
    }
    rules = [rz.kernel(penalty, where=str(number)) for number, penalty in of.items()]
    rz.Regularization(model, rules).attach(optimizer)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**10)
    before = [layer.weight.detach().clone() for layer in model]
    scaler.scale(sum((layer.weight * 0.5).sum() for layer in model)).backward()
    scaler.step(optimizer)
    for number, weight in enumerate(before):
        expected = weight - 0.5 - of[number].gradient(weight)
        torch.testing.assert_close(model[number].weight.detach(), expected)


def test_a_weight_of_strength_0_gets_no_gradient_and_later_one():
    model = nn.ModuleList([nn.Linear(3, 1, bias=False) for _ in range(2)])
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    reg = rz.Regularization(model, [rz.kernel(rz.L1(0.0), where="0"), rz.kernel(rz.L1(0.1))])
    reg.strengths["0.weight/kernel/L1/2"] = 0.0
    reg.attach(optimizer)
    model[1].weight.grad = torch.zeros(1, 3)
    optimizer.step()
    assert model[0].weight.grad is None
    reg.strengths["0.weight/kernel/L1"] = 0.2
    before = model[0].weight.detach().clone()
    optimizer.step()
    torch.testing.assert_close(model[0].weight, before - 0.2 * before.sign())


@pytest.mark.parametrize("rule", [{}, {"proximal": True}], ids=str)
def test_a_schedule_changes_the_strengths_of_a_plan_that_holds(rule):
    model = nn.Sequential(*[nn.Linear(3, 2, bias=False) for _ in range(3)])
    other = copy.deepcopy(model)
    warmup = rz.LinearWarmup(0.3, steps=3)
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    reg = rz.Regularization(model, [rz.kernel(rz.L1(warmup), **rule)])
    reg.attach(optimizer)
    plans = []
    for step in range(5):
        for weight, alone in zip(model.parameters(), other.parameters(), strict=True):
            weight.grad = torch.zeros_like(weight)
            l1 = rz.L1(0.1 * min(step, 3))
            with torch.no_grad():
                alone.copy_(l1.prox(alone, 1.0) if rule else alone - l1.gradient(alone))
        optimizer.step()
        plans += reg._applied._plans.values()
        for weight, alone in zip(model.parameters(), other.parameters(), strict=True):
            torch.testing.assert_close(weight, alone)
    assert len(plans) == 5
    assert len(set(map(id, plans))) == 1


def test_batches_hold_no_more_than_a_piece_unless_one_weight_does():
    sizes = [1, PIECE - 1, 1, PIECE + 1, 5, PIECE, 0]
    elsewhere = [torch.empty(size, device="meta") for size in sizes]
    assert list(batches(elsewhere)) == [slice(0, 7)]
    weights = [torch.empty(size) for size in sizes]
    cut = [[w.numel() for w in weights[some]] for some in batches(weights)]
    assert cut == [[1, PIECE - 1], [1], [PIECE + 1], [5], [PIECE, 0]]


@pytest.mark.parametrize("name", ["SGD with momentum", "Adam with amsgrad", "AdamW, fused"])
def test_the_common_penalties_are_not_shrunk_one_by_one(name, monkeypatch):
    monkeypatch.delattr(ProximalWeight, "shrink")
    model = layers()
    optimizer = OPTIMIZERS[name](in_two_groups(model))
    rules = [rz.kernel(rz.L1L2(0.1, 0.2), proximal=True), rz.kernel(rz.L1(0.1), proximal=True)]
    rz.Regularization(model, rules).attach(optimizer)
    give_gradients(model, 0)
    optimizer.step()
    assert not torch.isnan(model[2].weight).any()


@pytest.mark.parametrize("maximize", [{}, {"maximize": False}], ids=str)
def test_an_optimizer_of_ones_own_and_weights_that_come_and_go(maximize):
    class Own(torch.optim.Optimizer):
        def __init__(self, weights):
            super().__init__(weights, {"lr": 1.0, **maximize})

        @torch.no_grad()
        def step(self):
            for weight in self.param_groups[0]["params"]:
                if weight.grad is not None:
                    weight.sub_(weight.grad)

    model = nn.Sequential(nn.Linear(3, 3, bias=False), nn.Linear(3, 3, bias=False))
    model[1].weight = model[0].weight
    untied = nn.Parameter(torch.randn(3, 3))
    optimizer = Own([model[0].weight, untied])
    rz.Regularization(model, [rz.kernel(rz.L1(0.1))]).attach(optimizer)

    def penalised() -> list[bool]:
        weights = (model[0].weight, untied)
        before = [weight.detach().clone() for weight in weights]
        for weight in weights:
            weight.grad = torch.zeros_like(weight)
        optimizer.step()
        expected = [old - 0.1 * old.sign() for old in before]
        moved = [not torch.equal(new, old) for new, old in zip(weights, before, strict=True)]
        for new, old, to, has in zip(weights, before, expected, moved, strict=True):
            torch.testing.assert_close(new.detach(), to if has else old)
        return moved

    assert penalised() == [True, False]
    model[1].weight = untied
    assert penalised() == [True, True]
    model[0].weight.requires_grad_(False)  # with the gradient that it still has
    assert penalised() == [False, True]
    model[0].weight.requires_grad_()
    model[1].weight = model[0].weight
    assert penalised() == [True, False]


def test_a_direction_that_is_turned_round_between_steps():
    layer = nn.Linear(3, 1, bias=False)
    optimizer = torch.optim.SGD(layer.parameters(), lr=1.0)
    rz.Regularization(layer, [rz.kernel(rz.L1(0.1))]).attach(optimizer)
    for maximize in (False, True, False):
        optimizer.param_groups[0]["maximize"] = maximize
        before = layer.weight.detach().clone()
        layer.weight.grad = torch.zeros_like(before)
        optimizer.step()
        torch.testing.assert_close(layer.weight, before - 0.1 * before.sign())


def test_a_weight_replaced_in_the_model_alone_is_an_error_at_the_next_step():
    model = nn.Sequential(nn.Linear(3, 3, bias=False), nn.Linear(3, 3, bias=False))
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    rz.Regularization(model, [rz.kernel(rz.L1(0.1))]).attach(optimizer)
    for weight in model.parameters():
        weight.grad = torch.zeros_like(weight)
    optimizer.step()
    model[1].weight = nn.Parameter(torch.randn(3, 3))
    with pytest.raises(rz.RegularizersError, match=r"not held by SGD: 1\.weight; give"):
        optimizer.step()


def test_a_weight_that_is_computed_from_now_on_is_an_error_at_the_next_step():
    layer = nn.Linear(3, 3)
    optimizer = torch.optim.SGD(layer.parameters(), lr=1.0)
    rz.Regularization(layer, [rz.kernel(rz.L1(0.1))]).attach(optimizer)
    nn.utils.parametrizations.spectral_norm(layer)
    with pytest.raises(rz.RegularizersError, match=r"^weight is computed from other parameters"):
        optimizer.step()
