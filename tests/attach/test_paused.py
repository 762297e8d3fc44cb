"""Forwards that do not count."""

import pytest
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

import regularizers as rz
from attach.helpers import assert_same_loss_and_gradients, batch, mlp, per_sample

L1 = rz.L1(1.0)


def activations(model: nn.Module, x: torch.Tensor) -> torch.Tensor:
    return torch.tanh(x @ model[0].weight.T + model[0].bias)


def test_a_paused_forward_is_not_recorded():
    model, x = mlp(), batch()
    reg = rz.Regularization(model, [rz.activity(L1, where="1")])
    output = model(x).mean()
    with reg.paused():
        model(batch(9, seed=2)).mean().backward()
    model.zero_grad()
    loss = output + reg.penalty()
    by_hand = model[2](activations(model, x)).mean() + per_sample(activations(model, x))
    assert_same_loss_and_gradients(model, loss, by_hand)


def test_a_paused_forward_is_not_injected():
    model, x = mlp(), batch()
    reg = rz.Regularization(model, [rz.activity(L1, where="1")], delivery="inject")
    with reg.paused():
        paused = torch.autograd.grad(model(x).mean(), model[0].weight)
    twin = mlp()
    torch.testing.assert_close(paused, torch.autograd.grad(twin(x).mean(), twin[0].weight))
    reg.scale_from(model(x).mean()).backward()
    by_hand = model[2](activations(model, x)).mean() + per_sample(activations(model, x))
    torch.testing.assert_close(
        model[0].weight.grad, torch.autograd.grad(by_hand, model[0].weight)[0]
    )


def test_a_generators_pass_through_its_critic():
    """The critic's penalty is no part of the generator's loss, nor of the critic's own."""
    critic, generator = mlp(), nn.Linear(3, 4).double()
    reg = rz.Regularization(critic, [rz.activity(L1, where="1")])
    with reg.paused():
        loss = critic(generator(torch.ones(2, 3, dtype=torch.float64))).mean()
    loss.backward()
    assert generator.weight.grad.abs().sum() > 0
    x = batch()
    critic(x)
    torch.testing.assert_close(reg.penalty(), per_sample(activations(critic, x)))


def test_a_forward_alone_within_leaves_nothing_to_collect():
    model = mlp()
    reg = rz.Regularization(model, [rz.activity(L1, where="1")])
    with reg.paused(), reg.paused():
        model(batch())
    with pytest.raises(RuntimeError, match=r"no forward|never fired"):
        reg.penalty()
    model(batch())
    assert reg.penalty() > 0


def test_it_is_left_on_an_exception():
    model = mlp()
    reg = rz.Regularization(model, [rz.activity(L1, where="1")])
    with pytest.raises(KeyError), reg.paused():
        raise KeyError
    x = batch()
    model(x)
    torch.testing.assert_close(reg.penalty(), per_sample(activations(model, x)))


def test_a_detach_within_stays():
    model = mlp()
    reg = rz.Regularization(model, [rz.activity(L1, where="1")])
    with reg.paused():
        reg.detach()
    assert reg._delivery._ledger.closed


def test_a_checkpoint_within():
    model, x = mlp(), batch().requires_grad_()
    reg = rz.Regularization(model, [rz.activity(L1, where="1")])
    with reg.paused():
        checkpoint(model, x, use_reentrant=False).mean().backward()
        checkpoint(model, x, use_reentrant=True).mean().backward()
    model(x)
    torch.testing.assert_close(reg.penalty(), per_sample(activations(model, x)))


def test_a_compiled_model_is_paused(compiler):
    model, x = mlp(), batch()
    reg = rz.Regularization(model, [rz.activity(L1, where="1")])
    run = torch.compile(model, backend="eager", fullgraph=True)
    for _ in range(2):
        run(x)
        with reg.paused():
            run(batch(seed=3))
        torch.testing.assert_close(reg.penalty(), per_sample(activations(model, x)))


def test_a_target_does_not_count_it():
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU()).double()
    reg = rz.Regularization(model, [rz.activity(rz.L1(rz.TargetActive(2)), where="1")])
    x = batch()
    with reg.paused():
        model(-100 * x)
    active = (model(x) > 0).sum().item() / len(x)
    reg.penalty()
    reg.step()
    assert reg.targets()["1/activity/L1"].measured == pytest.approx(active)
