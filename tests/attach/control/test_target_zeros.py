"""A strength at which a stated share of the weights of a proximal rule is exactly 0."""

import copy
import itertools
import math

import pytest
import torch
from torch import nn
from torch.nn.utils import prune

import regularizers as rz
from attach.control.driving import from_json, saved
from regularizers.control import QUIET
from regularizers.errors import ConfigurationError, RegimeError

OPTIMIZERS = {
    "SGD": lambda p: torch.optim.SGD(p, lr=0.05),
    "momentum": lambda p: torch.optim.SGD(p, lr=0.01, momentum=0.9),
    "Adam": lambda p: torch.optim.Adam(p, lr=1e-2),
    "AdamW": lambda p: torch.optim.AdamW(p, lr=1e-2, weight_decay=0.0),
}
optimizers = pytest.mark.parametrize("optimizer", OPTIMIZERS)


def network(*widths):
    torch.manual_seed(0)
    layers = [nn.Linear(a, b) for a, b in itertools.pairwise(widths)]
    return nn.Sequential(*layers).double()


def task(model, step, weakest=1.0):
    """Return a loss whose minimum needs all weights, those of the first output as the weakest."""
    generator = torch.Generator().manual_seed(step)
    x = torch.randn(64, model[0].in_features, dtype=torch.float64, generator=generator)
    teacher = torch.Generator().manual_seed(10_000)
    width = model[-1].out_features
    w = torch.randn(x.shape[1], width, dtype=torch.float64, generator=teacher)
    w = w * torch.linspace(weakest, 1.0, width, dtype=torch.float64)
    return (model(x) - x @ w).square().mean()


def attached(model, rules, optimizer="Adam"):
    reg = rz.Regularization(model, rules if isinstance(rules, list) else [rules])
    made = OPTIMIZERS[optimizer](model.parameters())
    reg.attach(made)
    return reg, made


def trained(model, optimizer, steps, first=0, reg=None, **of_task):
    """Train, and return the strengths after each step."""
    found = []
    for step in range(first, first + steps):
        optimizer.zero_grad()
        task(model, step, **of_task).backward()
        optimizer.step()
        found.append(None if reg is None else dict(reg.strengths))
    return found


def zeros(*weights):
    """Return the share of exact zeros among all elements."""
    return torch.cat([weight.detach().flatten() == 0 for weight in weights]).double().mean().item()


def rule(fraction=0.5, **options):
    return rz.kernel(rz.L1(rz.TargetZeros(fraction, **options)), proximal=True)


@optimizers
def test_it_is_reached(optimizer):
    model = network(20, 10)
    reg, made = attached(model, rule(), optimizer)
    trained(model, made, 500)
    (reached,) = reg.targets().values()
    assert reached.measured == pytest.approx(0.5, abs=0.06)
    assert zeros(model[0].weight) == pytest.approx(0.5, abs=0.1)
    assert "of the weights exactly 0" in str(reached)
    assert zeros(model[0].bias) == 0


@optimizers
def test_a_group_that_is_a_unit(optimizer):
    model = network(16, 20)
    penalty = rz.GroupLasso(rz.TargetZeros(0.4), axis="output")
    reg, made = attached(model, rz.kernel(penalty, proximal=True), optimizer)
    trained(model, made, 600, weakest=0.1)
    rows = (model[0].weight == 0).all(1)
    assert rows.double().mean().item() == zeros(model[0].weight)
    assert next(iter(reg.targets().values())).measured == pytest.approx(0.4, abs=0.1)


def test_all_weights_of_a_rule_have_one_strength():
    model = network(20, 12, 6)
    reg, made = attached(model, rule(over="rule"))
    for strengths in trained(model, made, 400, reg=reg):
        assert len(set(strengths.values())) == 1
    assert len(reg.strengths) == 2
    assert len(reg.state_dict()["controllers"]) == 1
    both = zeros(model[0].weight, model[1].weight)
    assert both == pytest.approx(0.5, abs=0.1)
    first, second = reg.targets().values()
    assert first == second
    # the two have shares of their own
    assert zeros(model[0].weight) != zeros(model[1].weight)


def test_or_each_one_of_its_own():
    model = network(20, 12, 6)
    reg, made = attached(model, rule(over="weight"))
    last = trained(model, made, 600, reg=reg)[-1]
    assert len(set(last.values())) == 2
    for layer in model:
        assert zeros(layer.weight) == pytest.approx(0.5, abs=0.15)
    for reached in reg.targets().values():
        assert reached.measured == pytest.approx(0.5, abs=0.1)


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


