"""Constraints kept by `attach(optimizer)`: against the same steps with a projection by hand."""

import copy
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from scipy.optimize import lsq_linear, nnls
from torch import Tensor, nn
from torch.nn.utils import prune
from torch.optim import SGD, Adam, AdamW, Optimizer, RMSprop

import regularizers as rz
from attach.helpers import batch, mlp
from regularizers.errors import SelectionError

OPTIMIZERS: dict[str, Callable[[nn.Module], Optimizer]] = {
    "SGD": lambda m: SGD(m.parameters(), lr=0.3),
    "momentum": lambda m: SGD(m.parameters(), lr=0.1, momentum=0.9, nesterov=True),
    "fused": lambda m: SGD(m.parameters(), lr=0.3, fused=True),
    "foreach": lambda m: SGD(m.parameters(), lr=0.3, foreach=True),
    "maximize": lambda m: SGD(m.parameters(), lr=0.3, maximize=True),
    "Adam": lambda m: Adam(m.parameters(), lr=0.1),
    "AdamW": lambda m: AdamW(m.parameters(), lr=0.1, weight_decay=0.5),
    "RMSprop": lambda m: RMSprop(m.parameters(), lr=0.05),
}
CONSTRAINTS = [
    rz.MaxNorm(0.8, axis="output"),
    rz.MinMaxNorm(0.5, 0.7, 0.5, axis="input"),
    rz.NonNegative(),
    rz.Bounds(-0.2, 0.3),
    rz.UnitNorm(axis="input"),
]
every_constraint = pytest.mark.parametrize("constraint", CONSTRAINTS, ids=repr)


def by_hand(constraint: rz.Constraint, w: Tensor) -> Tensor:
    """Return the projection of the weight of a linear layer, whose rows are outputs."""
    match constraint:
        case rz.NonNegative():
            return w.clamp(min=0)
        case rz.Bounds(low=low, high=high):
            return w.clamp(low, high)
    norm = w.norm(dim=1 if constraint.axis == "output" else 0, keepdim=True)
    match constraint:
        case rz.MaxNorm(limit=limit):
            return w * (limit / norm).clamp(max=1)
        case rz.MinMaxNorm(low=low, high=high, rate=rate):
            return w * (rate * norm.clamp(low, high) + (1 - rate) * norm) / norm
    return w / norm


def tangential(constraint: rz.Constraint, w: Tensor) -> None:
    if isinstance(constraint, rz.UnitNorm):
        w.grad -= (w.grad * w).sum(dim=0, keepdim=True) / w.square().sum(dim=0, keepdim=True) * w


def kernels(model: nn.Module) -> list[Tensor]:
    return [module.weight for module in model.modules() if isinstance(module, nn.Linear)]


def plain_step(
    model: nn.Module, optimizer: Optimizer, constraint: rz.Constraint, x: Tensor, penalty=None
) -> None:
    """Make a step with the constraint kept by hand."""
    optimizer.zero_grad()
    loss = model(x).square().mean()
    if penalty is not None:
        loss = loss + sum(penalty(w) for w in kernels(model))
    loss.backward()
    with torch.no_grad():
        for w in kernels(model):
            tangential(constraint, w)
        optimizer.step()
        for w in kernels(model):
            w.copy_(by_hand(constraint, w))


def twins() -> tuple[nn.Sequential, nn.Sequential]:
    model = mlp()
    return model, copy.deepcopy(model)


def attached(model: nn.Module, optimizer: Optimizer, *rules: rz.Rule) -> rz.Regularization:
    reg = rz.Regularization(model, rules)
    reg.attach(optimizer)
    return reg


