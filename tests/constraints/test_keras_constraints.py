"""Keras 3 is the other implementation: the same numbers, but for its ε."""

import os

os.environ["KERAS_BACKEND"] = "torch"

import keras
import numpy as np
import pytest
from numpy.testing import assert_allclose

from penalties.arrays import numbers
from regularizers import MaxNorm, MinMaxNorm, NonNegative, UnitNorm

EPSILON = 1e-7
PAIRS = [
    (keras.constraints.MaxNorm(0.8, axis=0), MaxNorm(0.8, axis=1)),
    (keras.constraints.MaxNorm(2.0, axis=1), MaxNorm(2.0, axis=0)),
    (keras.constraints.UnitNorm(axis=0), UnitNorm(axis=1)),
    (keras.constraints.MinMaxNorm(0.9, 1.1, axis=0), MinMaxNorm(0.9, 1.1, axis=1)),
    (keras.constraints.MinMaxNorm(0.9, 1.1, 0.3, axis=1), MinMaxNorm(0.9, 1.1, 0.3, axis=0)),
    (keras.constraints.NonNeg(), NonNegative()),
]


@pytest.mark.parametrize(("theirs", "ours"), PAIRS, ids=lambda one: type(one).__name__)
def test_kernels_are_projected_alike(theirs, ours):
    w = np.random.default_rng(3).normal(size=(6, 5)).astype(np.float32)
    smallest = min(np.linalg.norm(w, axis=0).min(), np.linalg.norm(w, axis=1).min())
    assert smallest > 0.5
    assert_allclose(ours.project(w), numbers(theirs(w)), rtol=EPSILON / smallest + 4e-7, atol=1e-12)


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        (keras.constraints.MaxNorm(0.8, axis=[0, 1, 2]), MaxNorm(0.8, axis=3)),
        (keras.constraints.UnitNorm(axis=[0, 1, 2]), UnitNorm(axis=3)),
    ],
    ids=["MaxNorm", "UnitNorm"],
)
def test_filters_are_projected_alike(theirs, ours):
    w = np.random.default_rng(4).normal(size=(3, 3, 2, 5)).astype(np.float32)
    assert_allclose(ours.project(w), numbers(theirs(w)), rtol=5e-7)


def test_the_published_columns():
    """The vectors and results of Keras' own test of MaxNorm(2.0)."""
    x = np.array([[0, 0, 0], [1.0, 0, 0], [3, 0, 0], [3, 3, 3]])
    third = 2 / 3**0.5
    wanted = [[0, 0, 0], [1, 0, 0], [2, 0, 0], [third, third, third]]
    assert_allclose(MaxNorm(2.0, axis=0).project(x), wanted, rtol=1e-15)


def test_theirs_shortens_what_is_short_enough_and_ours_does_not():
    w = np.array([[0.003, 0.004]])
    assert keras.constraints.MaxNorm(1.0, axis=1)(w)[0, 0] < 0.003
    assert MaxNorm(1.0, axis=0).project(w)[0, 0] == 0.003
