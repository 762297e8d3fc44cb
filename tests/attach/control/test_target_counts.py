"""What a target measures of an output, counted by hand, however the output is read."""

import math

import pytest
import torch
from torch import nn

import regularizers as rz
from attach.control.driving import Shifted, deliver, numbers, saved

deliveries = pytest.mark.parametrize("delivery", ["collect", "inject"])
TARGETS = {
    "active": rz.TargetActive(3),
    "active beyond": rz.TargetActive(3, threshold=0.75),
    "fraction": rz.TargetActive(fraction=0.3),
    "mean": rz.TargetMean(0.1),
    "norm": rz.TargetNorm(1.0),
}
SIZES = [(64, 256), (64, 257), (512, 1024), (512, 1025), (1024, 1025)]
"""Around 2^14, 2^19 and 2^20 elements."""


def by_hand(name, y):
    """Return what is measured of an output whose first axis counts samples."""
    y = y.detach().double().reshape(len(y), -1)
    match name:
        case "active":
            return (y != 0).sum(1).double().mean().item()
        case "active beyond":
            return (y.abs() > 0.75).sum(1).double().mean().item()
        case "fraction":
            return (y != 0).double().mean().item()
        case "mean":
            return y.abs().mean().item()
    return y.square().sum(1).sqrt().mean().item()


def hoyer(y):
    """Return Hoyer's sparsity, averaged over samples."""
    y = y.detach().double()
    root = y.shape[1] ** 0.5
    return ((root - y.abs().sum(1) / y.square().sum(1).sqrt()) / (root - 1)).mean().item()


class Named(nn.Module):
    """A site whose output a test makes from its input, after a shift that has a gradient."""

    def __init__(self, module, shape=lambda y: y, dtype=torch.float64):
        super().__init__()
        self.shift, self.site, self.shape = Shifted(dtype), module, shape

    def forward(self, x):
        return self.site(self.shape(self.shift(x)))


class Same(nn.Module):
    """Returns a view of its input, as it lies."""

    def forward(self, x):
        return x.view_as(x)


def regularized(model, target, delivery, penalty=rz.L1):
    return rz.Regularization(model, [rz.activity(penalty(target), where="site")], delivery=delivery)


def measured(model, x, target, delivery="collect", penalty=rz.L1):
    """Return what a step measured, and the output."""
    reg = regularized(model, target, delivery, penalty)
    y = model(x)
    deliver(reg, y.sum(), delivery)
    reg.step()
    (reached,) = reg.targets().values()
    reg.detach()
    return reached.measured, y


@deliveries
@pytest.mark.parametrize("site", [nn.ReLU, Same])
@pytest.mark.parametrize("shape", SIZES, ids=str)
@pytest.mark.parametrize("name", TARGETS)
def test_it_is_the_count_by_hand_at_every_size(name, shape, site, delivery):
    model = Named(site(), dtype=torch.float32)
    actual, y = measured(model, numbers(*shape, dtype=torch.float32), TARGETS[name], delivery)
    exact = name in ("active", "active beyond", "fraction")
    assert actual == pytest.approx(by_hand(name, y), rel=1e-12 if exact else 1e-5)


@pytest.mark.parametrize("penalty", [rz.L2Squared, rz.L2Norm, rz.Huber])
@pytest.mark.parametrize("shape", SIZES[1::2], ids=str)
@pytest.mark.parametrize("name", ["active", "mean"])
def test_whatever_the_penalty_is(name, shape, penalty):
    model = Named(nn.ReLU(), dtype=torch.float32)
    x = numbers(*shape, dtype=torch.float32)
    actual, y = measured(model, x, TARGETS[name], penalty=penalty)
    assert actual == pytest.approx(by_hand(name, y), rel=1e-12 if name == "active" else 1e-5)


LAYOUTS = {
    "channels_last": lambda y: y.contiguous(memory_format=torch.channels_last),
    "every second": lambda y: y[:, :, ::2],
    "transposed": lambda y: y.transpose(2, 3),
    "expanded": lambda y: y[:, :1].expand(-1, 8, -1, -1),
}


