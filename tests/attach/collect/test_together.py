"""Small outputs are copied in the forward and read together when they are collected."""

from itertools import pairwise

import pytest
import torch
from torch import nn

import regularizers as rz

# how many copies are read at once, and in which order, changes no number
from regularizers.attach.collect import _batched
from regularizers.attach.collect._batched import BatchedReader
from regularizers.attach.collect._ledger import CopiedOutput
from regularizers.attach.reading import Record
from regularizers.attach.sites import Entry
from regularizers.errors import ShapeError
from regularizers.penalties.kernels import thresholds


@pytest.fixture
def read(monkeypatch):
    """List how many copies are read at once."""
    counts = []
    measure = _batched.ReadRows.apply

    def counting(x, term):
        counts.append(len(x))
        return measure(x, term)

    monkeypatch.setattr(_batched.ReadRows, "apply", counting)
    return counts


def network(*widths):
    torch.manual_seed(0)
    layers = [nn.Linear(m, n, dtype=torch.float64) for m, n in pairwise(widths)]
    return nn.Sequential(*layers)


def gradients(model, loss):
    model.zero_grad()
    loss.backward()
    return [p.grad.clone() for p in model.parameters()]


def test_what_is_alike_is_read_at_once(read):
    model = network(3, 5, 5, 4)
    x = torch.randn(6, 3, dtype=torch.float64)
    penalty = rz.L1(0.3) + rz.L2Squared(0.2, reduce="mean")
    reg = rz.Regularization(model, [rz.activity(penalty, where=nn.Linear)])
    output = model(x)
    value = reg.penalty()
    ours = gradients(model, output.sum() + value)
    assert sorted(read) == [1, 1, 2, 2]
    outputs = [model[:k](x) for k in (1, 2, 3)]
    by_hand = sum([0.3 * y.abs().sum() / 6 + 0.2 * y.square().mean() for y in outputs])
    torch.testing.assert_close(value, by_hand, rtol=1e-12, atol=0)
    torch.testing.assert_close(ours, gradients(model, outputs[-1].sum() + by_hand))
    for name, y in zip(("0", "1", "2"), outputs, strict=True):
        found = reg.penalties()[f"{name}/activity/L1"]
        assert float(found) == pytest.approx(0.3 * y.abs().sum().item() / 6, rel=1e-12)


def test_each_site_has_its_strength_and_settings():
    model = network(3, 5, 5, 5)
    penalties = [rz.Huber(0.3, delta=0.1), rz.Huber(0.7, delta=0.1), rz.Huber(0.7, delta=0.5)]
    rules = [rz.activity(penalty, where=str(k)) for k, penalty in enumerate(penalties)]
    reg = rz.Regularization(model, rules)
    x = torch.randn(6, 3, dtype=torch.float64)
    expected = sum([penalty(model[: k + 1](x)) / 6 for k, penalty in enumerate(penalties)])
    reg.penalty()
    model(x)
    torch.testing.assert_close(reg.penalty(), expected, rtol=1e-12, atol=0)


def test_records_stay_in_their_order():
    term = rz.L1(1.0, reduce="batch_mean")
    entries = [Entry(key, key, "activity", term) for key in "abcd"]
    small, large = torch.ones(2, 3), torch.ones(())
    waiting = [
        CopiedOutput("a", small, 2),
        Record("b", large, 1),
        CopiedOutput("c", small[:1], 1),
        CopiedOutput("d", small, 2),
    ]
    read = BatchedReader(entries).read_copies(waiting)
    assert [(record.key, record.statistic.item(), record.denominator) for record in read] == [
        ("a", 6, 2),
        ("b", 1, 1),
        ("c", 3, 1),
        ("d", 6, 2),
    ]


