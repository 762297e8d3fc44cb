"""L0 at a gate: the gradient of thresholds, the law, and where it is refused."""

import pytest
import torch
from torch import nn

import regularizers as rz
from attach.control.driving import deliver, numbers, saved
from regularizers.errors import ConfigurationError

deliveries = pytest.mark.parametrize("delivery", ["collect", "inject"])


def coder(units=32):
    """Return a layer before a JumpReLU, in float64."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(8, units), rz.layers.JumpReLU(units, 0.3, 0.5)).double()


def near(model, x):
    return (model[0](x) - model[1].threshold).abs() < 0.25


@deliveries
@pytest.mark.parametrize("rows", [16, 5000])
def test_thresholds_get_the_gradient_on_paper_and_nothing_else_does(delivery, rows):
    model, x = coder(), numbers(rows, 8)
    rules = [rz.activity(rz.L0(0.7), where="1.gate")]
    with rz.Regularization(model, rules, delivery=delivery) as reg:
        f = model(x)
        if delivery == "collect":
            reg.penalty().backward()
            on = (f.detach() != 0).sum().item()
            assert reg.penalties() == {"1.gate/activity/L0": pytest.approx(0.7 * on / rows)}
        else:
            reg.scale_from((0 * f).sum()).backward()
    inside = near(model, x).double().sum(0)
    torch.testing.assert_close(model[1].threshold.grad, -0.7 / rows / 0.5 * inside)
    weight = model[0].weight.grad
    assert weight is None or not weight.any()


@deliveries
def test_a_mask_leaves_samples_out(delivery):
    model, x, keep = coder(), numbers(12, 8), torch.arange(12) % 3 > 0
    reg = rz.Regularization(model, [rz.activity(rz.L0(1.0), where="1.gate")], delivery=delivery)
    with reg.mask(keep, where="1.gate"):
        f = model(x)
    deliver(reg, (0 * f).sum(), delivery)
    expected = -(near(model, x) & keep[:, None]).sum(0) / 0.5 / 8
    torch.testing.assert_close(model[1].threshold.grad, expected.double())
    reg.detach()


@deliveries
@pytest.mark.parametrize("rows", [16, 20_000])
@pytest.mark.parametrize("masked", [False, True])
def test_the_scale_is_three_times_that_of_the_window(delivery, rows, masked):
    model, x, g = coder(), numbers(rows, 8), numbers(rows, 32, seed=1)
    target = rz.TargetActive(3)
    rules = [rz.activity(rz.L0(target), where="1.gate")]
    reg = rz.Regularization(model, rules, delivery=delivery)
    keep = torch.arange(rows) % 3 > 0 if masked else torch.ones(rows, dtype=torch.bool)
    if masked:
        with reg.mask(keep, where="1.gate"):
            f = model(x)
    else:
        f = model(x)
    deliver(reg, (f * g).sum(), delivery)
    reg.step()
    inside = near(model, x) & keep[:, None]
    pull = g * model[1].threshold.detach()
    expected = 3 * (pull * inside).norm() / (inside.double() / keep.sum()).norm()
    assert saved(reg)["scale"] == pytest.approx(expected.item(), rel=1e-9)
    on = (f.detach() != 0) & keep[:, None]
    assert saved(reg)["law"]["measured_total"] == on.sum().item() / keep.sum().item()
    reg.detach()


@deliveries
def test_a_stated_number_of_units_is_reached(delivery):
    torch.manual_seed(0)
    truth = nn.functional.normalize(torch.randn(24, 12, dtype=torch.float64), dim=1)
    model = nn.Sequential(
        nn.Linear(12, 24), rz.layers.JumpReLU(24, 0.1, 0.2), nn.Linear(24, 12)
    ).double()
    with torch.no_grad():
        model[0].weight.copy_(truth)
        model[2].weight.copy_(truth.T)
    reg = rz.Regularization(
        model, [rz.activity(rz.L0(rz.TargetActive(4)), where="1.gate")], delivery=delivery
    )
    optimizer = torch.optim.Adam(model.parameters(), 0.01, betas=(0.9, 0.99))
    counts = []
    for step in range(400):
        generator = torch.Generator().manual_seed(step)
        code = torch.rand(256, 24, generator=generator, dtype=torch.float64)
        x = ((code - 0.8).relu() * 5) @ truth
        optimizer.zero_grad()
        f = model[1](model[0](x))
        loss = (model[2](f) - x).square().sum(1).mean()
        deliver(reg, loss, delivery)
        optimizer.step()
        reg.step()
        counts.append((f != 0).sum().item() / len(x))
    reg.detach()
    assert abs(sum(counts[-50:]) / 50 - 4) < 0.2
    assert counts[0] > 5


def test_a_budget_of_gates():
    model, x = coder(), numbers(16, 8)
    with rz.Regularization(model, [rz.activity(rz.Budget(rz.L0(0.5), 4.0), where="1.gate")]) as reg:
        on = (model(x) != 0).sum().item() / 16
        assert on > 4
        assert reg.penalty().item() == pytest.approx(0.5 * (on - 4))


@pytest.mark.filterwarnings("ignore:.*should not be instantiated:DeprecationWarning")
def test_it_compiles():
    torch.compiler.reset()
    model, x = coder(), numbers(16, 8)
    with rz.Regularization(model, [rz.activity(rz.L0(0.7), where="1.gate")]) as reg:
        torch.compile(model, backend="aot_eager")(x)
        reg.penalty().backward()
    expected = -0.7 / 16 / 0.5 * near(model, x).double().sum(0)
    torch.testing.assert_close(model[1].threshold.grad, expected)


@pytest.mark.parametrize("penalty", [rz.L0(1.0), rz.Budget(rz.L0(1.0), 3.0)], ids=repr)
def test_sites_that_are_no_gate_are_refused_where_they_are_named(penalty):
    message = r"^0: .*L0\(1\.0.* a Linear states none.* as in where='coding\.gate'"
    with pytest.raises(ConfigurationError, match=message):
        rz.Regularization(coder(), [rz.activity(penalty, where="0")])
    for make in (rz.kernel, rz.bias):
        with pytest.raises(ConfigurationError, match=rf"^{make.__name__}: .* counts gates"):
            make(penalty)
    with pytest.raises(ConfigurationError, match=r"^Temporal: expected a penalty of differences"):
        rz.Temporal(rz.L0(1.0))