def assert_alike(model: nn.Module, twin: nn.Module) -> None:
    for (name, p), q in zip(model.named_parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(p, q, rtol=1e-9, atol=1e-12, msg=lambda m, n=name: f"{n}: {m}")


@every_constraint
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_steps_are_those_of_the_optimizer_and_a_projection(name, constraint):
    model, twin = twins()
    optimizer, plain = OPTIMIZERS[name](model), OPTIMIZERS[name](twin)
    attached(model, optimizer, rz.constraint(constraint))
    with torch.no_grad():
        for w in kernels(twin):
            w.copy_(by_hand(constraint, w))
    for seed in range(4):
        x = batch(seed=seed)
        optimizer.zero_grad()
        model(x).square().mean().backward()
        optimizer.step()
        plain_step(twin, plain, constraint, x)
        assert_alike(model, twin)


@every_constraint
def test_attach_projects_the_kernels_and_nothing_else(constraint):
    model, twin = twins()
    attached(model, SGD(model.parameters(), lr=0.1), rz.constraint(constraint, where="0"))
    torch.testing.assert_close(model[0].weight, by_hand(constraint, twin[0].weight))
    for name in ("0.bias", "2.weight", "2.bias"):
        assert torch.equal(model.get_parameter(name), twin.get_parameter(name))


@every_constraint
@pytest.mark.parametrize("penalty", [rz.L2Squared(0.3), rz.L1(0.1)], ids=repr)
def test_the_gradient_of_a_penalty_is_constrained_too(constraint, penalty):
    model, twin = twins()
    optimizer, plain = (Adam(m.parameters(), lr=0.1) for m in (model, twin))
    reg = attached(model, optimizer, rz.constraint(constraint), rz.kernel(penalty))
    with torch.no_grad():
        for w in kernels(twin):
            w.copy_(by_hand(constraint, w))
    for seed in range(3):
        x = batch(seed=seed)
        optimizer.zero_grad()
        (model(x).square().mean() + reg.penalty()).backward()
        optimizer.step()
        plain_step(twin, plain, constraint, x, penalty)
        assert_alike(model, twin)


@every_constraint
def test_a_projection_follows_a_proximal_step(constraint):
    model, twin = twins()
    optimizer, plain = (SGD(m.parameters(), lr=0.5) for m in (model, twin))
    penalty = rz.L1(0.2)
    attached(model, optimizer, rz.constraint(constraint), rz.kernel(penalty, proximal=True))
    with torch.no_grad():
        for w in kernels(twin):
            w.copy_(by_hand(constraint, w))
    for seed in range(3):
        x = batch(seed=seed)
        for net, of in ((model, optimizer), (twin, plain)):
            of.zero_grad()
            net(x).square().mean().backward()
        with torch.no_grad():
            for w in kernels(twin):
                tangential(constraint, w)
        optimizer.step()
        plain.step()
        with torch.no_grad():
            for w in kernels(twin):
                shrunk = (w.abs() - 0.5 * 0.2).clamp(min=0) * w.sign()
                norm = shrunk.norm(dim=0, keepdim=True)
                assert (norm > 0).all() or not isinstance(constraint, rz.UnitNorm)
                w.copy_(torch.nan_to_num(by_hand(constraint, shrunk)))
        assert_alike(model, twin)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_after_a_hundred_steps_of_adam_the_norm_is_1_and_every_gradient_was_tangential(dtype):
    torch.manual_seed(0)
    model = nn.Linear(16, 24).to(dtype)
    optimizer = Adam(model.parameters(), lr=0.05)
    attached(
        model,
        optimizer,
        rz.constraint(rz.UnitNorm(axis="input")),
        rz.kernel(rz.L2Squared(1.0)),
    )
    cosines: list[float] = []

    def look(*_: object) -> None:
        w, g = model.weight.detach(), model.weight.grad
        cosines.append(((g * w).sum(dim=0) / g.norm(dim=0) / w.norm(dim=0)).abs().max().item())

    optimizer.register_step_pre_hook(look)
    for _ in range(100):
        optimizer.zero_grad()
        model(torch.randn(8, 16, dtype=dtype)).sub(1).square().mean().backward()
        optimizer.step()
    assert len(cosines) == 100
    assert max(cosines) < 1e-6
    torch.testing.assert_close(
        model.weight.norm(dim=0), torch.ones(16, dtype=dtype), rtol=1e-6, atol=0
    )


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("unscale", [False, True])
def test_a_loss_scale_changes_nothing(fused, unscale):
    constraint = rz.UnitNorm(axis="input")
    model, twin = (net.float() for net in twins())
    optimizer, plain = (SGD(m.parameters(), lr=0.3, fused=fused) for m in (model, twin))
    attached(model, optimizer, rz.constraint(constraint), rz.kernel(rz.L1(0.1)))
    with torch.no_grad():
        for w in kernels(twin):
            w.copy_(by_hand(constraint, w))
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    for seed in range(3):
        x = batch(seed=seed).float()
        optimizer.zero_grad()
        scaler.scale(model(x).square().mean()).backward()
        if unscale:
            scaler.unscale_(optimizer)
        scaler.step(optimizer)
        scaler.update()
        plain_step(twin, plain, constraint, x, rz.L1(0.1))
        for w, v in zip(kernels(model), kernels(twin), strict=True):
            torch.testing.assert_close(w, v, rtol=1e-5, atol=1e-6)


def test_a_step_whose_gradient_overflowed_keeps_the_weights():
    model = mlp().float()
    optimizer = SGD(model.parameters(), lr=0.1, fused=True)
    attached(model, optimizer, rz.constraint(rz.UnitNorm(axis="input")))
    before = model[0].weight.detach().clone()
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**40)
    scaler.scale(model(batch().float() * 1e30).square().mean()).backward()
    scaler.step(optimizer)
    torch.testing.assert_close(model[0].weight.detach(), before, rtol=1e-6, atol=0)


