"""Proximal rules under an optimizer: the solutions of scikit-learn, with the same exact zeros."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_diabetes
from sklearn.linear_model import ElasticNet, Lasso
from torch import Tensor, nn

import regularizers as rz

RATE = 0.1
OPTIMIZERS = {
    "SGD": lambda p: torch.optim.SGD(p, lr=RATE),
    "SGD with momentum": lambda p: torch.optim.SGD(p, lr=RATE / 10, momentum=0.9),
    "SGD with dampening": lambda p: torch.optim.SGD(p, lr=RATE, momentum=0.8, dampening=0.5),
    "SGD with Nesterov momentum": lambda p: torch.optim.SGD(
        p, lr=RATE / 10, momentum=0.9, nesterov=True
    ),
    "Adam": lambda p: torch.optim.Adam(p, lr=RATE),
    "Adam with amsgrad": lambda p: torch.optim.Adam(p, lr=RATE * 10, amsgrad=True),
    "AdamW": lambda p: torch.optim.AdamW(p, lr=RATE, weight_decay=0.0),
    "Adam, fused": lambda p: torch.optim.Adam(p, lr=RATE, fused=True),
    "SGD, rate as a tensor": lambda p: torch.optim.SGD(p, lr=torch.tensor(RATE)),
}


@pytest.fixture(scope="module")
def diabetes() -> tuple[Tensor, Tensor]:
    """Return standardised features and a standardised target."""
    x, y = load_diabetes(return_X_y=True)
    x, y = ((v - v.mean(axis=0)) / v.std(axis=0) for v in (x, y))
    return torch.from_numpy(x), torch.from_numpy(y)


def fitted(x: Tensor, y: Tensor, rules: list[rz.Rule], make, *, count: int = 500):
    """Return the weights after full-batch steps of the squared error, the rate annealed."""
    layer = nn.Linear(x.shape[1], 1, bias=False).double()
    nn.init.zeros_(layer.weight)
    optimizer = make(layer.parameters())
    anneal = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda k: min(1, 2 * (1 - k / count)))
    reg = rz.Regularization(layer, rules)
    reg.attach(optimizer)
    for _ in range(count):
        optimizer.zero_grad()
        (0.5 * (layer(x).squeeze(1) - y).square().mean()).backward()
        optimizer.step()
        anneal.step()
    return layer.weight.detach().flatten().numpy(), reg


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_l1_reaches_the_lasso(name, diabetes):
    x, y = diabetes
    weights, _ = fitted(x, y, [rz.kernel(rz.L1(0.05), proximal=True)], OPTIMIZERS[name])
    expected = Lasso(0.05, fit_intercept=False, tol=1e-12).fit(x.numpy(), y.numpy()).coef_
    assert 0 < (expected == 0).sum() < 8
    np.testing.assert_array_equal(weights == 0, expected == 0)
    np.testing.assert_allclose(weights, expected, atol=1e-3)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_l1l2_reaches_the_elastic_net(name, diabetes):
    x, y = diabetes
    alpha, share = 0.1, 0.6
    penalty = rz.L1L2(alpha * share, 0.5 * alpha * (1 - share))
    weights, _ = fitted(x, y, [rz.kernel(penalty, proximal=True)], OPTIMIZERS[name])
    net = ElasticNet(alpha, l1_ratio=share, fit_intercept=False, tol=1e-12)
    expected = net.fit(x.numpy(), y.numpy()).coef_
    assert 0 < (expected == 0).sum() < 8
    np.testing.assert_array_equal(weights == 0, expected == 0)
    np.testing.assert_allclose(weights, expected, atol=1e-3)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_proximal_rule_goes_beside_one_in_the_gradient(name, diabetes):
    x, y = diabetes
    alpha, share = 0.1, 0.6
    rules = [
        rz.kernel(rz.L1(alpha * share), proximal=True),
        rz.kernel(rz.L2Squared(0.5 * alpha * (1 - share))),
    ]
    weights, _ = fitted(x, y, rules, OPTIMIZERS[name])
    net = ElasticNet(alpha, l1_ratio=share, fit_intercept=False, tol=1e-12)
    expected = net.fit(x.numpy(), y.numpy()).coef_
    np.testing.assert_array_equal(weights == 0, expected == 0)
    np.testing.assert_allclose(weights, expected, atol=1e-3)


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("strength", [0.05, 0.2, 5.0])
def test_group_lasso_reaches_its_closed_form_for_orthonormal_features(name, strength):
    """Minimising ½‖w_g − z_g‖²/n + s‖w_g‖ over groups g gives (1 − ns/‖z_g‖)₊ z_g."""
    generator = torch.Generator().manual_seed(0)
    x = torch.linalg.qr(torch.randn(40, 6, generator=generator, dtype=torch.float64))[0] * 40**0.5
    target = (
        x
        @ torch.randn(6, 3, generator=generator, dtype=torch.float64)
        * torch.tensor([1.0, 0.3, 0.05])
    )
    layer = nn.Linear(6, 3, bias=False).double()
    optimizer = OPTIMIZERS[name](layer.parameters())
    count = 500
    anneal = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda k: min(1, 2 * (1 - k / count)))
    reg = rz.Regularization(layer, [rz.kernel(rz.GroupLasso(strength, axis=0), proximal=True)])
    reg.attach(optimizer)
    for _ in range(count):
        optimizer.zero_grad()
        (0.5 * (layer(x) - target).square().sum(dim=1).mean()).backward()
        optimizer.step()
        anneal.step()
    z = target.T @ x / 40
    expected = (1 - strength / z.norm(dim=1, keepdim=True)).clamp(min=0) * z
    np.testing.assert_array_equal(layer.weight.detach() == 0, expected == 0)
    torch.testing.assert_close(layer.weight.detach(), expected, atol=1e-3, rtol=0)


def test_the_report_counts_the_zeros(diabetes):
    x, y = diabetes
    weights, reg = fitted(
        x, y, [rz.kernel(rz.L1(0.05), proximal=True)], OPTIMIZERS["SGD"], count=200
    )
    share = (weights == 0).mean()
    assert share > 0
    header, _, row = str(reg.report()).splitlines()
    assert header.endswith("zeros")
    assert row.endswith(f"{share:.1%}")


def test_a_weight_that_the_optimizer_did_not_update_is_not_shrunk():
    model = nn.ModuleList([nn.Linear(2, 1, bias=False), nn.Linear(2, 1, bias=False)])
    optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
    rz.Regularization(model, [rz.kernel(rz.L1(10.0), proximal=True)]).attach(optimizer)
    unused = model[1].weight.detach().clone()
    model[0](torch.ones(1, 2)).sum().backward()
    optimizer.step()
    assert torch.equal(model[1].weight, unused)
    assert torch.equal(model[0].weight, torch.zeros(1, 2))


@pytest.mark.parametrize("amsgrad", [False, True])
def test_the_step_of_adam_is_the_one_it_made(amsgrad):
    layer = nn.Linear(2, 1, bias=False).double()
    nn.init.ones_(layer.weight)
    optimizer = torch.optim.Adam(
        layer.parameters(), lr=0.1, betas=(0.0, 0.5), eps=0.0, amsgrad=amsgrad
    )
    rz.Regularization(layer, [rz.kernel(rz.L1(0.3), proximal=True)]).attach(optimizer)
    expected = torch.ones(1, 2, dtype=torch.float64)
    second, largest = torch.zeros(2)
    for number, gradient in enumerate((2.0, 1.0), start=1):
        layer.weight.grad = torch.full((1, 2), gradient, dtype=torch.float64)
        optimizer.step()
        second = 0.5 * second + 0.5 * gradient**2
        largest = max(largest, second) if amsgrad else second
        step = 0.1 / (largest / (1 - 0.5**number)) ** 0.5
        expected = expected - step * gradient - step * 0.3
        torch.testing.assert_close(layer.weight.detach(), expected)


def test_with_sgd_a_weight_without_a_gradient_is_left_alone():
    model = nn.ModuleList([nn.Linear(2, 1, bias=False), nn.Linear(2, 1, bias=False)])
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.5)
    rz.Regularization(model, [rz.kernel(rz.L1(1.0), proximal=True)]).attach(optimizer)
    for used in (0, 1):
        other = model[1 - used].weight.detach().clone()
        optimizer.zero_grad()
        model[used](torch.ones(1, 2)).sum().backward()
        optimizer.step()
        assert torch.equal(model[1 - used].weight, other)


def test_the_learning_rate_of_each_step_counts():
    layer = nn.Linear(2, 1, bias=False)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[1.0, -0.3]]))
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)
    rz.Regularization(layer, [rz.kernel(rz.L1(1.0), proximal=True)]).attach(optimizer)
    for rate, expected in ((0.1, [[0.9, -0.2]]), (0.25, [[0.65, 0.0]])):
        optimizer.param_groups[0]["lr"] = rate
        layer.weight.grad = torch.zeros(1, 2)
        optimizer.step()
        torch.testing.assert_close(layer.weight.detach(), torch.tensor(expected))
    assert layer.weight[0, 1].item() == 0
