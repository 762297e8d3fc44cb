"""The control law, step by step against the same formulas written out."""

import math
import random

import pytest

import regularizers as rz
from regularizers.control import QUIET, Average, ProportionalIntegral
from regularizers.errors import ConfigurationError


class Driven:
    """The default law, the state it has come to, and the strength it gives there."""

    def __init__(self, target, initial):
        self.law, self.target, self.strength = ProportionalIntegral(), target, QUIET
        self.state = self.law.init(initial)

    def update(self, measured, scale):
        self.state, self.strength = self.law.update(self.state, measured, self.target, scale)

    @property
    def measured(self):
        return self.state["measured_total"] / self.state["measured_weight"]


def test_an_average_is_that_of_the_values_weighted_by_age():
    average = Average(10)
    assert math.isnan(average.mean)
    values = [4.0, 1.0, 7.0]
    for value in values:
        average.add(value)
    weights = [0.9**2, 0.9, 1.0]
    by_hand = sum([w * v for w, v in zip(weights, values, strict=True)]) / sum(weights)
    assert average.mean == pytest.approx(by_hand, rel=1e-14)


def by_hand(target, initial, measurements):
    """Yield λ after each pair of a quantity and a scale, from the formulas of the page."""
    a = s = weight_a = weight_s = 0.0
    integral = None
    for step, (quantity, scale) in enumerate(measurements, start=1):
        a, weight_a = 0.9 * a + quantity, 0.9 * weight_a + 1
        s, weight_s = 0.95 * s + scale, 0.95 * weight_s + 1
        if step < 10:
            yield QUIET
            continue
        mean, most = a / weight_a, s / weight_s
        e = max(-1, min(1, math.log((mean + 0.01 * target) / (1.01 * target))))
        if integral is None:
            integral = math.log(max(0.05 * most, min(initial, 0.2 * most)))
        else:
            integral = max(math.log(1e-6 * most), min(integral + 0.1 * e, math.log(most)))
        yield math.exp(min(integral + 2 * e, math.log(most) + 0.4 * max(e, 0)))


@pytest.mark.parametrize("initial", [0.0, 1e-3, 1e9])
def test_strengths_are_those_of_the_formulas(initial):
    rng = random.Random(0)
    measurements = [(rng.uniform(2, 30), rng.uniform(0.1, 0.3)) for _ in range(300)]
    law = Driven(10.0, initial)
    for (quantity, scale), expected in zip(
        measurements, by_hand(10.0, initial, measurements), strict=True
    ):
        law.update(quantity, scale)
        assert law.strength == pytest.approx(expected, rel=1e-12)


def driven(law, steps, quantity=lambda strength: 20.0, scale=1.0):
    for _ in range(steps):
        law.update(quantity(law.strength), scale)
    return law


def test_it_begins_between_a_twentieth_and_a_fifth_of_the_scale():
    for initial, first in [(1e-9, 0.05), (0.1, 0.1), (1e9, 0.2)]:
        law = driven(Driven(20.0, initial), 10)  # at the target, where the error is 0
        assert law.strength == pytest.approx(first, rel=1e-12)


def test_it_begins_lower_where_that_is_stated():
    law = ProportionalIntegral(begin=1e-3)
    state = law.init(1e-9)
    for _ in range(10):
        state, strength = law.update(state, 20.0, 20.0, 5.0)  # at the target: the error is 0
    assert float(strength) == pytest.approx(5e-3, rel=1e-9)
    with pytest.raises(ConfigurationError, match=r"begin: .* above 0 and at most 0\.2, got 0\.3"):
        ProportionalIntegral(begin=0.3)
    with pytest.raises(ConfigurationError, match="begin"):
        ProportionalIntegral(begin=0)


