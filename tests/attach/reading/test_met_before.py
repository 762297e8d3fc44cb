"""Outputs like one that a site has met before, of which less is asked."""

import pytest
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

import regularizers as rz
from regularizers.attach.collect import Collecting

# whether an output was read at strength 0 shows in the record alone
from regularizers.attach.collect._ledger import Unread

# the number of plans that are kept is set low
from regularizers.attach.reading import _tap
from regularizers.errors import ShapeError
from regularizers.penalties.kernels import thresholds


@pytest.fixture(autouse=True)
def _as_if_large(monkeypatch):
    monkeypatch.setattr(thresholds, "COPIED", 0)


def attached(*penalties, **settings):
    """Return a model that has met an output of (4, 6), and its regularization."""
    model = nn.Sequential(nn.Identity(), nn.Tanh())
    rules = [rz.activity(penalty, where="0", **settings) for penalty in penalties]
    reg = rz.Regularization(model, rules)
    model(x())
    reg.penalty()
    return model, reg


def x(*shape):
    made = torch.randn(*(shape or (4, 6)), generator=torch.Generator().manual_seed(0))
    return made.requires_grad_()


def assert_adds(reg, given, wanted):
    value = reg.penalty()
    torch.testing.assert_close(value, wanted)
    slopes = torch.autograd.grad(value, given)
    torch.testing.assert_close(slopes, torch.autograd.grad(wanted, given))


def test_another_shape():
    model, reg = attached(rz.L1(0.5), rz.L2Squared(0.25, reduce="mean"))
    for shape in [(4, 6), (3, 6), (3, 2, 5), (4, 6)]:
        given = x(*shape)
        model(given)
        assert_adds(reg, given, 0.5 * given.abs().sum() / shape[0] + 0.25 * given.square().mean())


def test_calls_of_several_shapes_in_one_forward():
    model, reg = attached(rz.L1(0.5), rz.L2Squared(0.25))
    given = x()
    parts = [given, given[:3], given[1:, :5]]
    for part in parts:
        model(part)
    wanted = [0.5 * p.abs().sum() + 0.25 * p.square().sum() for p in parts]
    value = reg.penalty()
    torch.testing.assert_close(value, sum(w / len(p) for w, p in zip(wanted, parts, strict=True)))
    assert float(sum(reg.penalties().values())) == pytest.approx(value.item(), rel=1e-6)


def test_another_type():
    model, reg = attached(rz.L1(0.5))
    given = x().double().detach().requires_grad_()
    model(given)
    assert_adds(reg, given, 0.5 * given.abs().sum() / 4)


def test_a_shape_without_the_axis():
    model, reg = attached(rz.L1(0.5), batch_axis=1)
    with pytest.raises(ShapeError, match="batch_axis"):
        model(x(5))
    given = x()
    model(given)
    assert_adds(reg, given, 0.5 * given.abs().sum() / 6)


def test_a_mask():
    model, reg = attached(rz.L1(0.5))
    mask = torch.tensor([True, False, True, True])
    given = x()
    with reg.mask(mask, "0"):
        model(given)
    assert_adds(reg, given, 0.5 * given[mask].abs().sum() / 3)


def test_evaluation():
    model, reg = attached(rz.L1(0.5))
    model.eval()
    model(x())
    model.train()
    given = x()
    with torch.no_grad():
        model(given)
    model(given)
    assert_adds(reg, given, 0.5 * given.abs().sum() / 4)


def test_a_strength_that_becomes_0_and_is_one_again():
    model, reg = attached(rz.L1(0.5))
    (key,) = reg.strengths
    (hook,) = model[0]._forward_hooks.values()
    for strength in (0.0, 0.25, 0.0):
        reg.strengths[key] = strength
        given = x()
        model(given)
        (record,) = hook._ledger.records()
        assert isinstance(record, Unread) == (strength == 0)
        torch.testing.assert_close(reg.penalty(), strength * given.abs().sum() / 4)


def test_kinds_are_forgotten_before_they_are_too_many(monkeypatch):
    monkeypatch.setattr(_tap, "MAX_PLANS", 2)
    model, reg = attached(rz.L1(0.5))
    (hook,) = model[0]._forward_hooks.values()
    for n in (1, 2, 3, 4, 5):
        given = x(n, 6)
        model(given)
        assert_adds(reg, given, 0.5 * given.abs().sum() / n)
        assert len(hook._plain_plans) <= 2


def test_copies():
    model, reg = attached(rz.L2Squared(0.5), copy=True)
    given = x()
    y = given * 1.0
    model(y)
    wanted = 0.5 * given.square().sum() / 4
    with torch.no_grad():
        y.mul_(7)
    assert_adds(reg, given, wanted)


def test_a_detach_within_the_forward():
    model, penalty = nn.Sequential(nn.Identity()), rz.activity(rz.L1(0.5), where="0")
    detach = []
    model[0].register_forward_hook(lambda *_: reg.detach() if detach else None)
    reg = rz.Regularization(model, [penalty])
    model(x())
    reg.penalty()
    (hook,) = [h for h in model[0]._forward_hooks.values() if isinstance(h, Collecting)]
    detach.append(True)
    model(x())
    assert not list(hook._ledger.records())


@pytest.mark.parametrize("small", [0, thresholds.COPIED])
@pytest.mark.parametrize("strengths", [(0.5, 0.5), (0.0, 0.5), (0.5, 0.0)])
def test_a_checkpoint_of_small_outputs(strengths, small, monkeypatch):
    """Its second forward saves what its first one did, whatever became of the strength."""
    monkeypatch.setattr(thresholds, "COPIED", small)
    model, reg = attached(rz.L1(0.5))
    (key,) = reg.strengths
    reg.strengths[key] = strengths[0]
    given = x()
    y = checkpoint(model, given, use_reentrant=False)
    loss = y.sum() + reg.penalty()
    reg.strengths[key] = strengths[1]
    loss.backward()
    wanted = 1 - given.tanh().square() + strengths[0] / 4 * given.sign()
    torch.testing.assert_close(given.grad, wanted.detach())
    given = x()
    model(given)
    torch.testing.assert_close(reg.penalty(), strengths[1] * given.abs().sum() / 4)
