"""The scale after one step: where the gradients of penalty and loss have the same norm.

The loss pulls at the output of a site by stated numbers; the gradient of the penalty is that of its
formula, written out here, in float64.
"""

import pytest
import torch
from torch import nn

import regularizers as rz
from attach.control.driving import Shifted, deliver, numbers, saved

ACTIVE = rz.TargetActive(3)
HAND = {
    "L1": (rz.L1(ACTIVE), lambda y: y.abs().sum() / len(y)),
    "L1 sum": (rz.L1(ACTIVE, reduce="sum"), lambda y: y.abs().sum()),
    "L1 mean": (rz.L1(ACTIVE, reduce="mean"), lambda y: y.abs().mean()),
    "L1 of a mean": (rz.L1(rz.TargetMean(0.1)), lambda y: y.abs().sum() / len(y)),
    "L1 of a norm": (rz.L1(rz.TargetNorm(1.0)), lambda y: y.abs().sum() / len(y)),
    "L2Squared": (rz.L2Squared(rz.TargetMean(0.1)), lambda y: y.square().sum() / len(y)),
    "L2Norm": (rz.L2Norm(ACTIVE, reduce="sum"), lambda y: y.square().sum().sqrt()),
    "Huber": (
        rz.Huber(rz.TargetNorm(1.0), delta=0.5),
        lambda y: (
            nn.functional.huber_loss(y, torch.zeros_like(y), reduction="sum", delta=0.5) / len(y)
        ),
    ),
    "GroupLasso": (
        rz.GroupLasso(ACTIVE, axis=1, reduce="sum"),
        lambda y: y.square().sum(0)[y.square().sum(0) > 0].sqrt().sum(),
    ),
}
SHAPES = {
    "copied": (64, 32),
    "read at once": (200, 100),
    "in pieces": (600, 1000),
    "gradient in pieces": (1100, 1000),
}


def by_hand(y, pull, formula, keep=None):
    """Return the scale: over elements that are not 0 and count."""
    leaf = y.detach().double().requires_grad_()
    counts = leaf if keep is None else leaf[keep]
    (slope,) = torch.autograd.grad(formula(counts), leaf)
    pulled = pull.double() * (leaf != 0)
    if keep is not None:
        pulled = pulled * keep.reshape(-1, *[1] * (y.ndim - 1))
    return (pulled.norm() / slope.norm()).item()


def site_of(kind, dtype):
    """Return a model and the name of its site: an output that autograd saves anyway, or not."""
    if kind == "ReLU":
        return nn.Sequential(Shifted(dtype), nn.ReLU()), "1"
    return Shifted(dtype), ""


def scale_of(penalty, shape, *, kind="ReLU", delivery="collect", dtype=torch.float64, keep=None):
    """Return the scale after a step, the output, and the pull of the loss at it."""
    model, where = site_of(kind, dtype)
    x, pull = numbers(*shape, dtype=dtype), numbers(*shape, seed=1, dtype=dtype)
    reg = rz.Regularization(model, [rz.activity(penalty, where=where)], delivery=delivery)
    if keep is None:
        y = model(x)
    else:
        with reg.mask(keep, where=where):
            y = model(x)
    deliver(reg, (y * pull).sum(), delivery)
    reg.step()
    return saved(reg)["scale"], y, pull


deliveries = pytest.mark.parametrize("delivery", ["collect", "inject"])
kinds = pytest.mark.parametrize("kind", ["ReLU", "sum"])


@deliveries
@kinds
@pytest.mark.parametrize("name", HAND)
def test_it_is_that_of_the_formula(name, kind, delivery):
    penalty, formula = HAND[name]
    scale, y, pull = scale_of(penalty, (64, 32), kind=kind, delivery=delivery)
    assert scale == pytest.approx(by_hand(y, pull, formula), rel=1e-9)


@deliveries
@kinds
@pytest.mark.parametrize("size", SHAPES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("name", ["L1", "L2Squared", "L1 of a norm"])
def test_it_is_the_same_in_every_way_of_reading(name, dtype, size, kind, delivery):
    penalty, formula = HAND[name]
    scale, y, pull = scale_of(penalty, SHAPES[size], kind=kind, delivery=delivery, dtype=dtype)
    # the squares of float32 are added in float32, in rows; bfloat16 is widened first
    assert scale == pytest.approx(by_hand(y, pull, formula), rel=2e-5)


NORMS = {
    "batch_mean": lambda y: y.square().sum(1)[y.square().sum(1) > 0].sqrt().sum() / len(y),
    "sum": lambda y: y.square().sum().sqrt(),
    "mean": lambda y: y.square().mean().sqrt(),
}


@deliveries
@kinds
@pytest.mark.parametrize("reduce", NORMS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16], ids=str)
def test_samples_that_are_0_have_no_slope_of_their_norm(dtype, reduce, kind, delivery):
    x = numbers(64, 32, dtype=dtype)
    x[::3] = 0.0
    model, where = site_of(kind, dtype)
    penalty = rz.L2Norm(rz.TargetNorm(0.5), reduce=reduce)
    reg = rz.Regularization(model, [rz.activity(penalty, where=where)], delivery=delivery)
    y, pull = model(x), numbers(64, 32, seed=1, dtype=dtype)
    empty = int((y == 0).all(dim=1).sum())
    deliver(reg, (y * pull).sum(), delivery)
    reg.step()
    expected = by_hand(y, pull, NORMS[reduce])
    assert saved(reg)["scale"] == pytest.approx(expected, rel=1e-9 if dtype.itemsize > 4 else 1e-3)
    assert empty == (22 if kind == "ReLU" else empty)


