"""Penalties whose axis is named by its role, in the loss and within the step."""

import pytest
import torch
from torch import Tensor, nn

import regularizers as rz
from attach.helpers import kernels

S = 0.1


def groups_of_transposed(w: Tensor) -> list[Tensor]:
    return [w[:, unit] for unit in range(w.shape[1])]


def inputs_of_grouped(w: Tensor) -> list[Tensor]:
    """Two groups of three outputs and two inputs each."""
    return [w[3 * group : 3 * group + 3, channel] for group in range(2) for channel in range(2)]


def units_of_lstm(w: Tensor) -> list[Tensor]:
    return [torch.stack([w[gate * 3 + unit] for gate in range(4)]) for unit in range(3)]


def rows(w: Tensor) -> list[Tensor]:
    return list(w)


CASES = {
    "transposed convolution": (
        lambda: nn.ConvTranspose2d(3, 4, 2, bias=False),
        "output",
        groups_of_transposed,
    ),
    "grouped convolution": (
        lambda: nn.Conv1d(4, 6, 2, groups=2, bias=False),
        "input",
        inputs_of_grouped,
    ),
    "LSTM": (lambda: nn.LSTM(2, 3, bias=False), "output", units_of_lstm),
    "linear": (lambda: nn.Linear(3, 4, bias=False), "output", rows),
}
every_case = pytest.mark.parametrize(("make", "axis", "groups"), CASES.values(), ids=CASES)


def built(make) -> nn.Module:
    torch.manual_seed(0)
    return make().double()


def norms(groups, weight: Tensor) -> Tensor:
    return sum([group.square().sum().sqrt() for group in groups(weight)])


@every_case
def test_group_lasso_in_the_loss(make, axis, groups):
    model = built(make)
    reg = kernels(model, rz.GroupLasso(S, axis=axis))
    weights = list(model.parameters())
    by_hand = S * sum([norms(groups, weight) for weight in weights])
    penalty = reg.penalty()
    torch.testing.assert_close(penalty, by_hand)
    for a, e in zip(
        torch.autograd.grad(penalty, weights), torch.autograd.grad(by_hand, weights), strict=True
    ):
        torch.testing.assert_close(a, e)
    assert f"GroupLasso({S}, {axis!r})" in str(reg.report())


@every_case
def test_group_lasso_within_the_step(make, axis, groups):
    model = built(make)
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    kernels(model, rz.GroupLasso(S, axis=axis)).attach(optimizer)
    weights = list(model.parameters())
    by_hand = S * sum([norms(groups, weight) for weight in weights])
    slopes = torch.autograd.grad(by_hand, weights)
    expected = [w.detach() - slope for w, slope in zip(weights, slopes, strict=True)]
    for weight in weights:
        weight.grad = torch.zeros_like(weight)
    optimizer.step()
    for weight, wanted in zip(weights, expected, strict=True):
        torch.testing.assert_close(weight.detach(), wanted)


@every_case
@pytest.mark.parametrize("optimizer", [torch.optim.SGD, torch.optim.Adam])
def test_a_proximal_step_shrinks_groups_as_a_whole(make, axis, groups, optimizer):
    model = built(make)
    made = optimizer(model.parameters(), lr=1e-3)
    norm = min(g.detach().norm().item() for g in groups(next(model.parameters())))
    kernels(model, rz.GroupLasso(1e4 * norm, axis=axis), proximal=True).attach(made)
    for weight in model.parameters():
        weight.grad = torch.ones_like(weight)
    made.step()
    for weight in model.parameters():
        for group in groups(weight):
            assert (group == 0).all() or (group != 0).all()
    assert any((group == 0).all() for group in groups(next(model.parameters())))


def test_one_proximal_step_of_gradient_descent_by_hand():
    model = built(lambda: nn.ConvTranspose1d(2, 3, 2, bias=False))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    kernels(model, rz.GroupLasso(0.6, axis="output"), proximal=True).attach(optimizer)
    weight = model.weight.detach().clone()
    model.weight.grad = torch.zeros_like(weight)
    optimizer.step()
    for unit in range(3):
        group = weight[:, unit]
        shrunk = max(1 - 0.5 * 0.6 / float(group.norm()), 0) * group
        torch.testing.assert_close(model.weight.detach()[:, unit], shrunk)


@pytest.mark.parametrize("groups_first", [True, False])
def test_a_proximal_step_of_groups_and_elements_by_hand(groups_first):
    """Elements are shrunk first, and then what is left of each unit."""
    model = built(lambda: nn.LSTM(2, 3, bias=False))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    groups, elements = rz.GroupLasso(0.4, axis="output"), rz.L1(0.2)
    penalty = groups + elements if groups_first else elements + groups
    kernels(model, penalty, proximal=True).attach(optimizer)
    before = [weight.detach().clone() for weight in model.parameters()]
    for weight in model.parameters():
        weight.grad = torch.zeros_like(weight)
    optimizer.step()
    for weight, was in zip(model.parameters(), before, strict=True):
        soft = was.sign() * (was.abs() - 0.5 * 0.2).clamp(min=0)
        for group, actual in zip(units_of_lstm(soft), units_of_lstm(weight), strict=True):
            shrunk = max(1 - 0.5 * 0.4 / float(group.norm()), 0) * group
            torch.testing.assert_close(actual.detach(), shrunk)


def test_a_proximal_step_of_adam_shrinks_each_group_by_hand():
    """Its first step is η / (|g| + ε) of each element, and w (1 + τ s / ‖w‖) = x solves for w."""
    model = built(lambda: nn.LSTM(2, 3, bias=False))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
    kernels(model, rz.GroupLasso(S, axis="output"), proximal=True).attach(optimizer)
    before = [weight.detach().clone() for weight in model.parameters()]
    for weight in model.parameters():
        weight.grad = torch.linspace(0.5, 2.0, weight.numel()).double().reshape(weight.shape)
    optimizer.step()
    for weight, was in zip(model.parameters(), before, strict=True):
        step = 0.1 / (weight.grad + 1e-8)
        updated = was - step * weight.grad
        parts = [units_of_lstm(w) for w in (weight.detach(), step, updated)]
        for shrunk, rate, group in zip(*parts, strict=True):
            torch.testing.assert_close(shrunk * (1 + rate * S / shrunk.norm()), group)


@pytest.mark.parametrize("axis", ["output", "input"])
def test_orthogonal_kernels_of_a_grouped_convolution(axis):
    model = built(lambda: nn.Conv1d(4, 6, 2, groups=2, bias=False))
    reg = kernels(model, rz.Orthogonal(S, axis=axis))
    groups = rows if axis == "output" else inputs_of_grouped
    vectors = torch.stack([group.flatten() for group in groups(model.weight)])
    by_hand = S * (vectors @ vectors.T - torch.eye(len(vectors))).square().sum()
    torch.testing.assert_close(reg.penalty(), by_hand)


def test_a_pruned_transposed_convolution_within_the_step():
    model = built(lambda: nn.ConvTranspose2d(3, 4, 2, bias=False))
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    kernels(model, rz.GroupLasso(S, axis="output")).attach(optimizer)
    nn.utils.prune.l1_unstructured(model, "weight", amount=0.4)
    original, mask = model.weight_orig, model.weight_mask
    by_hand = S * norms(groups_of_transposed, original * mask)
    (slope,) = torch.autograd.grad(by_hand, original)
    expected = original.detach() - slope
    original.grad = torch.zeros_like(original)
    optimizer.step()
    torch.testing.assert_close(original.detach(), expected)
