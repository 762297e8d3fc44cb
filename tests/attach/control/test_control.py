"""Strengths that change: by the step, and by what is to be reached."""

import copy
import io
import json
import math
import re
import warnings

import pytest
import torch
from torch import nn

import regularizers as rz
from attach.helpers import batch, law_of, mlp
from regularizers.errors import (
    ConfigurationError,
    OutputError,
    RegimeError,
    SelectionError,
    StrengthError,
    StrengthTypeError,
)

KEY = "1/activity/L1"


def coder(units: int = 12) -> nn.Sequential:
    """Return a small autoencoder of float64 with its coding at "1"."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, units), nn.ReLU(), nn.Linear(units, 4)).double()


def controlled(model, strength=None, **options):
    return rz.Regularization(
        model, [rz.activity(rz.L1(strength or rz.TargetActive(3)), where="1")], **options
    )


def error_of(model, x):
    return nn.functional.mse_loss(model(x), x)


def trained(model, reg, steps, *, times=1.0, first=0, x=batch):
    """Train, and return λ after each step."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05 / times)
    strengths = []
    for step in range(first, first + steps):
        optimizer.zero_grad()
        (times * error_of(model, x(64, seed=step)) + reg.penalty()).backward()
        optimizer.step()
        reg.step()
        strengths.append(reg.strengths[KEY])
    return strengths


# schedules


def test_a_schedule_is_the_strength_of_its_step():
    model, x = mlp(), batch()
    reg = rz.Regularization(model, [rz.activity(rz.L1(lambda step: 0.5 + step), where="1")])
    for step in range(3):
        expected = (0.5 + step) * torch.tanh(model[0](x)).abs().sum().item() / len(x)
        model(x)
        assert reg.penalty().item() == pytest.approx(expected, rel=1e-12)
        reg.step()


def test_an_optimizer_that_it_is_attached_to_makes_the_steps():
    model = mlp()
    rules = [rz.kernel(rz.L2Squared(rz.LinearWarmup(1.0, steps=4))), rz.bias(rz.L1(0.1))]
    reg, optimizer = rz.Regularization(model, rules), torch.optim.SGD(model.parameters(), lr=0.1)
    reg.attach(optimizer)
    key = "0.weight/kernel/L2Squared"
    for step in range(6):
        assert reg.strengths[key] == min(step / 4, 1)
        before = model[0].weight.detach().clone()
        for parameter in model.parameters():
            parameter.grad = torch.zeros_like(parameter)
        optimizer.step()
        # the step is made with the strength of its number
        torch.testing.assert_close(model[0].weight, before * (1 - 0.2 * min(step / 4, 1)))
    with pytest.raises(RegimeError, match="leave this call out"):
        reg.step()


def test_activities_alone_can_be_stepped_by_an_optimizer():
    model = mlp()
    reg = rz.Regularization(model, [rz.activity(rz.L1(lambda step: 1.0 * step), where="1")])
    first, second = (torch.optim.SGD(model[k].parameters(), lr=0.1) for k in (0, 2))
    reg.attach(first, second)
    for _ in range(3):
        (model(batch()).sum() + reg.penalty()).backward()
        first.step()
        second.step()  # of several, the first counts
    assert reg.strengths[KEY] == 3
    assert reg.penalties()[KEY] > 0
    reg.detach()
    first.step()


def test_without_anything_that_changes_there_is_nothing_to_step():
    reg = rz.Regularization(mlp(), [rz.activity(rz.L1(1.0), where="1")])
    with pytest.raises(ConfigurationError, match="every strength is a number"):
        reg.step()
    with pytest.raises(SelectionError, match="no strength changes"):
        reg.attach(torch.optim.SGD(mlp().parameters(), lr=0.1))


@pytest.mark.parametrize(
    ("value", "error"),
    [(-1.0, StrengthError), (math.nan, StrengthError), ("1", StrengthTypeError)],
)
def test_a_schedule_that_gives_no_strength_names_the_step_and_changes_nothing(value, error):
    def broken(step):
        return value if step == 3 else 1.0 + step

    rules = [
        rz.activity(rz.L1(lambda step: 2.0 * step), where="1"),
        rz.activity(rz.L1(broken), where="0"),
    ]
    reg = rz.Regularization(mlp(), rules)
    reg.step()
    reg.step()
    before = reg.state_dict()
    for _ in range(2):
        with pytest.raises(error, match=r"0/activity/L1: .*broken at step 3"):
            reg.step()
        assert reg.state_dict() == before
    assert dict(reg.strengths) == {KEY: 4.0, "0/activity/L1": 3.0}