@deliveries
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("shape", [(4, 8, 6, 6), (32, 32, 24, 24)], ids=str)
@pytest.mark.parametrize("name", TARGETS)
def test_it_does_not_matter_how_the_output_lies(name, shape, layout, delivery):
    model = Named(Same(), LAYOUTS[layout], torch.float32)
    x = numbers(*shape, dtype=torch.float32).relu()
    actual, y = measured(model, x, TARGETS[name], delivery)
    assert actual == pytest.approx(by_hand(name, y), rel=1e-5)


@deliveries
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize("name", TARGETS)
def test_counts_are_wide_at_outputs_of_half_precision(name, dtype, delivery):
    """Which themselves do not count beyond 256, or 2048."""
    x = numbers(64, 300, dtype=dtype)
    actual, y = measured(Named(nn.ReLU(), dtype=dtype), x, TARGETS[name], delivery)
    assert actual == pytest.approx(by_hand(name, y), rel=1e-6)


@deliveries
@pytest.mark.parametrize("nothing", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("shape", [(16, 8), (64, 257), (1024, 1025)], ids=str)
@pytest.mark.parametrize("name", TARGETS)
def test_an_output_that_is_not_finite_stops_the_law(name, shape, nothing, delivery):
    model = Named(Same(), dtype=torch.float32)
    x = numbers(*shape, dtype=torch.float32)
    reg = regularized(model, TARGETS[name], delivery)
    for _ in range(2):
        deliver(reg, model(x).sum(), delivery)
        reg.step()
    before = saved(reg)
    x[1, 2] = nothing
    deliver(reg, model(x).sum(), delivery)
    reg.step()
    after = saved(reg)
    assert after["law"] == before["law"]
    assert after["strength"] == before["strength"]
    assert after["diagnosis"]["lost"] == 1


@deliveries
@pytest.mark.parametrize("first", ["target", "monitor"])
@pytest.mark.parametrize("site", [nn.ReLU, Same])
@pytest.mark.parametrize("shape", SIZES, ids=str)
@pytest.mark.parametrize("name", ["active", "fraction", "mean"])
def test_a_monitor_beside_it_counts_the_same(name, shape, site, first, delivery):
    """They share totals of the output, whichever hook comes first."""
    model = Named(site(), dtype=torch.float32)
    metrics = [rz.monitor.ActiveUnits(), rz.monitor.HoyerSparsity()]

    def watched():
        return rz.Monitor(model, "site", metrics)

    monitor = watched() if first == "monitor" else None
    reg = regularized(model, TARGETS[name], delivery)
    monitor = monitor or watched()
    for step in range(33) if math.prod(shape) < 2**15 else (1, 30):  # beyond the readings too
        monitor.reset()
        y = model(numbers(*shape, seed=step, dtype=torch.float32))
        deliver(reg, y.sum(), delivery)
        known = saved(reg)["sums"][:2]
        assert known[0] / known[1] == pytest.approx(by_hand(name, y), rel=1e-5)
        read = monitor.as_dict()
        assert read["site/active_units"] == pytest.approx(by_hand("active", y), rel=1e-6)
        assert read["site/hoyer_sparsity"] == pytest.approx(hoyer(y), rel=1e-5)
        reg.step()


@deliveries
@pytest.mark.parametrize("first", ["target", "monitor"])
@pytest.mark.parametrize("shape", [(64, 32), (600, 1000)], ids=str)
def test_a_change_in_place_between_two_hooks_is_seen(shape, first, delivery):
    """What comes first counts the output as it was, the second as it is."""
    model = Named(Same())

    def halve(module, inputs, output):
        with torch.no_grad():
            output[:, ::2] = 0

    def watched():
        return rz.Monitor(model, "site", [rz.monitor.ActiveUnits()])

    x = numbers(*shape)
    if first == "monitor":
        monitor = watched()
        model.site.register_forward_hook(halve)
        reg = regularized(model, rz.TargetActive(3), delivery)
    else:
        reg = regularized(model, rz.TargetActive(3), delivery)
        model.site.register_forward_hook(halve)
        monitor = watched()
    model(x)
    if delivery == "collect":
        reg.penalty()
    total, count = saved(reg)["sums"][:2]
    counted = [total / count, monitor.as_dict()["site/active_units"]]
    was, is_ = by_hand("active", x), (x[:, 1::2] != 0).sum().item() / len(x)
    expected = [is_, was] if first == "monitor" else [was, is_]
    assert counted == pytest.approx(expected, rel=1e-6)
