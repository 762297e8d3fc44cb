"""Penalties from given functions at the sites of a model."""

import copy
import io
import math

import pytest
import torch
import torch.distributed as dist
from torch import nn
from torch.utils.checkpoint import checkpoint

import regularizers as rz
from penalties.log_cosh import LogCosh, log_cosh
from regularizers.errors import ConfigurationError, RegimeError

SUMMED = rz.FromFunction(0.5, lambda xp, x: xp.sum(xp.cosh(x)), "elements", name="Cosh")


def largest(xp, x):
    return xp.max(x)


def model():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)).double()


def gradient(net):
    return net[0].weight.grad


def by_hand(x, formula):
    net = model()
    y = net[:2](x)
    (net(x).square().sum() + formula(y)).backward()
    return gradient(net)


X = torch.linspace(-1, 1, 15, dtype=torch.float64).reshape(5, 3)
FORMULAS = {
    "slope": (LogCosh(0.5), lambda y: 0.5 * y.cosh().log().sum() / 5),
    "none": (rz.Elementwise(0.5, log_cosh), lambda y: 0.5 * y.cosh().log().sum() / 5),
    "summed": (SUMMED, lambda y: 0.5 * y.cosh().sum() / 5),
    "whole": (rz.FromFunction(0.5, largest), lambda y: 0.5 * y.max()),
    "in time": (
        rz.Temporal(rz.Elementwise(0.5, log_cosh), time_axis=1),
        lambda y: 0.5 * y.diff(dim=1).cosh().log().sum() / 5,
    ),
    "whole in time": (
        rz.Temporal(rz.FromFunction(0.5, largest), time_axis=1),
        lambda y: 0.5 * y.diff(dim=1).max(),
    ),
    "budget": (
        rz.Budget(rz.Elementwise(0.5, log_cosh), 0.1),
        lambda y: 0.5 * (y.cosh().log().sum() / 5 - 0.1),
    ),
}
every_formula = pytest.mark.parametrize("kind", FORMULAS)


@every_formula
@pytest.mark.parametrize("delivery", ["collect", "inject"])
@pytest.mark.parametrize("run", ["eager", "compiled", "checkpointed"])
def test_the_gradient_is_that_of_the_formula(kind, delivery, run, compiler):
    penalty, formula = FORMULAS[kind]
    net = model()
    reg = rz.Regularization(net, [rz.activity(penalty, where="1")], delivery=delivery)
    called = torch.compile(net, backend="aot_eager", fullgraph=True) if run == "compiled" else net
    y = checkpoint(net, X, use_reentrant=False) if run == "checkpointed" else called(X)
    loss = y.square().sum()
    loss = loss + reg.penalty() if delivery == "collect" else reg.scale_from(loss)
    loss.backward()
    torch.testing.assert_close(gradient(net), by_hand(X, formula))


@pytest.mark.parametrize("penalty", [LogCosh(0.5), rz.Elementwise(0.5, log_cosh)], ids=repr)
def test_within_the_step_of_an_optimizer(penalty):
    net = model()
    reg = rz.Regularization(net, [rz.kernel(penalty)])
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    reg.attach(optimizer)
    before = net[2].weight.detach().clone()
    net(X).sum().backward()
    of_task = net[2].weight.grad.clone()
    optimizer.step()
    expected = before - 0.1 * (of_task + 0.5 * before.tanh())
    torch.testing.assert_close(net[2].weight.detach(), expected)


def test_a_mask_at_a_site_and_what_a_function_cannot_leave_out():
    mask = torch.tensor([True, False, True, True, False])
    for kind in ("slope", "none", "summed"):
        penalty, formula = FORMULAS[kind]
        net = model()
        reg = rz.Regularization(net, [rz.activity(penalty, where="1")])
        with reg.mask(mask, where="1"):
            y = net(X)
        (y.square().sum() + reg.penalty()).backward()
        expected = by_hand(X, lambda y, formula=formula: formula(y[mask]) * 5 / 3)
        torch.testing.assert_close(gradient(net), expected)
    net = model()
    reg = rz.Regularization(net, [rz.activity(FORMULAS["whole"][0], where="1")])
    with (
        reg.mask(mask, where="1"),
        pytest.raises(ConfigurationError, match="largest: mask: expected none"),
    ):
        net(X)