def test_a_schedule_cannot_be_set_by_hand():
    reg = rz.Regularization(mlp(), [rz.activity(rz.L1(rz.Constant(1.0)), where="1")])
    with pytest.raises(ConfigurationError, match="whose next step would overwrite"):
        reg.strengths[KEY] = 2.0


def test_strengths_that_are_never_stepped_are_warned_of_once():
    model = mlp()
    reg = rz.Regularization(model, [rz.activity(rz.L1(lambda step: 1.0), where="1")])
    for _ in range(99):
        model(batch())
        reg.penalty()
    model(batch())
    with pytest.warns(UserWarning, match=r"call reg\.step\(\) after each"):
        reg.penalty()
    for _ in range(200):
        model(batch())
        reg.penalty()


# what a target is told


@pytest.mark.parametrize(
    ("penalty", "key"),
    [
        (rz.L1(rz.TargetActive(3)), "L1"),
        (rz.L1(rz.TargetActive(fraction=0.3), reduce="sum"), "L1"),
        (rz.L1(rz.TargetMean(0.1), reduce="mean"), "L1"),
        (rz.L2Squared(rz.TargetNorm(2.0)), "L2Squared"),
        (rz.L2Norm(rz.TargetNorm(2.0)), "L2Norm"),
        (rz.Huber(rz.TargetMean(2.0)), "Huber"),
    ],
    ids=repr,
)
@pytest.mark.parametrize("times", [1.0, 1000.0])
def test_the_scale_is_where_the_penalty_pulls_as_hard_as_the_loss(penalty, key, times):
    model, x = coder(), batch(32)
    reg = rz.Regularization(model, [rz.activity(penalty, where="1")])
    (times * error_of(model, x) + reg.penalty()).backward()
    reg.step()
    law = law_of(reg, f"1/activity/{key}")

    coding = model[:2](x)
    (pull,) = torch.autograd.grad(times * nn.functional.mse_loss(model[2](coding), x), coding)
    term = reg._sites.activities[0].entries[0].term
    unit = type(penalty)(1.0, reduce=term.reduce).gradient(coding.detach())
    expected = (pull[coding != 0].norm() / unit.norm()).item()
    assert law.scale.mean == pytest.approx(expected, rel=1e-6)


def test_of_l1_the_scale_is_samples_times_the_root_mean_square_of_the_pull():
    model, x = coder(), batch(32)
    reg = controlled(model)
    (error_of(model, x) + reg.penalty()).backward()
    reg.step()
    coding = model[:2](x)
    (pull,) = torch.autograd.grad(nn.functional.mse_loss(model[2](coding), x), coding)
    expected = 32 * pull[coding > 0].square().mean().sqrt().item()
    law = law_of(reg, KEY)
    assert law.scale.mean == pytest.approx(expected, rel=1e-6)
    assert law.measured.mean == (coding > 0).sum().item() / 32


def test_the_gradient_is_that_of_the_strength_it_stands_at():
    model, x = coder(), batch(32)
    reg = controlled(model)
    trained(model, reg, 30)
    strength = reg.strengths[KEY]
    assert strength > 1e-6
    model.zero_grad()
    (error_of(model, x) + reg.penalty()).backward()
    coding = model[:2](x)
    by_hand = nn.functional.mse_loss(model[2](coding), x) + strength * coding.sum() / 32
    expected = torch.autograd.grad(by_hand, list(model.parameters()))
    for parameter, gradient in zip(model.parameters(), expected, strict=True):
        torch.testing.assert_close(parameter.grad, gradient, rtol=1e-12, atol=1e-14)


def test_several_micro_batches_are_one_step():
    whole, parts = coder(), coder()
    one, several = controlled(whole), controlled(parts)
    x = batch(60)
    (error_of(whole, x) + one.penalty()).backward()
    for part in x.split(20):
        ((error_of(parts, part) + several.penalty()) / 3).backward()
    one.step()
    several.step()
    laws = [law_of(reg, KEY) for reg in (one, several)]
    assert laws[0].measured.mean == pytest.approx(laws[1].measured.mean, rel=1e-12)
    # each part's gradients are a third of its own mean's, which is as in the whole
    assert laws[0].scale.mean == pytest.approx(laws[1].scale.mean, rel=1e-9)


