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


@pytest.mark.parametrize("delivery", ["collect", "inject"])
def test_a_detach_within_stays(delivery):
    model = mlp()
    reg = rz.Regularization(model, [rz.activity(L1, where="1")], delivery=delivery)
    with reg.paused():
        reg.detach()
    of = reg._delivery
    assert of._ledger.closed if delivery == "collect" else of._scale.closed


def test_a_forward_between_two_ends_does_not_count():
    model, x = mlp(), batch()
    reg = rz.Regularization(model, [rz.activity(L1, where="1")])
    with reg.paused():
        with reg.paused():
            pass
        model(batch(9, seed=2))
    model(x)
    torch.testing.assert_close(reg.penalty(), per_sample(activations(model, x)))


class Distilled(nn.Module):
    """Compares what it puts out with what it makes of another view of its input."""

    def __init__(self) -> None:
        super().__init__()
        self.net = mlp()
        self.reg = rz.Regularization(self, [rz.activity(L1, where="net.1")])

    def forward(self, x: torch.Tensor, *, compares: bool = True) -> torch.Tensor:
        y = self.net(x)
        if not compares:
            return y
        with self.reg.paused():
            target = self(x + 1, compares=False)
        if target.isnan().any():
            raise ValueError("not a number")
        return (y - target.detach()).square().mean()


def test_a_pass_of_the_model_through_itself():
    model, x = Distilled(), batch()
    loss = model(x) + model.reg.penalty()
    hidden = activations(model.net, x)
    target = model.net[2](activations(model.net, x + 1)).detach()
    by_hand = (model.net[2](hidden) - target).square().mean() + per_sample(hidden)
    assert_same_loss_and_gradients(model, loss, by_hand)


def test_a_forward_that_raises_after_a_pass_through_itself_leaves_no_record():
    model, x = Distilled(), batch()
    with pytest.raises(ValueError, match="not a number"):
        model(torch.nan * x)
    model(x)
    torch.testing.assert_close(model.reg.penalty(), per_sample(activations(model.net, x)))


def test_weights_that_a_paused_forward_borrows_are_not_meant():
    """A teacher's are put in for one pass."""
    model, x = mlp(), batch()
    reg = rz.Regularization(model, [rz.kernel(rz.L2Squared(0.5))])
    loss = model(x).mean()
    teacher = {name: weight.detach() + 1 for name, weight in model.named_parameters()}
    with reg.paused():
        torch.func.functional_call(model, teacher, (x,))
    squares = 0.5 * sum([model[n].weight.square().sum() for n in (0, 2)])
    assert_same_loss_and_gradients(model, loss + reg.penalty(), model(x).mean() + squares)


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
