"""The sum of absolute values of an output of a middling size."""

import pytest
import torch
from torch import nn

import regularizers as rz
from regularizers.attach.reading import plan_for
from regularizers.penalties.kernels import thresholds

LAYOUTS = {
    "contiguous": lambda x: x,
    "channels last": lambda x: x.contiguous(memory_format=torch.channels_last),
    "sliced": lambda x: torch.cat([x, x], 3)[..., ::2],
    "expanded": lambda x: x[:1].expand(4, -1, -1, -1),
}


def sum_of_absolute(x):
    return plan_for("", x, rz.L1(1.0), 0).read(x)


def values(dtype):
    x = torch.randn(4, 6, 5, 8, generator=torch.Generator().manual_seed(0), dtype=dtype)
    x[0, 0, 0, :3] = torch.tensor([0.0, -0.0, torch.inf])
    return x


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("operation", [torch.relu, torch.sigmoid, lambda x: x * 1.0])
def test_the_gradient_is_that_of_autograd(operation, layout, dtype):
    gradients = []
    for read in (sum_of_absolute, lambda x: x.abs().sum()):
        x = LAYOUTS[layout](values(dtype)).detach().requires_grad_()
        y = operation(x)
        y.retain_grad()
        statistic = read(y)
        (0.25 * statistic).backward()
        gradients += [statistic, y.grad, x.grad]
        zeros = y == 0
        assert zeros.any() or operation is torch.sigmoid
        assert (y.grad[zeros] == 0).all()
    for ours, wanted in zip(gradients[:3], gradients[3:], strict=True):
        torch.testing.assert_close(ours, wanted, rtol=1e-6, atol=0)


def test_it_keeps_a_byte_of_each_element():
    y = values(torch.float32).requires_grad_() * 1.0
    total = sum_of_absolute(y)  # with PyTorch 2.10 what is saved goes with the output
    kept, _ = total.grad_fn.saved_tensors
    assert kept.dtype == torch.int8
    assert kept.shape == y.shape


def test_a_change_in_place_afterwards_does_not_matter_to_signs():
    x = values(torch.float32).requires_grad_()
    y = x * 1.0
    statistic = sum_of_absolute(y)
    with torch.no_grad():
        y.neg_()
    statistic.backward()
    assert torch.equal(x.grad, x.sign())


@pytest.mark.parametrize("value", [1.1, 3e-5, 70.0])
@pytest.mark.parametrize("operation", [torch.relu, lambda x: x * 1.0])
def test_the_value_is_as_exact_as_float32(operation, value):
    x = torch.full((thresholds.BY_AUTOGRAD,), value, requires_grad=True)
    wanted = x.detach().double().sum()
    assert abs(sum_of_absolute(operation(x)).item() / wanted.item() - 1) < 1e-6


def test_it_can_be_differentiated_twice():
    x = values(torch.float64)[1].requires_grad_()
    weight = torch.tensor(0.5, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(weight * sum_of_absolute(x * 1.0), x, create_graph=True)
    (slope * x).sum().backward()
    torch.testing.assert_close(weight.grad, x.detach().abs().sum())
    torch.testing.assert_close(x.grad, 0.5 * x.detach().sign())


def test_autograd_computes_it_where_it_saves_the_output_anyway():
    large = torch.zeros(thresholds.BY_AUTOGRAD + 1)
    for term, x, by_autograd in [
        (rz.L1(1.0), torch.randn(3, 5), True),
        (rz.L2Squared(1.0), torch.randn(3, 5), False),
        (rz.L1(1.0), torch.randn(3, 5).bfloat16(), False),
        (rz.L1(1.0), large, False),
    ]:
        assert plan_for("", x, term, 0).by_autograd == by_autograd


@pytest.mark.parametrize("activation", [nn.ReLU(), nn.Identity()])
def test_autocast_does_not_reach_it(activation, monkeypatch):
    monkeypatch.setattr(thresholds, "COPIED", 0)
    model = nn.Sequential(activation)
    reg = rz.Regularization(model, [rz.activity(rz.L1(1.0), where="0")])
    x = torch.full((1, 1000), 1.001, requires_grad=True)
    with torch.autocast("cpu", torch.bfloat16):
        model(x)
        value = reg.penalty()
    value.backward()
    assert value.item() == pytest.approx(1001.0, rel=1e-6)
    assert (x.grad == 1.0).all()