def test_a_closure_and_accumulation():
    constraint = rz.UnitNorm(axis="output")
    model, twin = twins()
    optimizer, plain = (Adam(m.parameters(), lr=0.1) for m in (model, twin))
    attached(model, optimizer, rz.constraint(constraint))
    attached(twin, plain, rz.constraint(constraint))
    x = batch(8)

    def closure() -> Tensor:
        optimizer.zero_grad()
        losses = [model(part).square().sum() / 8 for part in x.split(2)]
        for loss in losses:
            loss.backward()
        return sum(losses)

    for _ in range(3):
        optimizer.step(closure)
        plain.zero_grad()
        (twin(x).square().sum() / 8).backward()
        plain.step()
        assert_alike(model, twin)


def test_a_weight_without_a_gradient_is_kept_and_gets_none():
    model = nn.ModuleList([nn.Linear(2, 3), nn.Linear(2, 3)])
    optimizer = SGD(model.parameters(), lr=0.1)
    attached(model, optimizer, rz.constraint(rz.UnitNorm(axis="output")))
    with torch.no_grad():
        model[1].weight.mul_(3)  # as a state that is loaded later may be
    model[0](torch.ones(1, 2)).sum().backward()
    optimizer.step()
    assert model[1].weight.grad is None
    for layer in model:
        torch.testing.assert_close(layer.weight.norm(dim=1), torch.ones(3))


def test_a_sparse_gradient_becomes_dense_under_unit_norm():
    table = nn.Embedding(5, 3, sparse=True)
    optimizer = SGD(table.parameters(), lr=0.1)
    rules = [rz.constraint(rz.UnitNorm(axis="input"))]
    reg = rz.Regularization(table, rules, roles={"": "kernel"})
    reg.attach(optimizer)
    before = table.weight.detach().clone()
    table(torch.tensor([1, 1, 4])).sum().backward()
    gradient = torch.tensor([0.0, 2, 0, 0, 1]).reshape(5, 1).expand(5, 3)
    gradient = gradient - (gradient * before).sum(dim=1, keepdim=True) * before
    optimizer.step()
    stepped = before - 0.1 * gradient
    torch.testing.assert_close(table.weight.detach(), stepped / stepped.norm(dim=1, keepdim=True))


@pytest.mark.parametrize("shuffled", [False, True])
def test_several_constraints_are_applied_in_the_order_of_the_rules(shuffled):
    model, twin = twins()
    given = [rz.MaxNorm(0.5, axis="output"), rz.Bounds(0.1, 0.4)]
    given = given[::-1] if shuffled else given
    optimizer = SGD(model.parameters(), lr=0.1)
    attached(model, optimizer, *[rz.constraint(one, where="0") for one in given])
    expected = twin[0].weight.detach()
    for one in given:
        expected = by_hand(one, expected)
    torch.testing.assert_close(model[0].weight.detach(), expected)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16])
def test_many_weights_are_projected_together_bit_for_bit(dtype):
    torch.manual_seed(0)
    given = [rz.Bounds(-0.3, 0.2), rz.NonNegative()]
    model = nn.Sequential(*[nn.Linear(4, k) for k in (2, 4, 3)]).to(dtype)
    before = [layer.weight.detach().clone() for layer in model]
    attached(model, SGD(model.parameters(), lr=0.1), *[rz.constraint(one) for one in given])
    for layer, w in zip(model, before, strict=True):
        expected = given[1].project(given[0].project(w))
        assert torch.equal(layer.weight, expected)


