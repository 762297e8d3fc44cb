"""Where every strength at a site is 0, its output is left unread."""

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.checkpoint import checkpoint

import regularizers as rz
from attach.helpers import batch, mlp
from regularizers.errors import CollectionError, ShapeError

KEY = "1/activity/L1"
DELIVERIES = ["collect", "inject"]


class Operations(TorchDispatchMode):
    """Lists what PyTorch computes."""

    def __init__(self):
        super().__init__()
        self.names = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        self.names.append(str(function))
        return function(*args, **(kwargs or {}))


def attached(model, delivery="collect", strength=0.0, **options):
    rules = [rz.activity(rz.L1(strength), where="1")]
    return rz.Regularization(model, rules, delivery=delivery, **options)


def with_penalty(reg, loss, delivery):
    return loss + reg.penalty() if delivery == "collect" else reg.scale_from(loss)


def step(model, reg, x, delivery):
    """Return the gradients of one step, with what is penalised."""
    model.zero_grad()
    with_penalty(reg, model(x).square().sum(), delivery).backward()
    return [p.grad.clone() for p in model.parameters()]


def by_hand(x, strength):
    plain = mlp()  # of the same weights as any other
    y = plain[:2](x)
    (plain[2:](y).square().sum() + strength * y.abs().sum() / len(x)).backward()
    return [p.grad for p in plain.parameters()]


@pytest.mark.parametrize("delivery", DELIVERIES)
def test_nothing_is_computed_of_what_has_no_strength(delivery):
    model, x = mlp(), batch()
    with Operations() as alone:
        model(x)
    reg = attached(model, delivery)
    step(model, reg, x, delivery)  # the first output is looked at, whatever the strength
    with Operations() as watched:
        output = model(x)
    assert watched.names == alone.names
    with_penalty(reg, output.sum(), delivery).backward()


@pytest.mark.parametrize("delivery", DELIVERIES)
def test_gradients_are_those_of_the_strength_of_each_forward(delivery):
    model, x = mlp(), batch()
    reg = attached(model, delivery, 0.3)
    for strength in (0.3, 0.0, 0.0, 0.7, 0.0):
        reg.strengths[KEY] = strength
        torch.testing.assert_close(step(model, reg, x, delivery), by_hand(x, strength))
        value = strength * mlp()[:2](x).abs().sum().item() / len(x)
        assert float(reg.penalties()[KEY]) == pytest.approx(value, rel=1e-6)


def test_a_penalty_of_nothing_can_be_differentiated():
    model, x = mlp(), batch()
    reg = attached(model)
    for _ in range(3):
        model(x)
        penalty = reg.penalty()
        assert penalty.item() == 0.0
        penalty.backward()


def test_a_strength_that_was_0_in_the_forward_comes_too_late():
    model, x = mlp(), batch()
    reg = attached(model)
    step(model, reg, x, "collect")
    model(x)
    reg.strengths[KEY] = 0.5
    with pytest.raises(CollectionError, match=r"1/activity/L1: its strength was 0 .* is 0\.5 now"):
        reg.penalty()
    torch.testing.assert_close(step(model, reg, x, "collect"), by_hand(x, 0.5))


def test_a_site_without_strength_still_has_to_fire():
    model, x = mlp(), batch()
    reg = attached(model)
    step(model, reg, x, "collect")
    with pytest.raises(CollectionError, match="no forward since"):
        reg.penalty()


@pytest.mark.parametrize("delivery", DELIVERIES)
def test_a_first_output_is_checked_all_the_same(delivery):
    model = mlp()
    rules = [rz.activity(rz.L1(0.0), where="1", batch_axis=2)]
    reg = rz.Regularization(model, rules, delivery=delivery)
    with pytest.raises(ShapeError, match="batch_axis"):
        model(batch())
    assert reg.strengths[KEY] == 0.0


@pytest.mark.parametrize("delivery", DELIVERIES)
def test_a_schedule_that_begins_at_0(delivery):
    model, x = mlp(), batch()
    rules = [rz.activity(rz.L1(rz.LinearWarmup(0.4, steps=2)), where="1")]
    reg = rz.Regularization(model, rules, delivery=delivery)
    for strength in (0.0, 0.2, 0.4):
        torch.testing.assert_close(step(model, reg, x, delivery), by_hand(x, strength))
        reg.step()


@pytest.mark.parametrize("delivery", DELIVERIES)
def test_one_of_two_strengths_is_0(delivery):
    model, x = mlp(), batch()
    rules = [rz.activity(rz.L1(0.3) + rz.L2Squared(0.0), where="1")]
    reg = rz.Regularization(model, rules, delivery=delivery)
    for _ in range(2):
        torch.testing.assert_close(step(model, reg, x, delivery), by_hand(x, 0.3))


@pytest.mark.parametrize("delivery", DELIVERIES)
@pytest.mark.parametrize("strength", [0.0, 0.5])
def test_under_a_checkpoint(delivery, strength):
    class Half(nn.Sequential):
        def forward(self, x):
            return self[2](checkpoint(lambda x: self[1](self[0](x)), x, use_reentrant=False))

    model, x = Half(*mlp()), batch()
    reg = attached(model, delivery, 0.0)
    step(model, reg, x, delivery)
    reg.strengths[KEY] = strength
    torch.testing.assert_close(step(model, reg, x, delivery), by_hand(x, strength))


def test_a_recurrent_layer():
    torch.manual_seed(0)
    rnn, x = nn.LSTM(3, 4), torch.randn(5, 2, 3)
    reg = rz.Regularization(rnn, [rz.activity(rz.AR(0.0) + rz.TAR(0.0), where="")])
    for _ in range(2):
        with Operations() as watched:
            output, _ = rnn(x)
        assert reg.penalty().item() == 0.0
    alone = Operations()
    with alone:
        nn.LSTM.forward(rnn, x)
    assert watched.names == alone.names
    reg.strengths[next(iter(reg.strengths))] = 2.0
    output, _ = rnn(x)
    torch.testing.assert_close(reg.penalty(), 2 * output.square().mean())