def test_a_bias_has_one_too():
    model = network(20, 10)
    penalty = rz.bias(rz.L1(rz.TargetZeros(0.3)), proximal=True)
    reg, made = attached(model, penalty)
    trained(model, made, 400)
    assert 0.1 < zeros(model[0].bias) < 0.7
    assert zeros(model[0].weight) == 0
    assert list(reg.targets()) == ["0.bias/bias/L1"]


def test_a_share_may_grow_with_the_steps():
    model = network(20, 10)
    reg, made = attached(model, rule(rz.Piecewise({0: 0.2, 400: 0.7})))
    trained(model, made, 390)
    assert zeros(model[0].weight) == pytest.approx(0.2, abs=0.1)
    trained(model, made, 600, first=390)
    assert zeros(model[0].weight) == pytest.approx(0.7, abs=0.1)
    assert next(iter(reg.targets().values())).wanted == 0.7


def test_a_rule_and_a_target_of_an_output_stand_side_by_side():
    """Their measurements fall and rise with the strength, so they share no tensors."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(20, 16), nn.ReLU(), nn.Linear(16, 4)).double()
    rules = [
        rz.kernel(rz.L1(rz.TargetZeros(0.5)), where="0", proximal=True),
        rz.activity(rz.L1(rz.TargetActive(4)), where="1"),
    ]
    reg, made = attached(model, rules)
    for step in range(800):
        made.zero_grad()
        (task(model, step) + reg.penalty()).backward()
        made.step()
    assert zeros(model[0].weight) == pytest.approx(0.5, abs=0.1)
    assert reg.targets()["1/activity/L1"].measured == pytest.approx(4, rel=0.15)


def test_before_the_first_ten_steps_nothing_shrinks():
    model = network(20, 10)
    reg, made = attached(model, rule(), "SGD")
    trained(model, made, 9)
    assert set(reg.strengths.values()) == {QUIET}
    assert zeros(model[0].weight) == 0
    trained(model, made, 1, first=9)
    assert min(reg.strengths.values()) > QUIET


def test_a_step_without_a_gradient_stays_where_it_is():
    model = network(20, 10)
    reg, made = attached(model, rule(), "SGD")
    trained(model, made, 15)
    before = saved(reg)["law"]["looked_on"], saved(reg)["readings"]
    made.zero_grad(set_to_none=True)
    made.step()
    assert saved(reg)["readings"] == before[1]
    assert torch.isfinite(model[0].weight).all()


# what cannot be


def test_only_a_proximal_rule_has_zeros():
    target = rz.TargetZeros(0.5)
    for made in (
        lambda: rz.kernel(rz.L1(target)),
        lambda: rz.bias(rz.L1(target)),
        lambda: rz.activity(rz.L1(target), where="0"),
    ):
        with pytest.raises(ConfigurationError, match="measures weights that are exactly 0"):
            made()


@pytest.mark.parametrize("fraction", [1, 1.0, 2.5, 0, -0.1, math.nan, True, "half"])
def test_a_share_is_between_0_and_1(fraction):
    with pytest.raises(ConfigurationError, match="TargetZeros: expected a f"):
        rz.TargetZeros(fraction)


def test_over_is_one_of_two_words():
    with pytest.raises(ConfigurationError, match="over: expected 'rule' or 'weight', got 'model'"):
        rz.TargetZeros(0.5, over="model")


def test_they_show_how_they_are_made():
    assert repr(rz.L1(rz.TargetZeros(0.5))) == "L1(TargetZeros(0.5))"
    assert repr(rz.TargetZeros(0.5, over="weight")) == "TargetZeros(0.5, over='weight')"


def test_without_an_optimizer_that_it_is_attached_to():
    model = network(20, 10)
    reg = rz.Regularization(model, [rule()])
    task(model, 0)
    with pytest.raises(RegimeError, match=r"call reg\.attach\(optimizer\) before training"):
        reg.penalty()


@optimizers
def test_an_interrupted_run_goes_on_bit_for_bit(optimizer):
    model = network(20, 12, 6)
    reg, made = attached(model, rule(over="weight"), optimizer)
    trained(model, made, 37)
    state, weights = from_json(reg), {n: w.clone() for n, w in model.state_dict().items()}
    steps = copy.deepcopy(made.state_dict())
    expected = trained(model, made, 40, first=37, reg=reg)

    fresh = network(20, 12, 6)
    fresh.load_state_dict(weights)
    other, again = attached(fresh, rule(over="weight"), optimizer)
    again.load_state_dict(steps)  # which carries the strengths too
    assert from_json(other) == state
    assert trained(fresh, again, 40, first=37, reg=other) == expected
    for a, b in zip(fresh.parameters(), model.parameters(), strict=True):
        assert torch.equal(a, b)
