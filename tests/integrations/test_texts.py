"""Penalties and constraints, written as text and read again."""

import dataclasses
import math

import numpy as np
import pytest

import regularizers as rz
from regularizers.errors import ConfigurationError

# private: the text itself, whatever the framework that saves it
from regularizers.integrations._texts import text_of, value_of


def squares(xp, x):
    return xp.sum(x * x)


@dataclasses.dataclass(frozen=True, repr=False)
class Own(rz.L2Squared):
    pass


def nothing(name):
    return None


def own(name):
    return {"squares": squares, "Own": Own}.get(name)


VALUES = [
    rz.L1(1e-3),
    rz.L1(np.float32(0.1)),
    rz.L2Squared(0.1, reduce="mean"),
    rz.L2Norm(0.1, batch_axis=(0, 1)),
    rz.L1L2(0.1, 0.2),
    rz.L1(0.1) + rz.L2Squared(0.2) + rz.Hinge(0.3, above=1.0, below=-1.0),
    rz.KLSparsity(0.1, target=0.1, epsilon=1e-4),
    rz.TAR(1.0, time_axis=-2),
    rz.Temporal(rz.L1(0.1) + rz.L2Norm(0.2), time_axis=1),
    rz.Budget(rz.L1(0.1, reduce="batch_mean"), 2.0),
    rz.GroupLasso(0.1, axis=(0, 1)),
    rz.Orthogonal(0.1, axis="output", normalized=True),
    rz.ActivityRegularization.l2(0.1),
    rz.FromFunction(0.1, squares),
    Own(0.1),
    rz.Bounds(-math.inf, 1.0),
    rz.MaxNorm(1.0, axis="input"),
    rz.MinMaxNorm(0.1, 1.0, rate=0.5, axis=()),
    rz.UnitNorm(axis=-1),
    rz.NonNegative(),
]


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_a_value_is_read_from_its_text(value):
    assert value_of(text_of(value), own) == value


def test_terms_of_a_sum_are_read_as_they_are():
    terms = rz.activity(rz.L1(0.1) + rz.TAR(0.2, time_axis=1), where="**").terms
    for term in terms:
        assert value_of(text_of(term), nothing).terms == (term,)


@pytest.mark.parametrize(
    "value",
    [
        rz.Elementwise(0.1, lambda xp, x: x * x),
        rz.Laplacian(0.1, np.eye(3), axis=1),
    ],
    ids=["lambda", "array"],
)
def test_what_its_text_does_not_make_is_refused(value):
    with pytest.raises(ConfigurationError, match="give functions a name by def, and keep arrays"):
        text_of(value)


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os')",
        "L1(0.1).prox",
        "L1(0.1",
        "L1(**{'strength': 0.1})",
        "[L1(0.1)]",
        "squares(1, 2)",
        "check_proximal(1)",
        "L1(0.1) * 2",
        "",
    ],
)
def test_no_other_text_is_read(text):
    with pytest.raises(ConfigurationError):
        value_of(text, own)


def test_an_unknown_name_says_how_to_make_it_known():
    with pytest.raises(ConfigurationError, match=r"Own is unknown.*custom_objects=\{'Own': Own\}"):
        value_of("Own(0.1)", nothing)