def test_it_is_the_same_law_at_every_scale():
    # what is measured depends on the strength relative to the scale, as it does of a loss times k
    def run(scale):
        law = Driven(10.0, 0.0)
        driven(law, 400, lambda strength: 100 / (1 + 1000 * strength / scale), scale)
        return law.strength / scale

    assert run(1000.0) == pytest.approx(run(1.0), rel=1e-9)
    assert run(1e-9) == pytest.approx(run(1.0), rel=1e-9)


def test_it_reaches_the_target_where_the_quantity_falls_with_the_strength():
    law = driven(Driven(10.0, 1.0), 400, lambda strength: 100 / (1 + 300 * strength))
    assert law.measured == pytest.approx(10.0, rel=1e-3)
    assert law.strength == pytest.approx(9 / 300, rel=1e-2)


def test_it_does_not_wind_up_where_no_strength_is_enough():
    law = driven(Driven(10.0, 1.0), 1000, lambda strength: 50.0)
    assert law.law.at_most(law.state)
    assert not law.law.at_least(law.state)
    assert law.strength == pytest.approx(math.exp(0.4))  # 1.5 times the scale
    driven(law, 40, lambda strength: 5.0)
    assert law.strength < 0.2


def test_it_does_not_wind_down_where_there_is_too_little_without_a_penalty():
    law = driven(Driven(10.0, 1.0), 1000, lambda strength: 3.0)
    assert law.law.at_least(law.state)
    assert not law.law.at_most(law.state)
    assert 0 < law.strength < 1e-6
    driven(law, 200, lambda strength: 30.0)
    assert law.strength > 0.1


def test_where_nothing_is_active_the_integral_stands():
    law = driven(Driven(10.0, 1.0), 30, lambda strength: 12.0)
    before = law.state["integral"]
    driven(law, 20, lambda strength: 0.0, scale=math.nan)
    assert law.state["integral"] == before
    assert law.strength < math.exp(before)


@pytest.mark.parametrize("nothing", [math.nan, math.inf, 0.0])
def test_a_scale_that_is_none_leaves_the_last_ones(nothing):
    law = driven(Driven(10.0, 1.0), 30, lambda strength: 12.0)
    before = law.state
    law.update(12.0, nothing)
    for name in ("looked_on", "scale_total", "scale_weight"):
        assert law.state[name] == before[name]
    assert law.state["measured_total"] == pytest.approx(0.9 * before["measured_total"] + 12.0)


def test_an_update_leaves_the_state_it_was_given():
    law = driven(Driven(10.0, 1.0), 30)
    before = dict(law.state)
    law.law.update(law.state, 12.0, 10.0, 1.0)
    assert law.state == before


def test_the_gains_are_settings():
    law = driven(Driven(10.0, 1.0), 30)
    given = law.state, 20.0, 10.0, 1.0
    for proportional, integral in [(0.0, 0.1), (2.0, 0.0), (0.5, 0.2)]:
        state, strength = ProportionalIntegral(proportional=proportional, integral=integral).update(
            *given
        )
        e = math.log((20.0 / 10.0 + 0.01) / 1.01)
        assert state["integral"] == pytest.approx(min(law.state["integral"] + integral * e, 0.0))
        expected = min(state["integral"] + proportional * e, 0.4 * e)
        assert strength == pytest.approx(math.exp(expected), rel=1e-12)


@pytest.mark.parametrize("name", ["proportional", "integral"])
def test_a_gain_is_finite_and_not_negative(name):
    with pytest.raises(ConfigurationError, match=f"{name}: expected a finite number, zero or"):
        ProportionalIntegral(**{name: -1.0})


def test_laws_show_how_they_are_made():
    class Own(rz.Law):
        def __init__(self, gain):
            self.gain = gain

        def init(self, initial):
            return {}

        def update(self, state, measured, wanted, scale):
            return state, 0.0

    assert repr(ProportionalIntegral(integral=1)) == "ProportionalIntegral(integral=1.0)"
    assert repr(Own(2)) == "Own(gain=2)"
