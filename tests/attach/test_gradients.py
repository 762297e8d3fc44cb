"""Whole models: loss and every gradient against plain autograd of loss + penalty by hand."""

import copy

import pytest
import torch
from torch import Tensor, nn

import regularizers as rz
from attach.helpers import assert_same_loss_and_gradients, batch, mlp


def mlp_by_hand(model: nn.Sequential, x: Tensor) -> tuple[Tensor, Tensor]:
    """Return the loss of `mlp` without penalties, and its hidden activation."""
    first, last = model[0], model[2]
    hidden = torch.tanh(x @ first.weight.T + first.bias)
    return (hidden @ last.weight.T + last.bias).square().mean(), hidden


RULES = [
    rz.activity(rz.L1(0.3), where="1"),
    rz.kernel(rz.L2Squared(0.2)),
    rz.bias(rz.L2Norm(0.1)),
]


def penalty_by_hand(model: nn.Sequential, hidden: Tensor) -> Tensor:
    """Return what `RULES` say."""
    kernels = model[0].weight.square().sum() + model[2].weight.square().sum()
    biases = model[0].bias.square().sum().sqrt() + model[2].bias.square().sum().sqrt()
    return 0.3 * hidden.abs().sum() / len(hidden) + 0.2 * kernels + 0.1 * biases


def test_mlp():
    model, x = mlp(), batch()
    reg = rz.Regularization(model, RULES)
    loss = model(x).square().mean() + reg.penalty()
    task, hidden = mlp_by_hand(model, x)
    assert_same_loss_and_gradients(model, loss, task + penalty_by_hand(model, hidden))


@pytest.mark.parametrize(
    ("reduce", "divisor"), [("sum", 1), ("batch_mean", 6), ("mean", 30), (None, 6)]
)
def test_activity_reductions(reduce, divisor):
    model, x = mlp(), batch()
    reg = rz.Regularization(model, [rz.activity(rz.L2Squared(0.3), where="1", reduce=reduce)])
    loss = model(x).square().mean() + reg.penalty()
    task, hidden = mlp_by_hand(model, x)
    by_hand = task + 0.3 * hidden.square().sum() / divisor
    assert_same_loss_and_gradients(model, loss, by_hand)


def test_compound_penalties_are_the_sum_of_their_terms():
    model, x = mlp(), batch()
    compound = rz.L1L2(0.3, 0.2) + 2 * rz.ActivityRegularization.l2(0.05)
    reg = rz.Regularization(model, [rz.activity(compound, where="1")])
    loss = model(x).square().mean() + reg.penalty()
    task, hidden = mlp_by_hand(model, x)
    rows = hidden.square().sum(dim=1)
    per_sample = 0.3 * hidden.abs().sum(dim=1) + 0.2 * rows + 0.1 * rows.sqrt()
    assert_same_loss_and_gradients(model, loss, task + per_sample.mean())
    assert list(reg.penalties()) == ["1/activity/L1", "1/activity/L2Squared", "1/activity/L2Norm"]


def test_convolutional_network():
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(2, 3, 3), nn.Sigmoid(), nn.BatchNorm2d(3), nn.Flatten(), nn.Linear(12, 2)
    ).double()
    x = torch.randn(5, 2, 4, 4, dtype=torch.float64)
    reg = rz.Regularization(
        model,
        [
            rz.activity(rz.KLSparsity(0.3, 0.1), where="1"),
            rz.kernel(rz.L1(0.2)),
            rz.bias(rz.L2Squared(0.1)),
        ],
    )
    loss = model(x).square().mean() + reg.penalty()

    conv, norm, head = model[0], model[2], model[4]
    coding = torch.sigmoid(nn.functional.conv2d(x, conv.weight, conv.bias))
    shift = coding - coding.mean(dim=(0, 2, 3), keepdim=True)
    scaled = shift / (shift.square().mean(dim=(0, 2, 3), keepdim=True) + norm.eps).sqrt()
    scaled = scaled * norm.weight[:, None, None] + norm.bias[:, None, None]
    task = (scaled.flatten(1) @ head.weight.T + head.bias).square().mean()
    rho = coding.mean(dim=0)
    kl = (0.1 * (0.1 / rho).log() + 0.9 * (0.9 / (1 - rho)).log()).sum()
    kernels = conv.weight.abs().sum() + head.weight.abs().sum()
    biases = conv.bias.square().sum() + head.bias.square().sum()
    assert_same_loss_and_gradients(model, loss, task + 0.3 * kl + 0.2 * kernels + 0.1 * biases)


