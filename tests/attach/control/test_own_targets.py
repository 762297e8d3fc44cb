"""Targets and laws from outside of the package: what they measure, reach, save, and get wrong."""

import dataclasses
import inspect
import json
import math

import pytest
import torch
from torch import nn

import regularizers as rz
from attach.helpers import batch
from control import outside_law, outside_target
from control.outside_law import Multiplicative
from control.outside_target import RootMeanSquare
from regularizers.control import QUIET
from regularizers.errors import ConfigurationError, StrengthError, StrengthTypeError

KEY = "1/activity/L2Squared"
both = pytest.mark.parametrize("delivery", ["collect", "inject"])


def coder() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 12), nn.ReLU(), nn.Linear(12, 4)).double()


def controlled(model, target, delivery="collect"):
    rule = rz.activity(rz.L2Squared(target), where="1")
    return rz.Regularization(model, [rule], delivery=delivery)


def backward(model, reg, x):
    (nn.functional.mse_loss(model(x), x) + reg.penalty()).backward()


def trained(model, reg, delivery, steps, first=0):
    """Train, and return λ after each step."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    strengths = []
    for step in range(first, first + steps):
        x = batch(64, seed=step)
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(model(x), x)
        (loss + reg.penalty() if delivery == "collect" else reg.scale_from(loss)).backward()
        optimizer.step()
        reg.step()
        strengths.append(reg.strengths[KEY])
    return strengths


@pytest.mark.parametrize("module", [outside_target, outside_law])
def test_each_is_one_file_of_at_most_forty_lines(module):
    assert len(inspect.getsource(module).splitlines()) <= 40


# targets


@both
def test_a_target_is_measured_over_the_forwards_of_a_step(delivery):
    model = coder()
    reg = controlled(model, RootMeanSquare(0.3), delivery)
    parts = batch(30, seed=0), batch(10, seed=1)
    for x in parts:
        loss = nn.functional.mse_loss(model(x), x)
        (loss + reg.penalty() if delivery == "collect" else reg.scale_from(loss)).backward()
    reg.step()
    reached = reg.targets()[KEY]
    expected = model[:2](torch.cat(parts)).square().mean().item()
    assert reached.measured == pytest.approx(expected, rel=1e-12)
    assert reached.wanted == 0.3**2
    assert "0.09 mean square" in str(reached)


@both
def test_what_is_masked_is_not_measured(delivery):
    model, x = coder(), batch(32)
    keep = torch.arange(32) % 3 > 0
    reg = controlled(model, RootMeanSquare(0.3), delivery)
    with reg.mask(keep, where="1"):
        loss = nn.functional.mse_loss(model(x), x)
    (loss + reg.penalty() if delivery == "collect" else reg.scale_from(loss)).backward()
    reg.step()
    expected = model[:2](x)[keep].square().mean().item()
    assert reg.targets()[KEY].measured == pytest.approx(expected, rel=1e-12)


def mean_square(model):
    return model[:2](batch(512, seed=10_000)).square().mean().item()


@pytest.mark.parametrize(
    ("delivery", "law"),
    [("collect", None), ("inject", Multiplicative(1.03)), ("collect", Multiplicative(1.03))],
)
def test_it_is_reached(delivery, law):
    model = coder()
    reg = controlled(model, RootMeanSquare(0.4, law=law), delivery)
    trained(model, reg, delivery, 600)
    assert reg.targets()[KEY].measured == pytest.approx(0.16, rel=0.05)
    assert mean_square(model) == pytest.approx(0.16, rel=0.1)


def test_with_next_to_no_strength_it_is_not():
    model = coder()
    trained(model, controlled(model, RootMeanSquare(0.4, law=Fixed(0.0))), "collect", 200)
    assert mean_square(model) > 0.3


@both
@pytest.mark.parametrize("law", [None, Multiplicative()], ids=repr)
def test_an_interrupted_run_goes_on_bit_for_bit(delivery, law):
    model = coder()
    reg = controlled(model, RootMeanSquare(0.3, law=law), delivery)
    trained(model, reg, delivery, 23)
    state, weights = json.loads(json.dumps(reg.state_dict())), model.state_dict()
    weights = {name: weight.clone() for name, weight in weights.items()}
    expected = trained(model, reg, delivery, 20, first=23)

    fresh = coder()
    fresh.load_state_dict(weights)
    other = controlled(fresh, RootMeanSquare(0.3, law=law), delivery)
    other.load_state_dict(state)
    assert other.state_dict() == state
    assert trained(fresh, other, delivery, 20, first=23) == expected
    assert len(set(expected)) > 10


def test_its_own_check_is_asked():
    model = nn.Sequential(nn.Linear(4, 1), nn.ReLU())
    reg = controlled(model, RootMeanSquare(0.3))
    with pytest.raises(ConfigurationError, match="1: expected two units or more, got 1"):
        model(torch.ones(3, 4))
    reg.detach()


def test_an_axis_that_does_not_matter_is_not_asked_for():
    x = torch.ones(2, 3, 4)
    for target, asks in [(RootMeanSquare(0.3), False), (Made(lambda x, b: (x.sum(), 1)), True)]:
        model = nn.Sequential(nn.Linear(4, 5), nn.ReLU())
        reg = controlled(model, target)
        if asks:
            with pytest.warns(UserWarning, match="output of three axes"):
                model(x)
        else:
            model(x)
        reg.detach()


@dataclasses.dataclass(frozen=True)
class Made(rz.Target):
    """A target whose measure is a function that a test gives."""

    function: object
    wanted: float = 1.0

    def measure(self, x, batch):
        return self.function(x, batch)


@pytest.mark.parametrize(
    ("measured", "message"),
    [
        (lambda x, b: x.sum(), r"got Tensor\[\] float64"),
        (lambda x, b: (x.sum(0), b.samples), r"got tuple\(Tensor\[12\] float64, int\)"),
        (lambda x, b: (x.sum(), x[:, 0]), r"got tuple\(Tensor\[\] float64, Tensor\[32\]"),
        (lambda x, b: (1.0, b.samples), r"got tuple\(float, int\)"),
        (lambda x, b: (x.sum(), None), r"got tuple\(Tensor\[\] float64, None\)"),
        (lambda x, b: (torch.complex(x, x).sum(), 1), "complex128, int"),
    ],
)
@both
def test_a_target_measures_two_numbers(measured, message, delivery):
    model = coder()
    reg = controlled(model, Made(measured), delivery)
    with pytest.raises(
        ConfigurationError, match=f"1: Made.measure: expected a sum and a count.*{message}"
    ):
        model(batch(32))
    reg.detach()


@pytest.mark.parametrize("sign", [(-1, 1), (1, -1), (-1, -1)])
def test_a_measure_below_0_names_the_site_and_changes_nothing(sign):
    model = coder()
    target = Made(lambda x, b: (sign[0] * (x * x).sum(), sign[1] * b.elements))
    reg = controlled(model, target)
    backward(model, reg, batch(32))
    before = reg.state_dict()
    with pytest.raises(
        ConfigurationError, match=f"{KEY}: Made.*expected a sum and a count that are not negative"
    ):
        reg.step()
    assert reg.state_dict() == before


@pytest.mark.parametrize("nothing", [math.nan, math.inf])
def test_a_measure_that_is_not_finite_leaves_the_strength(nothing):
    model, factor = coder(), 1.0
    reg = controlled(model, Made(lambda x, b: (factor * (x * x).sum(), b.elements)))
    trained(model, reg, "collect", 15)
    before = reg.state_dict()["controllers"][KEY]["law"], reg.strengths[KEY]
    factor = nothing
    trained(model, reg, "collect", 1)
    assert (reg.state_dict()["controllers"][KEY]["law"], reg.strengths[KEY]) == before
    with pytest.warns(UserWarning, match=f"{KEY}: for 50 steps in a row what is measured was NaN"):
        trained(model, reg, "collect", 54)  # up to step 70, which is sent to the host


@pytest.mark.parametrize("wanted", [0.0, -1.0, math.nan, "much", None])
def test_what_is_wanted_is_a_number_above_0(wanted):
    with pytest.raises(
        ConfigurationError, match=f"{KEY}: Made.*wanted: expected a finite number above 0"
    ):
        controlled(coder(), Made(lambda x, b: (x.sum(), 1), wanted))


def test_a_target_that_says_nothing_of_what_is_wanted():
    class Silent(rz.Target):
        def measure(self, x, batch):
            return x.sum(), 1

    with pytest.raises(ConfigurationError, match=f"{KEY}: Silent.*wanted: expected a finite"):
        controlled(coder(), Silent())


def test_a_target_without_a_measure_cannot_be_made():
    class Nothing(rz.Target):
        wanted = 1.0

    with pytest.raises(TypeError, match=r"abstract method '?measure"):
        Nothing()


# laws


@dataclasses.dataclass(frozen=True)
class Fixed(rz.Law):
    """A law that returns whatever a test gives it."""

    strength: object

    def init(self, initial):
        return {"steps": 0}

    def update(self, state, measured, wanted, scale):
        return {"steps": state["steps"] + 1}, self.strength


def after_a_step(law):
    model = coder()
    reg = controlled(model, RootMeanSquare(0.3, law=law))
    backward(model, reg, batch(32))
    before = reg.state_dict()
    try:
        reg.step()
    except (ConfigurationError, StrengthError, StrengthTypeError):
        assert reg.state_dict() == before
        raise
    return reg


@pytest.mark.parametrize(
    "strength",
    [0.5, torch.tensor(0.5), torch.tensor(0.5, dtype=torch.float64), torch.tensor(0.5).half()],
)
def test_a_law_returns_a_number_or_a_tensor(strength):
    reg = after_a_step(Fixed(strength))
    assert reg.strengths[KEY] == 0.5
    assert reg.state_dict()["controllers"][KEY]["law"] == {"steps": 1.0}


@both
def test_a_strength_of_0_is_still_measured(delivery):
    model = coder()
    reg = controlled(model, RootMeanSquare(0.3, law=Fixed(0.0)), delivery)
    assert trained(model, reg, delivery, 3) == [QUIET] * 3
    assert reg.state_dict()["controllers"][KEY]["law"] == {"steps": 3.0}
    assert reg.state_dict()["controllers"][KEY]["diagnosis"]["scales"] == 3


@pytest.mark.parametrize(
    ("strength", "error", "message"),
    [
        (-1.0, StrengthError, "finite and not negative, got -1.0"),
        (torch.tensor(torch.nan), StrengthError, "finite and not negative, got nan"),
        (math.inf, StrengthError, "finite and not negative, got inf"),
        ("1", StrengthTypeError, "a number or a tensor of 0 dimensions, got str"),
        (None, StrengthTypeError, "a number or a tensor of 0 dimensions, got None"),
        (torch.ones(1), StrengthTypeError, r"got Tensor\[1\] float32"),
        (torch.tensor(1j), StrengthTypeError, "complex64"),
    ],
)
def test_a_strength_that_is_none_names_the_site_and_changes_nothing(strength, error, message):
    with pytest.raises(error, match=rf"{KEY}: Fixed\(.*\)\.update: expected.*{message}"):
        after_a_step(Fixed(strength))


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        (0.5, "expected two values, the new state and the strength, got float"),
        (({}, 0.5), r"names that init returned, \['steps'\], got \[\]"),
        (({"steps": 1, "more": 2}, 0.5), r"got \['steps', 'more'\]"),
        (({"steps": torch.ones(2)}, 0.5), r"got Tensor\[2\] float32 for 'steps'"),
        (({"steps": "1"}, 0.5), "got str for 'steps'"),
        (([1.0], 0.5), "numbers by name such as"),
    ],
)
def test_a_state_that_is_none(returned, message):
    class Returns(Fixed):
        def update(self, state, measured, wanted, scale):
            return returned

    with pytest.raises(ConfigurationError, match=rf"{KEY}: .*Returns\(.*\)\.update: .*{message}"):
        after_a_step(Returns(0.0))


def test_a_first_state_that_is_none():
    class Begins(Fixed):
        def init(self, initial):
            return initial

    with pytest.raises(ConfigurationError, match=rf"{KEY}: .*Begins\(.*\)\.init: expected a state"):
        controlled(coder(), RootMeanSquare(0.3, law=Begins(0.0)))


def test_a_law_is_given_tensors_of_float64():
    seen = []

    class Sees(Fixed):
        def init(self, initial):
            seen.append(initial)
            return {"steps": torch.zeros((), dtype=torch.int32), "plain": 1}

        def update(self, state, measured, wanted, scale):
            assert type(state["plain"]) is float
            seen.extend([state["steps"], measured, wanted, scale])
            return {"steps": 0, "plain": torch.tensor(2.0)}, 0.25

    model, x = coder(), batch(32)
    reg = controlled(model, RootMeanSquare(0.3, initial=0.5, law=Sees(0)))
    backward(model, reg, x)
    reg.step()
    assert reg.state_dict()["controllers"][KEY]["law"] == {"steps": 0.0, "plain": 2.0}
    backward(model, reg, x)
    reg.step()
    assert all(t.shape == () and t.dtype == torch.float64 for t in seen)
    initial, steps, measured, wanted, scale = [t.item() for t in seen[:5]]
    assert (initial, steps, wanted) == (0.5, 0.0, 0.3**2)
    coding = model[:2](x)
    assert measured == pytest.approx(coding.square().mean().item(), rel=1e-12)
    (pull,) = torch.autograd.grad(nn.functional.mse_loss(model[2](coding), x), coding)
    unit = rz.L2Squared(1.0, reduce="batch_mean").gradient(coding.detach())
    assert scale == pytest.approx((pull[coding != 0].norm() / unit.norm()).item(), rel=1e-9)


def test_a_state_is_loaded_only_into_the_same_law():
    model = coder()
    reg = controlled(model, RootMeanSquare(0.3, law=Multiplicative(1.1)))
    other = controlled(coder(), RootMeanSquare(0.3, law=Multiplicative(1.2)))
    with pytest.raises(ConfigurationError, match=r"factor=1\.2.*got .*factor=1\.1"):
        other.load_state_dict(reg.state_dict())


def test_a_law_is_given_as_one():
    with pytest.raises(ConfigurationError, match=r"write Multiplicative\(\)"):
        RootMeanSquare(0.3, law=Multiplicative)
    with pytest.raises(ConfigurationError, match=r"expected a regularizers\.Law.*got 0\.1"):
        rz.TargetActive(10, law=0.1)


def test_a_law_that_knows_its_end_is_warned_of():
    class Ends(Fixed):
        def at_most(self, state):
            return state["steps"] > 10

    model = coder()
    reg = controlled(model, RootMeanSquare(1e-3, law=Ends(1e-6)))
    with pytest.warns(UserWarning, match=f"{KEY}: the strength has stood at its upper end"):
        trained(model, reg, "collect", 500)
    model = coder()
    reg = controlled(model, RootMeanSquare(1e-3, law=Fixed(1e-6)))
    trained(model, reg, "collect", 500)  # others know of no end


class Writing(rz.Target):
    """A target that writes into what it is given."""

    wanted = 1.0

    def measure(self, x, batch):
        return x.abs_().sum(), batch.elements


@both
def test_a_target_that_writes_into_an_output_is_refused(delivery):
    model = coder()
    rule = rz.activity(rz.L1(Writing()), where="0")
    reg = rz.Regularization(model, [rule], delivery=delivery)
    with pytest.raises(ConfigurationError, match=r"0: Writing.measure: .* leaves its array as it"):
        model(batch())
    reg.detach()