@pytest.mark.parametrize("axis", ["output", "input"])
def test_roles_of_axes_that_the_layout_hides(axis):
    torch.manual_seed(0)
    model = nn.ModuleDict(
        {
            "conv": nn.Conv2d(4, 6, 3, groups=2),
            "up": nn.ConvTranspose1d(4, 6, 3),
            "rnn": nn.LSTM(3, 5),
        }
    )
    optimizer = SGD(model.parameters(), lr=0.1)
    attached(model, optimizer, rz.constraint(rz.UnitNorm(axis=axis)))
    for p in model.parameters():
        p.grad = torch.randn(p.shape)
    optimizer.step()
    conv, up, rnn = model["conv"].weight, model["up"].weight, model["rnn"].weight_ih_l0
    if axis == "output":
        norms = [conv.flatten(1).norm(dim=1), up.norm(dim=(0, 2))]
        norms.append(rnn.reshape(4, 5, 3).norm(dim=(0, 2)))
    else:
        norms = [conv.reshape(2, 3, 2, 9).norm(dim=(1, 3)).flatten(), up.norm(dim=(1, 2))]
        norms.append(rnn.norm(dim=0))
    for norm in norms:
        torch.testing.assert_close(norm.detach(), torch.ones(len(norm)))


def test_a_pruned_weight_keeps_its_zeros_and_the_mask_times_the_parameter_is_kept():
    torch.manual_seed(0)
    layer = nn.Linear(6, 4)
    prune.random_unstructured(layer, "weight", amount=0.4)
    mask = layer.weight_mask.clone()
    optimizer = Adam(layer.parameters(), lr=0.1)
    reg = attached(layer, optimizer, rz.constraint(rz.UnitNorm(axis="output")))
    pruned = layer.weight_orig.detach()[mask == 0].clone()
    for _ in range(5):
        optimizer.zero_grad()
        layer(torch.randn(8, 6)).square().sum().backward()
        optimizer.step()
        effective = mask * layer.weight_orig
        torch.testing.assert_close(effective.norm(dim=1), torch.ones(4))
        assert torch.equal(layer.weight_orig.detach()[mask == 0], pruned)
    assert reg.as_dict() == {"weight/kernel/UnitNorm/distance": pytest.approx(0, abs=1e-6)}


def test_frozen_weights_are_left_alone_until_they_are_trained():
    model, twin = twins()
    model[0].weight.requires_grad_(False)
    optimizer = SGD(model.parameters(), lr=0.1)
    attached(model, optimizer, rz.constraint(rz.UnitNorm(axis="output")))
    model(batch()).square().mean().backward()
    optimizer.step()
    assert torch.equal(model[0].weight, twin[0].weight)
    model[0].weight.requires_grad_()
    model(batch()).square().mean().backward()
    optimizer.step()
    torch.testing.assert_close(model[0].weight.norm(dim=1), torch.ones(5).double())


def test_a_tied_weight_is_projected_once():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 3, bias=False), nn.Linear(3, 3, bias=False))
    model[1].weight = model[0].weight
    before = model[0].weight.detach().clone()
    half = rz.MinMaxNorm(0.0, 0.1, 0.5, axis=0)  # twice would go three quarters of the way
    attached(model, SGD(model.parameters(), lr=0.1), rz.constraint(half))
    norm = before.norm(dim=1)
    assert (norm > 0.1).all()
    torch.testing.assert_close(model[0].weight.norm(dim=1).detach(), (norm + 0.1) / 2)


def test_detaching_ends_it():
    model = mlp()
    optimizer = SGD(model.parameters(), lr=0.5)
    reg = attached(model, optimizer, rz.constraint(rz.UnitNorm(axis="output")))
    reg.detach()
    model(batch()).square().mean().backward()
    optimizer.step()
    assert (model[0].weight.norm(dim=1) - 1).abs().max() > 1e-3


def test_copies_of_marked_models_keep_their_constraints():
    layer = rz.regularize(
        nn.Linear(3, 2),
        kernel_constraint=rz.UnitNorm(axis="output"),
        bias_constraint=rz.NonNegative(),
    )
    twin = copy.deepcopy(nn.Sequential(layer))
    with torch.no_grad():
        twin[0].bias.copy_(torch.tensor([-1.0, 0.5]))
    reg = attached(twin, SGD(twin.parameters(), lr=0.1))
    assert [(row.site, row.kind) for row in reg.report().rows] == [
        ("0.weight", "constraint"),
        ("0.bias", "constraint"),
    ]
    torch.testing.assert_close(twin[0].weight.norm(dim=1), torch.ones(2))
    assert twin[0].bias.tolist() == [0.0, 0.5]
    mark = layer.__dict__["_regularizers"]
    assert copy.deepcopy(mark) == mark