@pytest.mark.parametrize("batch_first", [True, False])
def test_lstm(batch_first):
    torch.manual_seed(0)
    model = nn.LSTM(3, 4, batch_first=batch_first).double()
    x = torch.randn(2, 5, 3, dtype=torch.float64)
    steps, samples = (5, 2) if batch_first else (2, 5)
    reg = rz.Regularization(
        model,
        [
            rz.activity(rz.L2Norm(0.3), where=""),
            rz.kernel(rz.L2Squared(0.2)),
            rz.bias(rz.L1(0.1)),
        ],
    )
    loss = model(x)[0].square().mean() + reg.penalty()

    inputs = x.transpose(0, 1) if batch_first else x
    h = c = torch.zeros(samples, 4, dtype=torch.float64)
    states = []
    for t in range(steps):
        gates = inputs[t] @ model.weight_ih_l0.T + model.bias_ih_l0
        gates = gates + h @ model.weight_hh_l0.T + model.bias_hh_l0
        i, f, g, o = gates.chunk(4, dim=1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        h = o.sigmoid() * c.tanh()
        states.append(h)
    output = torch.stack(states)
    activity = output.square().sum(dim=(0, 2)).sqrt().mean()
    kernels = model.weight_ih_l0.square().sum() + model.weight_hh_l0.square().sum()
    biases = model.bias_ih_l0.abs().sum() + model.bias_hh_l0.abs().sum()
    by_hand = output.square().mean() + 0.3 * activity + 0.2 * kernels + 0.1 * biases
    assert_same_loss_and_gradients(model, loss, by_hand)


def test_several_steps_of_training_end_at_the_same_parameters():
    model = mlp()
    twin = copy.deepcopy(model)
    reg = rz.Regularization(model, RULES)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
    twin_optimizer = torch.optim.Adam(twin.parameters(), lr=0.1)
    for step in range(5):
        x = batch(seed=step)
        optimizer.zero_grad()
        (model(x).square().mean() + reg.penalty()).backward()
        optimizer.step()
        twin_optimizer.zero_grad()
        task, hidden = mlp_by_hand(twin, x)
        (task + penalty_by_hand(twin, hidden)).backward()
        twin_optimizer.step()
    for actual, expected in zip(model.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(actual, expected)


def test_weight_decay_of_sgd_is_half_its_strength_in_squares():
    model = mlp()
    twin = copy.deepcopy(model)
    reg = rz.Regularization(model, [rz.kernel(rz.L2Squared(0.05)), rz.bias(rz.L2Squared(0.05))])
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    decaying = torch.optim.SGD(twin.parameters(), lr=0.1, weight_decay=0.1)
    for _ in range(3):
        optimizer.zero_grad()
        (model(batch()).square().mean() + reg.penalty()).backward()
        optimizer.step()
        decaying.zero_grad()
        twin(batch()).square().mean().backward()
        decaying.step()
    for actual, expected in zip(model.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(actual, expected)


def test_penalty_is_scaled_with_the_loss():
    model, x = mlp(), batch()
    reg = rz.Regularization(model, RULES)
    loss = 64 * (model(x).square().mean() + reg.penalty())
    task, hidden = mlp_by_hand(model, x)
    assert_same_loss_and_gradients(model, loss, 64 * task + 64 * penalty_by_hand(model, hidden))


def test_autocast_activations_are_penalised_in_float32():
    model = nn.Sequential(nn.Linear(4, 3), nn.ReLU())
    reg = rz.Regularization(model, [rz.activity(rz.L1(1.0), where="0")])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        seen = model[0](torch.ones(2, 4))
        penalty = reg.penalty()
    assert seen.dtype == torch.bfloat16
    assert penalty.dtype == torch.float32
    torch.testing.assert_close(penalty, seen.detach().float().abs().sum() / 2)