@deliveries
@pytest.mark.parametrize("axes", [None, 1, (0, 1)], ids=str)
@pytest.mark.parametrize("reduce", NORMS)
def test_a_norm_is_measured_as_its_target_defines_it(reduce, axes, delivery):
    """Whatever the penalty reduces by: the mean over samples of their norms."""
    model = Shifted(torch.float64)
    penalty = rz.L2Norm(rz.TargetNorm(0.5), reduce=reduce)
    rule = rz.activity(penalty, where="", batch_axis=axes if axes is not None else (0,))
    reg = rz.Regularization(model, [rule], delivery=delivery)
    y = model(numbers(6, 5, 4))
    deliver(reg, y.sum(), delivery)
    reg.step()
    units = {None: (1, 2), 1: (0, 2), (0, 1): (2,)}[axes]
    (reached,) = reg.targets().values()
    assert reached.measured == pytest.approx(y.detach().square().sum(units).sqrt().mean().item())


@deliveries
@kinds
@pytest.mark.parametrize("name", ["L1", "L2Squared", "Huber", "L2Norm"])
def test_what_is_masked_pulls_at_nothing(name, kind, delivery):
    penalty, formula = HAND[name]
    keep = torch.arange(64) % 3 > 0
    scale, y, pull = scale_of(penalty, (64, 32), kind=kind, delivery=delivery, keep=keep)
    assert scale == pytest.approx(by_hand(y, pull, formula, keep), rel=1e-9)
    assert scale != pytest.approx(by_hand(y, pull, formula), rel=1e-3)


@deliveries
def test_it_is_of_the_loss_whatever_its_factor_is(delivery):
    """A factor of the whole loss, penalties included, cancels; one of the task alone does not."""
    scales = []
    for of_all, of_task in [(1.0, 1.0), (1024.0, 1.0), (1.0, 1024.0)]:
        model, x = Shifted(), numbers(64, 32)
        rules = [rz.activity(rz.L1(ACTIVE), where="")]
        reg = rz.Regularization(model, rules, delivery=delivery)
        loss = of_task * model(x).square().sum()
        whole = loss + reg.penalty() if delivery == "collect" else reg.scale_from(loss)
        (of_all * whole).backward()
        reg.step()
        scales.append(saved(reg)["scale"])
    assert scales[1] == pytest.approx(scales[0], rel=1e-12)
    assert scales[2] == pytest.approx(1024 * scales[0], rel=1e-12)


@deliveries
def test_each_of_several_penalties_of_a_site_has_its_own(delivery):
    model, x, pull = Shifted(), numbers(64, 32), numbers(64, 32, seed=1)
    penalty = rz.L1(ACTIVE) + rz.L2Squared(rz.TargetNorm(1.0))
    reg = rz.Regularization(model, [rz.activity(penalty, where="")], delivery=delivery)
    deliver(reg, (model(x) * pull).sum(), delivery)
    reg.step()
    for name in ("L1", "L2Squared"):
        expected = by_hand(x, pull, HAND[name][1])
        assert saved(reg, f"model/activity/{name}")["scale"] == pytest.approx(expected, rel=1e-9)


@deliveries
@pytest.mark.parametrize("name", ["L1", "L2Squared", "Huber"])
def test_the_gradient_of_a_tiny_strength_is_not_lost(name, delivery):
    """At 1e-20, whose square float32 does not hold, and at an output of half precision."""
    penalty, formula = HAND[name]
    for dtype in (torch.float16, torch.bfloat16, torch.float32):
        scale, y, pull = scale_of(penalty, (64, 32), delivery=delivery, dtype=dtype)
        assert scale == pytest.approx(by_hand(y, pull, formula), rel=1e-5)


@deliveries
@pytest.mark.parametrize("nothing", [torch.inf, torch.nan, 0.0])
def test_a_gradient_that_overflows_leaves_the_last(nothing, delivery):
    model, x = Shifted(), numbers(64, 32)
    reg = rz.Regularization(model, [rz.activity(rz.L1(ACTIVE), where="")], delivery=delivery)
    for times in (1.0, nothing):
        deliver(reg, times * model(x).sum(), delivery)
        reg.step()
        assert saved(reg)["scale"] == pytest.approx(64, rel=1e-12)
    assert saved(reg)["law"]["looked_on"] == 1
    assert saved(reg)["law"]["measured_weight"] == pytest.approx(1.9)


@deliveries
def test_where_nothing_is_active_there_is_none(delivery):
    model = nn.Sequential(Shifted(), nn.ReLU())
    reg = rz.Regularization(model, [rz.activity(rz.L1(ACTIVE), where="1")], delivery=delivery)
    deliver(reg, model(-torch.ones(4, 5, dtype=torch.float64)).sum(), delivery)
    reg.step()
    state = saved(reg)
    assert state["scale"] == 0  # none, as a JSON file says it
    assert state["law"]["looked_on"] == 0
    assert state["law"]["measured_weight"] == 1
