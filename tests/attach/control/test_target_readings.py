"""The gradients are measured in the first thirty steps, and then in every tenth."""

import dataclasses

import pytest
import torch

import regularizers as rz
from attach.control.driving import Shifted, deliver, from_json, numbers, saved

deliveries = pytest.mark.parametrize("delivery", ["collect", "inject"])
READ = {*range(1, 31), *range(40, 101, 10)}


@dataclasses.dataclass(frozen=True)
class Held(rz.Law):
    """Returns the scale that it is given, as its state."""

    def init(self, initial):
        return {"scale": initial}

    def update(self, state, measured, wanted, scale):
        return {"scale": scale}, 1e-6


def pulled(reg, model, step, delivery, rows=8):
    """Take a step whose loss pulls as hard as its number."""
    deliver(reg, step * model(numbers(rows, 4)).sum(), delivery)
    reg.step()


def made(delivery, law=None):
    model = Shifted()
    rule = rz.activity(rz.L1(rz.TargetActive(3, law=law)), where="")
    return model, rz.Regularization(model, [rule], delivery=delivery)


@deliveries
@pytest.mark.parametrize("law", [None, Held()], ids=["ours", "another"])
def test_between_two_readings_the_last_scale_is_held(delivery, law):
    model, reg = made(delivery, law)
    read = []
    last = 0.0
    for step in range(1, 101):
        pulled(reg, model, step, delivery)
        scale = saved(reg)["scale"]
        if scale != last:
            read.append(step)
            # a slope of 1 over 8 samples at strength 1
            assert scale == pytest.approx(8 * step, rel=1e-12)
        if law is not None:
            assert saved(reg)["law"]["scale"] == scale
        last = scale
    assert set(read) == READ


@deliveries
def test_each_held_scale_is_averaged_in(delivery):
    model, reg = made(delivery)
    total = weight = scale = 0.0
    for step in range(1, 61):
        pulled(reg, model, step, delivery)
        scale = 8.0 * step if step in READ else scale
        total, weight = 0.95 * total + scale, 0.95 * weight + 1
    law = saved(reg)["law"]
    assert law["scale_total"] == pytest.approx(total, rel=1e-12)
    assert law["scale_weight"] == pytest.approx(weight, rel=1e-12)
    assert law["looked_on"] == 60


@deliveries
def test_without_a_forward_the_reading_waits(delivery):
    """A step that measures nothing is none of the thirty, and the tenth comes when it can."""
    model, reg = made(delivery)
    for step in range(1, 31):
        pulled(reg, model, step, delivery)
    for _ in range(15):
        reg.step()
    assert saved(reg)["due"]
    pulled(reg, model, 99, delivery)
    assert saved(reg)["scale"] == pytest.approx(8 * 99, rel=1e-12)
    assert not saved(reg)["due"]
    assert saved(reg)["readings"] == 31


@deliveries
def test_what_is_measured_of_the_output_is_measured_in_every_step(delivery):
    model, reg = made(delivery)
    total = weight = 0.0
    for step in range(1, 61):
        rows = 4 + step % 3
        pulled(reg, model, step, delivery, rows=rows)
        active = (numbers(rows, 4) != 0).sum().item() / rows
        total, weight = 0.9 * total + active, 0.9 * weight + 1
    law = saved(reg)["law"]
    assert law["measured_total"] == pytest.approx(total, rel=1e-12)
    assert law["measured_weight"] == pytest.approx(weight, rel=1e-12)


@deliveries
def test_a_penalty_beside_it_is_whole_where_nothing_is_measured(delivery):
    """The gradient is that of the loss and the penalties, measured or not."""
    model, x = Shifted(), numbers(8, 4)
    penalty = rz.L1(rz.TargetActive(3, law=Fixed())) + rz.L2Squared(0.5)
    reg = rz.Regularization(model, [rz.activity(penalty, where="")], delivery=delivery)
    for step in range(1, 45):
        strength = reg.strengths["model/activity/L1"]
        model.zero_grad()
        deliver(reg, model(x).sum(), delivery)
        reg.step()
        expected = x.numel() + (strength * x.sign().sum() + x.sum()) / len(x)
        assert model.by.grad.item() == pytest.approx(expected.item(), rel=1e-12), step


@dataclasses.dataclass(frozen=True)
class Fixed(rz.Law):
    def init(self, initial):
        return {}

    def update(self, state, measured, wanted, scale):
        return {}, 0.25


def test_the_count_of_readings_goes_on_after_a_restart():
    model, reg = made("collect")
    for step in range(1, 37):
        pulled(reg, model, step, "collect")
    other_model, other = made("collect")
    other.load_state_dict(from_json(reg))
    for step in range(37, 52):
        for m, r in ((model, reg), (other_model, other)):
            pulled(r, m, step, "collect")
        assert saved(other) == saved(reg)
    assert saved(reg)["scale"] == pytest.approx(8 * 50)


def test_an_older_state_measures_at_once():
    model, reg = made("collect")
    for step in range(1, 37):
        pulled(reg, model, step, "collect")
    state = from_json(reg)
    for name in ("readings", "since", "due"):
        del state["controllers"]["model/activity/L1"][name]
    model, other = made("collect")
    other.load_state_dict(state)
    pulled(other, model, 77, "collect")
    assert saved(other)["scale"] == pytest.approx(8 * 77)
    assert torch.isfinite(torch.tensor(other.strengths["model/activity/L1"]))