def test_masked_elements_are_not_counted():
    model, x = coder(), batch(32)
    keep = torch.arange(32) < 20
    part = coder()
    masked, alone = controlled(model), controlled(part)
    with masked.mask(keep, where="1"):
        out = model(x)
    # the loss pulls at what is masked too
    (nn.functional.mse_loss(out[:20], x[:20]) + out[20:].sum() + masked.penalty()).backward()
    (error_of(part, x[:20]) + alone.penalty()).backward()
    masked.step()
    alone.step()
    one, other = law_of(masked, KEY), law_of(alone, KEY)
    assert one.measured == other.measured
    # zeros among the squares change the order in which they are added
    assert one.scale.mean == pytest.approx(other.scale.mean, rel=1e-14)


def test_a_step_without_a_forward_changes_no_strength():
    model = coder()
    reg = controlled(model)
    trained(model, reg, 30)
    before = reg.strengths[KEY]
    reg.step()
    assert reg.strengths[KEY] == before


def test_a_frozen_site_is_warned_of():
    model = coder()
    model[0].requires_grad_(False)
    reg = controlled(model)
    with pytest.warns(UserWarning, match=r"1/activity/L1: for 50 steps no gradient"):
        trained(model, reg, 50)


# what a target reaches


@pytest.mark.parametrize("times", [1.0, 1000.0])
@pytest.mark.parametrize("initial", [0.0, 1.0])
def test_the_target_is_reached(times, initial):
    model = coder(24)
    reg = controlled(model, rz.TargetActive(4, initial=initial))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*swings.*")
        trained(model, reg, 1500, times=times)
    reached = reg.targets()[KEY]
    assert reached.measured == pytest.approx(4, rel=0.02)
    assert reached.wanted == 4
    assert str(reached).endswith(f"of 4 units active, at a strength of {reached.strength:.3g}")
    assert str(reached) in str(reg.report())


# what cannot be


def test_more_units_than_there_are():
    model = coder()
    reg = controlled(model, rz.TargetActive(13))
    with pytest.raises(ConfigurationError, match="1: expected a target of 12 active units"):
        model(batch())
    reg.detach()


def test_a_sigmoid_is_never_0():
    model = nn.Sequential(nn.Linear(4, 8), nn.Sigmoid())
    with pytest.raises(ConfigurationError, match="output of a Sigmoid never is"):
        controlled(model)
    assert not model[1]._forward_hooks
    controlled(model, rz.TargetActive(3, threshold=0.1))
    with pytest.raises(ConfigurationError, match="mean output of a Sigmoid is below 1"):
        controlled(model, rz.TargetMean(1.5))
    kl = rz.KLSparsity(rz.TargetMean(0.1), target=0.1)
    with pytest.raises(ConfigurationError, match="only as its strength grows without bound"):
        rz.Regularization(model, [rz.activity(kl, where="1")])


def test_a_target_is_measured_of_outputs_alone():
    active = rz.TargetActive(3)
    for rule in (
        lambda: rz.kernel(rz.L1(active)),
        lambda: rz.bias(rz.L1(active)),
    ):
        with pytest.raises(ConfigurationError, match="measures a module's output"):
            rule()


def test_what_is_selected_must_be_a_part_of_the_output():
    model = coder()
    rule = rz.activity(rz.L1(rz.TargetActive(3)), where="1", select=lambda y: 2 * y)
    reg = rz.Regularization(model, [rule])
    with pytest.raises(OutputError, match="a strength with a target"):
        model(batch())
    reg.detach()


def test_within_a_transform_no_gradient_can_be_seen():
    model = coder()
    reg = controlled(model)
    parameters = dict(model.named_parameters())

    def loss(parameters):
        return torch.func.functional_call(model, parameters, (batch(),)).sum()

    with pytest.raises(RegimeError, match=r"torch\.func"):
        torch.func.grad(loss)(parameters)
    reg.detach()


# kept and restored


def state_of(reg):
    """Return the state as it comes back from a file."""
    file = io.BytesIO()
    torch.save(reg.state_dict(), file)
    file.seek(0)
    state = torch.load(file, weights_only=True)
    assert json.loads(json.dumps(state)) == reg.state_dict()
    return state


