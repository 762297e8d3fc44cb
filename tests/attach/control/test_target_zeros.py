"""A strength at which a stated share of the weights of a proximal rule is exactly 0."""

import copy
import math

import pytest
import torch
from torch import nn

import regularizers as rz
from attach.control.driving import from_json
from attach.control.sparse import OPTIMIZERS, attached, network, rule, task, trained, zeros
from regularizers.control import QUIET
from regularizers.errors import ConfigurationError, RegimeError

optimizers = pytest.mark.parametrize("optimizer", OPTIMIZERS)


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
