"""One strength with a target for all sites of a rule, which together reach it."""

import pytest
import torch
from torch import nn

import regularizers as rz
from attach.control.driving import Shifted, batch, deliver, from_json, numbers, saved
from regularizers.errors import ConfigurationError

deliveries = pytest.mark.parametrize("delivery", ["collect", "inject"])


class Chain(nn.Module):
    """Three layers of units, of different widths."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.a, self.b = nn.Linear(4, 12).double(), nn.Linear(12, 8).double()
        self.first, self.second, self.out = nn.ReLU(), nn.ReLU(), nn.Linear(8, 4).double()

    def forward(self, x):
        return self.out(self.second(self.b(self.first(self.a(x)))))


def made(penalty=None, delivery="collect", **options):
    model = Chain()
    penalty = penalty or rz.L1(rz.TargetActive(3))
    options = {"where": ["first", "second"], "shared": True} | options
    return model, rz.Regularization(model, [rz.activity(penalty, **options)], delivery=delivery)


def trained(model, reg, steps, delivery="collect", first=0):
    update = torch.optim.SGD(model.parameters(), lr=0.05)
    found = []
    for step in range(first, first + steps):
        x = batch(step)
        update.zero_grad()
        deliver(reg, (model(x) - x).square().mean(), delivery)
        update.step()
        reg.step()
        found.append(dict(reg.strengths))
    return found


@deliveries
def test_all_sites_have_the_same_strength_in_every_step(delivery):
    model, reg = made(delivery=delivery)
    found = trained(model, reg, 60, delivery)
    for strengths in found:
        assert list(strengths) == ["first/activity/L1", "second/activity/L1"]
        assert len(set(strengths.values())) == 1
    assert len(reg.state_dict()["controllers"]) == 1
    assert found[-1]["first/activity/L1"] > 1e-6


@deliveries
def test_what_is_measured_and_the_scale_are_those_of_all_sites(delivery):
    """The count is the mean over samples of all sites, and the norms are of all gradients."""
    model, x = nn.ModuleDict({"left": Shifted(), "right": Shifted()}), numbers(16, 8)
    rule = rz.activity(rz.L1(rz.TargetActive(3)), where=["left", "right"], shared=True)
    reg = rz.Regularization(model, [rule], delivery=delivery)
    pulls = numbers(16, 8, seed=1), numbers(8, 6, seed=2)
    y, z = numbers(8, 6, seed=3), x
    loss = (model["left"](z) * pulls[0]).sum() + (model["right"](y) * pulls[1]).sum()
    deliver(reg, loss, delivery)
    reg.step()
    (state,) = reg.state_dict()["controllers"].values()
    active = (x != 0).sum() + (y != 0).sum()
    assert state["law"]["measured_total"] == active.item() / 24
    pulled = pulls[0][x != 0].square().sum() + pulls[1][y != 0].square().sum()
    slope = (x != 0).sum() / 16**2 + (y != 0).sum() / 8**2
    assert state["scale"] == pytest.approx((pulled / slope).sqrt().item(), rel=1e-9)


@deliveries
def test_it_is_reached_together(delivery):
    model, reg = made(delivery=delivery)
    trained(model, reg, 1500, delivery)
    first, second = reg.targets().values()
    assert first == second
    assert first.measured == pytest.approx(3, rel=0.1)
    with torch.no_grad():
        x = batch(999, rows=1024)
        hidden = model.first(model.a(x))
        codings = [hidden, model.second(model.b(hidden))]
    active = [(y > 0).double().sum(1).mean().item() for y in codings]
    assert sum(active) / 2 == pytest.approx(3, rel=0.15)
    assert active[0] != pytest.approx(active[1], rel=0.02)


def test_without_it_each_has_its_own():
    model, reg = made(shared=False)
    last = trained(model, reg, 30)[-1]
    assert len(set(last.values())) == 2
    assert len(reg.state_dict()["controllers"]) == 2


def test_two_rules_share_nothing_with_each_other():
    model = Chain()
    rules = [
        rz.activity(rz.L1(rz.TargetActive(3)), where=["first", "second"], shared=True),
        rz.activity(rz.L1(rz.TargetActive(3, threshold=0.1)), where="out", shared=True),
    ]
    reg = rz.Regularization(model, rules)
    last = trained(model, reg, 30)[-1]
    assert last["first/activity/L1"] == last["second/activity/L1"] != last["out/activity/L1"]


def test_each_term_of_a_sum_is_shared_by_itself():
    penalty = rz.L1(rz.TargetActive(3)) + rz.L2Squared(rz.TargetNorm(1.0))
    model, reg = made(penalty)
    last = trained(model, reg, 30)[-1]
    for name in ("L1", "L2Squared"):
        assert last[f"first/activity/{name}"] == last[f"second/activity/{name}"]
    assert len(set(last.values())) == 2


def test_it_is_for_targets():
    with pytest.raises(ConfigurationError, match="shared=True is for a strength with a target"):
        rz.activity(rz.L1(0.1), where="first", shared=True)
    with pytest.raises(ConfigurationError, match="shared=True is for a strength with a target"):
        rz.activity(rz.L1(rz.LinearWarmup(0.1, steps=3)), where="first", shared=True)


@deliveries
def test_an_interrupted_run_goes_on_bit_for_bit(delivery):
    model, reg = made(delivery=delivery)
    trained(model, reg, 37, delivery)
    state = from_json(reg)
    weights = {name: weight.clone() for name, weight in model.state_dict().items()}
    expected = trained(model, reg, 30, delivery, first=37)
    fresh, other = made(delivery=delivery)
    fresh.load_state_dict(weights)
    other.load_state_dict(state)
    assert from_json(other) == state
    assert trained(fresh, other, 30, delivery, first=37) == expected
    assert saved(other) == saved(reg)
