"""Rules of constraints: what they select, and what they refuse."""

import pytest
import torch
from torch import nn

import regularizers as rz
from attach.helpers import mlp
from regularizers.errors import ConfigurationError, SelectionError, ShapeError

UNIT = rz.UnitNorm(axis="output")


def test_a_rule_says_what_it_is():
    assert str(rz.constraint(UNIT)) == "constraint(UnitNorm('output'), where='**')"
    assert isinstance(rz.constraint(UNIT, "0"), rz.ConstraintRule)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (rz.L1(0.1), r"got L1\(0\.1\), a penalty, which has a rule of its own: kernel\(L1\(0\.1\)"),
        (1.0, "got 1.0 of type float"),
        (rz.UnitNorm, "got <class .* of type ABCMeta"),
    ],
    ids=["penalty", "number", "class"],
)
def test_what_is_no_constraint(given, message):
    with pytest.raises(ConfigurationError, match=rf"constraint: expected a constraint .*{message}"):
        rz.constraint(given)


def test_a_penalty_for_biases():
    with pytest.raises(ConfigurationError, match=r"bias_constraint: .* of its own: bias\(L1"):
        rz.regularize(nn.Linear(2, 2), bias_constraint=rz.L1(0.1))


@pytest.mark.parametrize("make", [rz.kernel, rz.bias, lambda p: rz.activity(p, where="0")])
def test_a_rule_of_penalties_given_a_constraint(make):
    with pytest.raises(
        ConfigurationError,
        match=r"expected a penalty .* a constraint, which has a rule of its own: "
        r"constraint\(UnitNorm\('output'\), where=\.\.\.\)",
    ):
        make(UNIT)


def test_a_constraint_without_a_rule_says_how_to_make_one():
    with pytest.raises(ConfigurationError, match=r"got UnitNorm\('output'\), a constraint, which"):
        rz.Regularization(mlp(), [UNIT])


def test_one_rule_without_a_list():
    with pytest.raises(ConfigurationError, match=r"expected a list of rules; write \[constraint"):
        rz.Regularization(mlp(), rz.constraint(UNIT))


def test_a_rule_that_matches_nothing():
    with pytest.raises(SelectionError, match="decoder"):
        rz.Regularization(mlp(), [rz.constraint(UNIT, where="decoder")])


def test_an_axis_that_a_kernel_does_not_have():
    rule = rz.constraint(rz.MaxNorm(1.0, axis=2), where="2")
    with pytest.raises(ShapeError, match=r"2\.weight: MaxNorm\(1\.0, 2\): axis: expected axes of"):
        rz.Regularization(mlp(), [rule])


def test_a_role_that_a_weight_does_not_have():
    rule = rz.constraint(rz.UnitNorm(axis="input"))
    with pytest.raises(ConfigurationError, match=r"weight: axis='input': .* has two inputs"):
        rz.Regularization(nn.Bilinear(2, 3, 4), [rule])


@pytest.mark.parametrize(
    "collect",
    [
        lambda reg: reg.penalty(),
        lambda reg: reg.penalties(),
        lambda reg: reg.as_dict(),
        lambda reg: reg.scale_from(torch.ones(())),
    ],
    ids=["penalty", "penalties", "as_dict", "scale_from"],
)
@pytest.mark.parametrize("delivery", ["collect", "inject"])
def test_a_collection_without_attach_raises(collect, delivery):
    reg = rz.Regularization(
        mlp(), [rz.kernel(rz.L1(0.1)), rz.constraint(UNIT, where="2")], delivery=delivery
    )
    with pytest.raises(
        ConfigurationError,
        match=r"2\.weight: UnitNorm\('output'\) is kept after each step of an optimizer, and none "
        r"is attached; call reg\.attach\(optimizer\)",
    ):
        collect(reg)


def test_the_report_shows_constraints_before_attach():
    reg = rz.Regularization(mlp(), [rz.kernel(rz.L1(0.1), where="0"), rz.constraint(UNIT)])
    assert [(row.site, row.kind, row.penalty, row.value) for row in reg.report().rows] == [
        ("0.weight", "kernel", "L1(0.1)", None),
        ("0.weight", "constraint", "UnitNorm('output')", None),
        ("2.weight", "constraint", "UnitNorm('output')", None),
    ]
    assert repr(reg) == "Regularization((root) Sequential: 1 kernel, 2 constraint)"