def test_rules_of_constraints_alone_have_a_penalty_of_0():
    model = mlp()
    optimizer = SGD(model.parameters(), lr=0.1)
    reg = attached(model, optimizer, rz.constraint(rz.UnitNorm(axis="output")))
    loss = model(batch()).square().mean()
    assert reg.penalty().item() == 0
    (loss + reg.penalty()).backward()
    optimizer.step()
    assert reg.penalties() == {}
    distances = reg.as_dict()
    assert list(distances) == [f"{k}.weight/kernel/UnitNorm/distance" for k in (0, 2)]
    assert max(distances.values()) < 1e-12


def test_the_distance_is_that_to_the_projection():
    layer = nn.Linear(2, 1, bias=False)
    reg = attached(layer, SGD(layer.parameters(), lr=0.1), rz.constraint(rz.MaxNorm(1.0, axis=0)))
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[3.0, 4.0]]))
    assert reg.as_dict() == {"weight/kernel/MaxNorm/distance": pytest.approx(4.0)}


def test_two_optimizers_keep_what_each_holds():
    model = mlp()
    optimizers = [SGD(model[k].parameters(), lr=0.3) for k in (0, 2)]
    reg = rz.Regularization(model, [rz.constraint(rz.UnitNorm(axis="output"))])
    reg.attach(*optimizers)
    model(batch()).square().mean().backward()
    optimizers[0].step()
    assert (model[0].weight.norm(dim=1) - 1).abs().max() < 1e-12
    optimizers[1].step()
    assert (model[2].weight.norm(dim=1) - 1).abs().max() < 1e-12


class Slow(Optimizer):
    """Lookahead: steps another optimizer, and then goes half the way back."""

    def __init__(self, optimizer: Optimizer) -> None:
        super().__init__([p for g in optimizer.param_groups for p in g["params"]], {})
        self.optimizer = optimizer

    @torch.no_grad()
    def step(self) -> None:
        parameters = self.param_groups[0]["params"]
        before = [p.clone() for p in parameters]
        self.optimizer.step()
        for parameter, slow in zip(parameters, before, strict=True):
            parameter.lerp_(slow, 0.5)


def test_an_optimizer_around_another_ends_within_the_constraint():
    model = mlp()
    optimizer = Slow(SGD(model.parameters(), lr=1.0))
    attached(model, optimizer, rz.constraint(rz.UnitNorm(axis="output")))
    model(batch()).square().sum().backward()
    optimizer.step()
    assert (model[0].weight.norm(dim=1) - 1).abs().max() < 1e-12


def test_a_weight_added_later_is_kept_from_its_first_step_on():
    model = mlp()
    optimizer = SGD(model.parameters(), lr=0.1)
    attached(model, optimizer, rz.constraint(rz.UnitNorm(axis="output")))
    model.add_module("3", nn.Linear(2, 3).double())
    optimizer.add_param_group({"params": model[3].parameters()})
    model(batch()).square().mean().backward()
    optimizer.step()
    torch.testing.assert_close(model[3].weight.norm(dim=1), torch.ones(3).double())


def test_a_constraint_of_ones_own():
    @dataclass(frozen=True)
    class Symmetric(rz.Constraint):
        def projection(self, x, xp):
            return (x + xp.permute_dims(x, (1, 0))) / 2

    layer = nn.Linear(3, 3)
    optimizer = Adam(layer.parameters(), lr=0.1)
    attached(layer, optimizer, rz.constraint(Symmetric()))
    layer(torch.randn(4, 3)).square().sum().backward()
    optimizer.step()
    assert torch.equal(layer.weight, layer.weight.T)


def fitted(x: Tensor, y: Tensor, constraint: rz.Constraint) -> np.ndarray:
    """Return the weights of least squares by projected gradient descent."""
    layer = nn.Linear(x.shape[1], 1, bias=False).double()
    rate = 1 / torch.linalg.matrix_norm(x, 2).item() ** 2
    optimizer = SGD(layer.parameters(), lr=rate)
    attached(layer, optimizer, rz.constraint(constraint))
    for _ in range(500):
        optimizer.zero_grad()
        (0.5 * (layer(x).squeeze(1) - y).square().sum()).backward()
        optimizer.step()
    return layer.weight.detach().flatten().numpy()