def test_transforms_of_torch():
    net = model()
    reg = rz.Regularization(net, [rz.activity(rz.Elementwise(0.5, log_cosh), where="1")])
    parameters = dict(net.named_parameters())

    def loss(parameters):
        return torch.func.functional_call(net, parameters, X).square().sum() + reg.penalty()

    found = torch.func.grad(loss)(parameters)
    torch.testing.assert_close(found["0.weight"], by_hand(X, FORMULAS["none"][1]))


def test_differentiated_twice():
    net = model()
    reg = rz.Regularization(net, [rz.activity(rz.Elementwise(0.5, log_cosh), where="1")])
    net(X)
    (first,) = torch.autograd.grad(reg.penalty(), net[0].weight, create_graph=True)
    (second,) = torch.autograd.grad(first.square().sum(), net[0].weight)
    twin = model()
    value = FORMULAS["none"][1](twin[:2](X))
    (first,) = torch.autograd.grad(value, twin[0].weight, create_graph=True)
    (expected,) = torch.autograd.grad(first.square().sum(), twin[0].weight)
    torch.testing.assert_close(second, expected)


def test_a_target_sees_the_same_in_compiled_code(compiler):
    found = []
    for run in (lambda net: net, lambda net: torch.compile(net, backend="aot_eager")):
        net = model()
        penalty = rz.Elementwise(rz.TargetNorm(0.1), log_cosh, name="LogCosh")
        reg = rz.Regularization(net, [rz.activity(penalty, where="1")])
        called = run(net)
        for _ in range(12):
            (called(X).square().sum() + reg.penalty()).backward()
            reg.step()
        found.append((reg.strengths["1/activity/LogCosh"], gradient(net)))
    assert found[0][0] == pytest.approx(found[1][0], rel=1e-6) != 0
    torch.testing.assert_close(found[0][1], found[1][1])


def test_keys_and_reports_show_the_name():
    rules = [
        rz.activity(LogCosh(0.5) + rz.Elementwise(0.1, log_cosh), where="1"),
        rz.activity(rz.Temporal(SUMMED, time_axis=1), where="1"),
        rz.kernel(rz.Elementwise(0.5, lambda xp, x: x * x), where="2"),
    ]
    reg = rz.Regularization(model(), rules)
    assert list(reg.strengths) == [
        "1/activity/LogCosh",
        "1/activity/log_cosh",
        "1/temporal/Cosh",
        "2.weight/kernel/Elementwise",
    ]
    assert "LogCosh" in str(reg.report())


def test_a_marked_model_is_copied_and_saved_with_its_penalty():
    net = nn.Sequential(rz.layers.ActivityPenalty(LogCosh(0.5)))
    file = io.BytesIO()
    torch.save(net, file)
    file.seek(0)
    for again in (copy.deepcopy(net), torch.load(file, weights_only=False)):
        reg = rz.Regularization(again, [])
        again(torch.ones(1, 2))
        assert float(reg.penalty()) == pytest.approx(math.log(math.cosh(1)))


@pytest.fixture
def group(tmp_path):
    dist.init_process_group("gloo", init_method=f"file://{tmp_path}/store", rank=0, world_size=1)
    yield dist.group.WORLD
    dist.destroy_process_group()


@pytest.mark.parametrize("delivery", ["collect", "inject"])
@pytest.mark.parametrize("kind", ["whole", "whole in time"])
def test_processes_cannot_share_a_function_of_the_whole_batch(group, delivery, kind):
    net = model()
    rule = rz.activity(FORMULAS[kind][0], where="1")
    reg = rz.Regularization(net, [rule], delivery=delivery, process_group=group)
    with pytest.raises(RegimeError, match=r"^1.*largest.* whole batch"):
        (net(X).sum() if delivery == "inject" else (net(X), reg.penalty()))


def test_processes_share_sums(group):
    net = model()
    rules = [rz.activity(SUMMED, where="1"), rz.kernel(rz.FromFunction(0.5, largest))]
    reg = rz.Regularization(net, rules, process_group=group)
    y = model()[:2](X)
    expected = 0.5 * y.cosh().sum() / 5 + 0.5 * (net[0].weight.max() + net[2].weight.max())
    net(X)
    assert float(reg.penalty().detach()) == pytest.approx(float(expected.detach()))
