"""A gate that states its pseudo-gradient's window: the scale is of the elements inside."""

import pytest
import torch
from torch import nn

import regularizers as rz
from attach.control.driving import Shifted, deliver, numbers, saved
from regularizers.errors import ConfigurationError

deliveries = pytest.mark.parametrize("delivery", ["collect", "inject"])


class Step(torch.autograd.Function):
    """1 above 0, else 0; its slope is taken for 1 where |x| < ½."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return (x > 0).to(x.dtype)

    @staticmethod
    def backward(ctx, gradient):
        (x,) = ctx.saved_tensors
        return gradient * (x.abs() < 0.5)


class Gate(nn.Module):
    def forward(self, x):
        return Step.apply(x)


class Windowed(Gate):
    def pseudo_gradient_window(self, x):
        return x.abs() < 0.5


def measured(gate, penalty, delivery="collect", shape=(64, 32), keep=None):
    """Return the scale after a step, the input of the gate, and the pull of the loss."""
    model = nn.Sequential(Shifted(), gate)
    x, pull = numbers(*shape), numbers(*shape, seed=1)
    reg = rz.Regularization(model, [rz.activity(penalty, where="1")], delivery=delivery)
    if keep is None:
        y = model(x)
    else:
        with reg.mask(keep, where="1"):
            y = model(x)
    deliver(reg, (y * pull).sum(), delivery)
    reg.step()
    return saved(reg), x, pull


@deliveries
@pytest.mark.parametrize("shape", [(64, 32), (200, 100), (600, 1000)], ids=str)
@pytest.mark.parametrize("penalty", ["L1", "L2Squared"])
def test_the_scale_is_three_times_that_of_the_window(penalty, shape, delivery):
    state, x, pull = measured(Windowed(), getattr(rz, penalty)(rz.TargetActive(3)), delivery, shape)
    inside = x.abs() < 0.5
    open_ = (x > 0).double()
    slope = (open_ if penalty == "L1" else 2 * open_) / len(x)
    expected = 3 * ((pull * inside).norm() / (slope * inside).norm()).item()
    assert state["scale"] == pytest.approx(expected, rel=1e-9)
    assert state["law"]["measured_total"] == open_.sum().item() / len(x)


@deliveries
def test_a_mask_and_a_window_are_both_kept_to(delivery):
    keep = torch.arange(64) % 3 > 0
    state, x, pull = measured(Windowed(), rz.L1(rz.TargetActive(3)), delivery, keep=keep)
    inside = (x.abs() < 0.5) & keep[:, None]
    slope = (x > 0).double() / keep.sum()
    expected = 3 * ((pull * inside).norm() / (slope * inside).norm()).item()
    assert state["scale"] == pytest.approx(expected, rel=1e-9)
    assert state["law"]["measured_total"] == ((x > 0) & keep[:, None]).sum().item() / keep.sum()


@deliveries
def test_a_gate_without_a_window_is_as_any_module(delivery):
    state, x, pull = measured(Gate(), rz.L1(rz.TargetActive(3)), delivery)
    open_ = (x > 0).double()
    expected = ((pull * open_).norm() / (open_ / len(x)).norm()).item()
    assert state["scale"] == pytest.approx(expected, rel=1e-9)


class Narrow(Gate):
    def pseudo_gradient_window(self, x):
        return x.abs().sum(1) < 0.5


class Told(Gate):
    def pseudo_gradient_window(self, x):
        return True


@deliveries
@pytest.mark.parametrize(("gate", "got"), [(Narrow(), r"Tensor\[64\] bool"), (Told(), "bool")])
def test_a_window_has_the_shape_of_the_output(gate, got, delivery):
    model = nn.Sequential(Shifted(), gate)
    rules = [rz.activity(rz.L1(rz.TargetActive(3)), where="1")]
    reg = rz.Regularization(model, rules, delivery=delivery)
    message = rf"1: pseudo_gradient_window: expected .* shape of the output, \(64, 32\), got {got}"
    with pytest.raises(ConfigurationError, match=message):
        model(numbers(64, 32))
    reg.detach()


def test_a_window_is_asked_for_only_where_gradients_are_measured():
    asked = []

    class Counts(Windowed):
        def pseudo_gradient_window(self, x):
            asked.append(len(x))
            return super().pseudo_gradient_window(x)

    model = nn.Sequential(Shifted(), Counts())
    with rz.Regularization(model, [rz.activity(rz.L1(1.0), where="1")]) as reg:
        deliver(reg, model(numbers(8, 4)).sum(), "collect")
    assert asked == []
    reg = rz.Regularization(model, [rz.activity(rz.L1(rz.TargetActive(3)), where="1")])
    for _ in range(45):
        deliver(reg, model(numbers(8, 4)).sum(), "collect")
        reg.step()
    assert len(asked) == 31
