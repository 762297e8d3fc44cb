"""What a controller says that it cannot mend, and that it says it once."""

import math
import re

import pytest

from regularizers.control import Diagnosis, ProportionalIntegral


def said(quantities, scale=1.0, target=10.0):
    """Return what is said along the way, each with its step."""
    law, diagnosis = ProportionalIntegral(), Diagnosis()
    state, messages = law.init(0.0), []
    for step, quantity in enumerate(quantities):
        state, _ = law.update(state, quantity, target, scale)
        ends = {"at_most": law.at_most(state), "at_least": law.at_least(state)}
        if message := diagnosis.observe(quantity, target, scale, **ends):
            messages.append((step, message))
    return messages


def test_nothing_where_the_target_is_reached():
    assert said([10 + 40 * 0.99**step for step in range(2000)]) == []


def test_nothing_as_long_as_it_comes_nearer_at_the_upper_end():
    assert said([12 + 200 * 0.97**step for step in range(150)]) == []


@pytest.mark.parametrize(
    ("quantity", "message"),
    [(40.0, "upper end.*40 is the nearest.*Raise"), (4.0, "Lower.*a bound by at_most=True")],
)
def test_a_target_that_is_not_reached(quantity, message):
    ((step, text),) = said([quantity] * 1000)
    assert 400 < step < 700
    assert re.search(message, text)
    assert "10" in text
    assert f"{quantity:.4g} is the nearest reached" in text


def test_a_target_that_comes_nearer_late():
    ((step, text),) = said([10 + 30 * (1 - step / 2400) for step in range(1000)])
    assert step >= 649
    assert "It comes nearer by" in text
    assert "Train longer, with a higher learning rate, or with fewer units" in text


def slowly(quantities, wanted, falling=None):
    """Return what is said where no penalty is needed, and the measure comes nearer slowly."""
    diagnosis = Diagnosis()
    messages = [
        diagnosis.observe(
            quantity,
            wanted,
            1.0,
            ratio=falling(quantity) if falling else None,
            strength=1e-6,
            at_most=False,
            at_least=True,
        )
        for quantity in quantities
    ]
    return [message for message in messages if message]


def test_a_measure_that_is_below_its_target_by_itself():
    (text,) = slowly([3 + step / 600 for step in range(1000)], 10.0)
    assert "400 steps: it is below the target by itself" in text
    assert "Make the target a bound by at_most=True, or lower it" in text
    assert "Train longer" not in text


def test_a_share_of_zeros_that_is_above_its_target_by_itself():
    shares = [0.9 - step / 8000 for step in range(1000)]
    (text,) = slowly(shares, 0.5, falling=lambda share: (1 - share) / 0.5)
    assert "400 steps: it is above the target by itself" in text
    assert "or raise it" in text


def test_a_quantity_that_swings_from_step_to_step():
    ((_, text),) = said([10 + 2 * (-1) ** step for step in range(400)])
    assert "Anneal" in text
    assert said([10 + 0.1 * (-1) ** step for step in range(400)]) == []  # hardly
    slow = [10 + 2 * math.sin(step / 10) for step in range(400)]
    assert said(slow) == []


def test_a_site_that_no_gradient_reaches():
    ((step, text),) = said([12.0] * 300, scale=math.nan)
    assert step == 49
    assert "no gradient" in text


def test_a_measure_that_is_never_finite():
    diagnosis = Diagnosis()
    messages = [
        diagnosis.observe(math.nan, 10.0, 1.0, at_most=False, at_least=False) for _ in range(120)
    ]
    assert messages[:49] == [None] * 49
    assert "for 50 steps in a row what is measured was NaN or infinite" in messages[49]
    assert messages[50:] == [None] * 70
    assert math.isnan(diagnosis.measured.mean)  # of no step


def test_a_measure_that_is_finite_again_is_no_fault():
    diagnosis = Diagnosis()
    for _ in range(4):
        for measured in [math.inf] * 49 + [10.0]:
            assert not diagnosis.observe(measured, 10.0, 1.0, at_most=False, at_least=False) or (
                diagnosis.scales < 10
            )
