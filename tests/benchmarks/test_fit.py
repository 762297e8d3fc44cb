"""Straight lines through costs."""

import math

import pytest
from benchmarks.speed.cases import Row
from benchmarks.speed.fit import straight_line
from benchmarks.speed.page import growing
from benchmarks.speed.timing import Timing


def test_a_straight_line_is_found():
    fit = straight_line([1, 10, 100, 1000], [5 + 2 * n for n in (1, 10, 100, 1000)])
    assert fit.fixed == pytest.approx(5)
    assert fit.each == pytest.approx(2)
    assert fit.at(7) == pytest.approx(19)
    assert fit.r_squared == pytest.approx(1)
    assert fit.deviation == pytest.approx(0, abs=1e-9)
    # from (100, 205) to (1000, 2005)
    assert fit.slope == pytest.approx(math.log10(2005 / 205))


def test_a_square_is_told_from_it():
    fit = straight_line([1, 10, 100, 1000], [n**2 for n in (1, 10, 100, 1000)])
    assert fit.slope == pytest.approx(2)
    assert fit.deviation > 0.5


def test_residuals_count_relative_to_n():
    """Of two points the line goes through both; a third, at large n, moves it but little."""
    fit = straight_line([1, 2, 100], [1, 2, 110])
    assert fit.each == pytest.approx(1, abs=0.1)


def test_a_negative_cost_has_no_slope():
    assert math.isnan(straight_line([1, 2, 3, 4], [1, 1, -1, 2]).slope)


def test_costs_are_what_is_added_to_the_step_without():
    def row(what: str, n: float) -> Row:
        without = Timing(1.0, 2.0, 3.0)
        ratios = {"without": Timing(1, 1, 1), "ours": Timing(1.0, 1.5, 2.0)}
        return Row("growth", what, "without", {"without": without}, ratios, {"n": n})

    rows = [row("sites, 1", 1), row("sites, 3", 3), row("layers, 2", 2)]
    assert growing.costs(rows, "sites", "ours") == ([1, 3], [1.0, 1.0])
