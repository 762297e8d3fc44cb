"""Settings and arrays that constraints refuse."""

import math
from dataclasses import dataclass

import numpy as np
import pytest
import torch

import regularizers as rz
from regularizers.errors import ArrayTypeError, ConfigurationError, ShapeError


@pytest.mark.parametrize("limit", [0, -1.0, math.nan, math.inf, "1", None, True])
def test_a_limit_that_is_not_above_0(limit):
    with pytest.raises(ConfigurationError, match="limit: expected a finite number above 0, got"):
        rz.MaxNorm(limit, axis=0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((-0.1, 1.0), "low: expected a finite number, zero or more, got -0.1"),
        ((0.0, 0.0), "high: expected a finite number above 0, got 0.0"),
        ((0.0, math.inf), "high: expected a finite number above 0, got inf"),
        ((2.0, 1.0), "low of at most high, got 2.0 and 1.0"),
        ((0.0, 1.0, 0.0), "rate: expected a finite number above 0, got 0.0"),
        ((0.0, 1.0, 1.5), "rate: expected a number above 0 and at most 1, .* got 1.5"),
    ],
)
def test_limits_and_rates_of_a_range(arguments, message):
    with pytest.raises(ConfigurationError, match=message):
        rz.MinMaxNorm(*arguments, axis=0)


@pytest.mark.parametrize(
    ("low", "high", "message"),
    [
        (1.0, 0.5, "low of at most high, .* got 1.0 and 0.5"),
        (math.inf, math.inf, "with a number between them"),
        (-math.inf, -math.inf, "with a number between them"),
        (math.nan, 1.0, "low: expected a number, or .* for none, got nan"),
        (0.0, "1", "high: expected a number, .* got '1'"),
        (None, 1.0, "low: expected a number, .* got None"),
    ],
)
def test_bounds(low, high, message):
    with pytest.raises(ConfigurationError, match=message):
        rz.Bounds(low, high)


@pytest.mark.parametrize("axis", ["rows", 1.0, None, ("output",)])
def test_an_axis_that_is_none(axis):
    with pytest.raises(ConfigurationError, match="axis: expected an integer, a tuple of integers"):
        rz.UnitNorm(axis=axis)


def test_the_role_of_an_axis_of_an_array():
    with pytest.raises(ConfigurationError, match="got 'output', which only the weight of a module"):
        rz.UnitNorm(axis="output").project(np.ones((2, 2)))


def test_an_axis_that_the_array_does_not_have():
    with pytest.raises(ShapeError, match="axis: expected axes of an array of 2 dimensions"):
        rz.MaxNorm(1.0, axis=2).project(np.ones((2, 2)))


@pytest.mark.parametrize(
    "x", [np.ones(3, dtype=int), np.ones(3, dtype=bool), torch.ones(3).cfloat(), [1.0, 2.0]]
)
def test_arrays_that_are_not_real(x):
    with pytest.raises(ArrayTypeError, match=r"x: expected an array of a (real )?floating type"):
        rz.NonNegative().project(x)


def test_a_gradient_of_another_shape():
    with pytest.raises(ShapeError, match=r"gradient: expected the shape of x, \(2, 2\), got"):
        rz.UnitNorm(axis=0).tangential(np.ones((2, 1)), np.ones((2, 2)))


def test_a_projection_of_another_shape():
    @dataclass(frozen=True)
    class Summed(rz.Constraint):
        def projection(self, x, xp):
            return xp.sum(x)

    with pytest.raises(ShapeError, match=r"Summed\(\): projection: expected .* \(2, 2\), got \(\)"):
        Summed().project(np.ones((2, 2)))


def test_a_constraint_without_a_projection():
    with pytest.raises(TypeError, match="projection"):
        rz.Constraint()
