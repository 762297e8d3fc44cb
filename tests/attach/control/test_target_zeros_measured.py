"""What a target of zeros measures of weights and their gradients."""

import math

import pytest
import torch
from torch.nn.utils import prune

import regularizers as rz
from attach.control.driving import saved
from attach.control.sparse import attached, network, rule, task, trained, zeros


def test_what_is_measured_is_the_share_after_the_step():
    model = network(20, 12, 6)
    with torch.no_grad():
        for layer in model:
            layer.weight[::4] = 0
    reg, made = attached(model, [rule(over="rule")])
    task(model, 0).backward()
    for layer in model:
        layer.weight.grad[::4] = 0
    made.step()
    (state,) = reg.state_dict()["controllers"].values()
    # 1 − a is given to the law, as it falls
    given = state["law"]["measured_total"] / state["law"]["measured_weight"]
    share = zeros(*[layer.weight for layer in model])
    assert share == (3 * 20 + 2 * 12) / (12 * 20 + 6 * 12)
    assert 1 - given == pytest.approx(share, rel=1e-12)
    assert next(iter(reg.targets().values())).measured == pytest.approx(share, rel=1e-12)


@pytest.mark.parametrize("over", ["rule", "weight"])
@pytest.mark.parametrize("name", ["L1", "GroupLasso"])
def test_the_scale_is_that_of_the_gradients_at_the_weights(name, over):
    model = network(20, 12, 6)
    target = rz.TargetZeros(0.5, over=over)
    penalty = rz.L1(target) if name == "L1" else rz.GroupLasso(target, axis="output")
    reg, made = attached(model, rz.kernel(penalty, proximal=True))
    task(model, 0).backward()
    pulls, slopes = [], []
    for layer in model:
        weight = layer.weight.detach().clone().requires_grad_()
        unit = weight.abs().sum() if name == "L1" else weight.square().sum(1).sqrt().sum()
        slopes += torch.autograd.grad(unit, weight)
        pulls.append(layer.weight.grad.clone())
    made.step()
    states = list(reg.state_dict()["controllers"].values())
    if over == "rule":
        pulls, slopes = ([torch.cat([one.flatten() for one in many])] for many in (pulls, slopes))
    assert len(states) == len(pulls)
    for state, pull, slope in zip(states, pulls, slopes, strict=True):
        assert state["scale"] == pytest.approx((pull.norm() / slope.norm()).item(), rel=1e-9)


def test_a_scaled_loss_finds_the_same():
    found = []
    for scaled in (False, True):
        model = network(20, 10)
        reg, made = attached(model, rule(), "SGD")
        scaler = torch.amp.GradScaler("cpu", init_scale=2.0**12, enabled=scaled)
        for step in range(60):
            made.zero_grad()
            scaler.scale(task(model, step)).backward()
            scaler.step(made)
            scaler.update()
        found.append((dict(reg.strengths), saved(reg)["scale"], model[0].weight.detach().clone()))
    (one, scale, weight), (other, scale_of_scaled, weight_of_scaled) = found
    assert next(iter(one.values())) > 1e-6
    assert other == pytest.approx(one, rel=1e-9)
    assert scale_of_scaled == pytest.approx(scale, rel=1e-9)
    torch.testing.assert_close(weight_of_scaled, weight, rtol=1e-9, atol=1e-12)


def test_a_step_that_the_scaler_skips_is_no_step():
    model = network(20, 10)
    reg, made = attached(model, rule(), "SGD")
    scaler = torch.amp.GradScaler("cpu", init_scale=1.0)
    for times in (1.0, math.inf, 1.0):
        made.zero_grad()
        scaler.scale(times * task(model, 0)).backward()
        scaler.step(made)
        scaler.update()
    assert reg.state_dict()["steps"] == 2
    assert 0 < saved(reg)["scale"] < 1e3


def test_a_pruned_weight_counts_what_the_model_reads():
    model = network(20, 10)
    prune.random_unstructured(model[0], "weight", amount=0.25)
    reg, made = attached(model, rule(0.6), "SGD")
    trained(model, made, 1)
    assert next(iter(reg.targets().values())).measured == zeros(model[0].weight) == 0.25
    trained(model, made, 600, first=1)
    model[0](torch.zeros(1, 20, dtype=torch.float64))  # the mask is applied in a forward
    assert zeros(model[0].weight) == pytest.approx(0.6, abs=0.1)


def test_a_pruned_weight_pulls_where_it_is_read():
    model = network(20, 10)
    prune.random_unstructured(model[0], "weight", amount=0.75)
    reg, made = attached(model, rule(0.9), "SGD")
    task(model, 0).backward()
    pull, mask = model[0].weight_orig.grad.clone(), model[0].weight_mask.clone()
    slope = model[0].weight_orig.detach().sign() * mask
    made.step()
    assert saved(reg)["scale"] == pytest.approx((pull.norm() / slope.norm()).item(), rel=1e-9)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_a_weight_of_half_precision_has_a_scale(dtype):
    model = network(20, 10).to(dtype)
    reg, made = attached(model, rule(), "SGD")
    pull = torch.randn(10, 20, generator=torch.Generator().manual_seed(1)).to(dtype)
    slope = model[0].weight.detach().sign().double()
    model[0].weight.grad = pull.clone()
    made.step()
    expected = (pull.double().norm() / slope.norm()).item()
    assert saved(reg)["scale"] == pytest.approx(expected, rel=1e-5)


def test_a_step_without_a_gradient_stays_where_it_is():
    model = network(20, 10)
    reg, made = attached(model, rule(), "SGD")
    trained(model, made, 15)
    before = saved(reg)["law"]["looked_on"], saved(reg)["readings"]
    made.zero_grad(set_to_none=True)
    made.step()
    assert saved(reg)["readings"] == before[1]
    assert torch.isfinite(model[0].weight).all()