def test_large_outputs_are_not_copied(read):
    model = network(2, thresholds.COPIED // 8)
    reg = rz.Regularization(model, [rz.activity(rz.L1(1.0), where="0")])
    for samples, copied in ((8, [1]), (9, [1])):
        output = model(torch.ones(samples, 2, dtype=torch.float64))
        expected = output.abs().sum() / samples
        torch.testing.assert_close(reg.penalty(), expected)
        assert read == copied


def test_several_calls_add_up(read):
    model = network(3, 3)
    reg = rz.Regularization(model, [rz.activity(rz.L1(0.5, reduce="sum"), where="0")])
    x = torch.randn(2, 3, dtype=torch.float64)
    first, second = model(x), model(2 * x)
    expected = 0.5 * (first.abs().sum() + second.abs().sum())
    torch.testing.assert_close(reg.penalty(), expected)
    assert reg.penalties()["0/activity/L1"] == pytest.approx(expected.item(), rel=1e-12)
    assert read == [2]


@pytest.mark.parametrize("penalty", [rz.L1(1.0), rz.L2Squared(1.0), rz.Huber(1.0)], ids=repr)
def test_a_change_in_place_comes_too_late(penalty, read):
    model = nn.Sequential(*network(3, 4), nn.ReLU(inplace=True))
    x = torch.randn(5, 3, dtype=torch.float64)
    reg = rz.Regularization(model, [rz.activity(penalty, where="0")])
    output = model(x)
    ours = gradients(model, output.sum() + reg.penalty())
    y = model[0](x)
    assert (y < 0).any()
    torch.testing.assert_close(ours, gradients(model, y.relu().sum() + penalty(y) / 5))
    assert read == [1]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_widened(dtype, read):
    model = network(3, 4).to(dtype)
    x = torch.randn(5, 3, dtype=dtype)
    reg = rz.Regularization(model, [rz.activity(rz.L2Squared(1.0), where="0")])
    y = model(x)
    value = reg.penalty()
    assert value.dtype == torch.float32
    torch.testing.assert_close(value, y.float().square().sum() / 5)
    (slope,) = torch.autograd.grad(value, [model[0].bias])
    torch.testing.assert_close(slope, (y.float() * 2 / 5).sum(0).to(dtype), rtol=1e-2, atol=1e-2)
    assert read == [1]


def test_an_output_without_axes(read):
    class Total(nn.Module):
        def forward(self, x):
            return x.sum()

    model = nn.Sequential(*network(3, 4), Total())
    reg = rz.Regularization(model, [rz.activity(rz.L1(1.0), where="1")])
    output = model(torch.ones(5, 3, dtype=torch.float64))
    torch.testing.assert_close(reg.penalty(), output.abs())
    assert read == [1]


def test_differentiated_twice(read):
    model = network(3, 4)
    x = torch.randn(5, 3, dtype=torch.float64)
    reg = rz.Regularization(model, [rz.activity(rz.L2Squared(0.5, reduce="sum"), where="0")])
    model(x)
    (slope,) = torch.autograd.grad(reg.penalty(), model[0].bias, create_graph=True)
    (second,) = torch.autograd.grad(slope.sum(), model[0].bias)
    torch.testing.assert_close(second, torch.full((4,), 5.0, dtype=torch.float64))
    assert read == [1]


def test_an_axis_that_is_not_there_is_said_in_the_forward():
    model = network(3, 4)
    reg = rz.Regularization(model, [rz.activity(rz.L1(1.0, batch_axis=2), where="0")])
    with pytest.raises(ShapeError, match="batch_axis"):
        model(torch.ones(5, 3, dtype=torch.float64))
    reg.detach()


def test_what_a_hook_of_saved_tensors_sees_is_read_in_the_forward(read):
    model = network(3, 4)
    reg = rz.Regularization(model, [rz.activity(rz.L1(1.0), where="0")])
    with torch.autograd.graph.saved_tensors_hooks(lambda x: x, lambda x: x):
        y = model(torch.ones(5, 3, dtype=torch.float64))
    torch.testing.assert_close(reg.penalty(), y.abs().sum() / 5)
    assert read == []
