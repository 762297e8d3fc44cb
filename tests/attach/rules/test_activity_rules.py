"""Options of rules of activities, and those there are none of."""

import pytest
import torch
from torch import nn

import regularizers as rz
from regularizers.errors import ConfigurationError


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda **options: rz.activity(rz.L1(1.0), where="a", **options), "activity"),
        (lambda **options: rz.ar(1.0, where="a", **options), "ar"),
        (lambda **options: rz.tar(1.0, where="a", **options), "tar"),
    ],
    ids=["activity", "ar", "tar"],
)
def test_unknown_options_say_what_is_meant(make, name):
    site = rf"{name}\(where='a'\): "
    with pytest.raises(
        ConfigurationError, match=site + r"proximal=True is for weights.* kernel\(\.\.\., proximal"
    ):
        make(proximal=True)
    with pytest.raises(ConfigurationError, match=site + rf"colour='red' is no option of {name}\("):
        make(colour="red")


@pytest.mark.parametrize(
    ("make", "instead"),
    [(rz.ar, r"activity\(L2Squared\(alpha\)"), (rz.tar, r"activity\(Temporal\(L2Squared\(beta\)")],
)
def test_a_reduction_of_a_published_mean_names_the_penalty_that_has_one(make, instead):
    with pytest.raises(ConfigurationError, match=rf"reduce='sum' is no option, .*{instead}"):
        make(1.0, where="a", reduce="sum")


def test_carry_is_for_differences():
    with pytest.raises(ConfigurationError, match=r"ar\(where='a'\): carry=True is no option"):
        rz.ar(1.0, where="a", carry=True)


def test_the_options_there_are_arrive():
    def mask(x):
        return x[..., 0] > 0

    options = {"select": 0, "batch_axis": 1, "copy": True, "mask": mask, "optional": True}
    for rule in (
        rz.activity(rz.L1(1.0), where="a", **options),
        rz.ar(1.0, where="a", **options),
        rz.tar(1.0, where="a", time_axis=0, carry=True, **options),
    ):
        assert {name: getattr(rule, name) for name in options} == options
    assert rule.carry
    assert rule.penalty == rz.TAR(1.0, time_axis=0)


@pytest.mark.parametrize("rules", [rz.L1(1.0), [rz.L1(1.0)], [rz.kernel(rz.L1(1.0)), rz.L1(1.0)]])
def test_a_penalty_without_a_rule_says_how_to_make_one(rules):
    message = (
        r"expected rules made by activity, kernel, bias or constraint, got L1\(1\.0\), a penalty; "
        r"say what it is for: "
        r'\[activity\(L1\(1\.0\), where="\.\.\."\)\] or \[kernel\(L1\(1\.0\)\)\]'
    )
    with pytest.raises(ConfigurationError, match=message):
        rz.Regularization(nn.Linear(2, 2), rules)


@pytest.mark.parametrize("rules", [3, torch.ones(()), ["L1"]], ids=repr)
def test_something_else_than_rules(rules):
    with pytest.raises(ConfigurationError, match="made by activity, kernel, bias or constraint"):
        rz.Regularization(nn.Linear(2, 2), rules)