def test_an_interrupted_run_goes_on_as_if_it_had_not_been():
    whole = coder()
    reg = controlled(whole)
    expected = trained(whole, reg, 80)

    model = coder()
    reg = controlled(model)
    first = trained(model, reg, 37)
    (error_of(model, batch(64, seed=99)) + reg.penalty()).backward()  # begun, and not stepped
    model.zero_grad()
    state, weights = state_of(reg), copy.deepcopy(model.state_dict())
    goes_on = trained(model, reg, 43, first=37)

    fresh = coder()
    fresh.load_state_dict(weights)
    reg = controlled(fresh)
    reg.load_state_dict(state)
    assert state_of(reg) == state
    assert trained(fresh, reg, 43, first=37) == goes_on
    assert first == expected[:37]


def test_schedules_go_on_from_their_step():
    def made():
        rule = rz.activity(rz.L1(rz.LinearWarmup(1.0, steps=10)), where="1")
        return rz.Regularization(mlp(), [rule, rz.kernel(rz.L1(0.5))])

    reg, other = made(), made()
    for _ in range(4):
        reg.step()
    reg.strengths["0.weight/kernel/L1"] = 0.25
    other.load_state_dict(state_of(reg))
    assert dict(other.strengths) == dict(reg.strengths)
    other.step()
    assert other.strengths[KEY] == 0.5


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (rz.L1(rz.TargetActive(4)), r"1/activity/L1: expected TargetActive\(4.0\)"),
        (rz.L1(1e-3), r"expected number, got TargetActive\(3.0\)"),
        (rz.L2Squared(1e-3), "1/activity/L2Squared: expected number, got no such penalty"),
    ],
)
def test_a_state_of_other_rules_is_refused_whole(other, message):
    model = coder()
    reg = controlled(model)
    trained(model, reg, 20)
    unlike = rz.Regularization(coder(), [rz.activity(other, where="1")])
    before = unlike.state_dict()
    with pytest.raises(ConfigurationError, match=message):
        unlike.load_state_dict(reg.state_dict())
    assert unlike.state_dict() == before


@pytest.mark.parametrize("damage", ["strengths", "steps", "controllers", "law", "nan", "whole"])
def test_a_damaged_state_is_refused_whole(damage):
    model = coder()
    reg = controlled(model)
    trained(model, reg, 20)
    state, before = reg.state_dict(), reg.state_dict()
    match damage:
        case "law":
            state["controllers"][KEY]["law"].pop("integral")
            state["controllers"][KEY]["law"]["surprise"] = 1
        case "nan":
            state["strengths"][KEY] = math.nan
        case "whole":
            state = [1, 2]
        case name:
            state.pop(name)
    with pytest.raises(ConfigurationError, match=r"expected what state_dict\(\) returned"):
        reg.load_state_dict(state)
    assert reg.state_dict() == before


def with_former_keys(state):
    """Return a state as version 0.1 saved it."""

    def former(key):
        key = re.sub(r"^model/", "(root)/", key)
        return re.sub(r"/(\d+)$", r"#\1", key)

    moved = {
        part: {former(key): value for key, value in state[part].items()}
        for part in ("rules", "strengths", "controllers")
    }
    return state | moved


def test_a_state_with_former_keys_is_gone_on_from():
    def made():
        model = nn.Sequential(nn.Linear(4, 4), nn.ReLU()).double()
        targets = [rz.L1(rz.TargetActive(2)), rz.L1(rz.TargetActive(1))]
        rules = [rz.activity(penalty, where="") for penalty in targets]
        kernels = [rz.kernel(rz.L1(0.5)), rz.kernel(rz.L1(0.25))]
        return model, rz.Regularization(model, rules + kernels)

    model, reg = made()
    for seed in range(5):
        (error_of(model, batch(seed=seed)) + reg.penalty()).backward()
        reg.step()
    reg.strengths["0.weight/kernel/L1/2"] = 0.125
    state = with_former_keys(reg.state_dict())
    assert list(state["strengths"]) == [
        *("(root)/activity/L1", "(root)/activity/L1#2"),
        *("0.weight/kernel/L1", "0.weight/kernel/L1#2"),
    ]
    _, other = made()
    other.load_state_dict(state)
    assert other.state_dict() == reg.state_dict()
    assert list(state["controllers"]) == ["(root)/activity/L1", "(root)/activity/L1#2"]