def regression() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(30, 6, generator=generator, dtype=torch.float64)
    truth = torch.tensor([2.0, -1.0, 0.5, -0.2, 0.0, 1.0], dtype=torch.float64)
    return x, x @ truth + 0.1 * torch.randn(30, generator=generator, dtype=torch.float64)


def test_projected_descent_reaches_non_negative_least_squares():
    x, y = regression()
    expected, _ = nnls(x.numpy(), y.numpy())
    assert 0 < (expected == 0).sum() < 6
    weights = fitted(x, y, rz.NonNegative())
    np.testing.assert_array_equal(weights == 0, expected == 0)
    np.testing.assert_allclose(weights, expected, atol=1e-9)


def test_projected_descent_reaches_bounded_least_squares():
    x, y = regression()
    expected = lsq_linear(x.numpy(), y.numpy(), (-0.5, 0.8), method="bvls", tol=1e-14).x
    weights = fitted(x, y, rz.Bounds(-0.5, 0.8))
    assert 0 < np.isin(expected, (-0.5, 0.8)).sum() < 6
    np.testing.assert_allclose(weights, expected, atol=1e-9)


def test_projected_descent_reaches_least_squares_in_a_ball():
    """Where the limit binds, the solution is that of ridge at the multiplier of the limit."""
    x, y = regression()
    weights = torch.from_numpy(fitted(x, y, rz.MaxNorm(1.0, axis=0)))
    pull = x.T @ (y - x @ weights)
    assert weights.norm().item() == pytest.approx(1.0)
    multiplier = (pull @ weights).item()
    assert multiplier > 0
    ridge = torch.linalg.solve(x.T @ x + multiplier * torch.eye(6).double(), x.T @ y)
    torch.testing.assert_close(weights, ridge, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("constraint", [CONSTRAINTS[0], *CONSTRAINTS[2:]], ids=repr)
def test_a_training_goes_on_from_the_very_weights_that_were_projected(constraint):
    for seed in range(20):
        torch.manual_seed(seed)
        model = nn.Linear(7, 5)
        rules = [rz.constraint(constraint)]
        with rz.Regularization(model, rules) as reg:
            reg.attach(SGD(model.parameters(), lr=0.1))
        saved = model.weight.clone()
        with rz.Regularization(model, rules) as again:
            again.attach(SGD(model.parameters(), lr=0.1))
        assert model.weight.equal(saved)


def test_a_parameter_that_is_no_kernel_is_kept_by_its_full_name():
    model = nn.Sequential(nn.Linear(3, 3), nn.LayerNorm(3), rz.layers.JumpReLU(3, 0.2))
    rules = [
        rz.constraint(rz.NonNegative(), where=["2.gate.threshold", "0.weight"]),
        rz.constraint(rz.Bounds(0.9, 1.1), where="1.weight"),
    ]
    optimizer = SGD(model.parameters(), lr=1.0)
    with rz.Regularization(model, rules) as reg:
        reg.attach(optimizer)
        assert (model[0].weight >= 0).all()
        model[2].threshold.grad = torch.tensor([0.5, 0.1, -0.3])
        model[1].weight.grad = torch.tensor([1.0, -1.0, 0.05])
        model[1].bias.grad = torch.tensor([0.0, 0.0, 2.0])
        optimizer.step()
    torch.testing.assert_close(model[2].threshold, torch.tensor([0.0, 0.1, 0.5]))
    torch.testing.assert_close(model[1].weight, torch.tensor([0.9, 1.1, 0.95]))
    assert model[1].bias.tolist() == [0.0, 0.0, -2.0]


@pytest.mark.parametrize("where", ["1", "1.*", nn.LayerNorm, "1.weig"])
def test_a_parameter_that_is_no_kernel_is_kept_by_nothing_else(where):
    model = nn.Sequential(nn.Linear(3, 3), nn.LayerNorm(3))
    with pytest.raises(SelectionError):
        rz.Regularization(model, [rz.constraint(rz.NonNegative(), where=where)]).attach(
            SGD(model.parameters(), lr=1.0)
        )
