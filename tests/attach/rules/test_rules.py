"""Rules: what they settle, what contradicts, and that they add up without precedence."""

import pytest
import torch
from torch import nn

import regularizers as rz
from attach.helpers import batch, mlp
from regularizers.errors import ConfigurationError, SelectionError


def test_rules_of_the_same_site_add_up():
    model, x = mlp(), batch()
    reg = rz.Regularization(
        model,
        [
            rz.kernel(rz.L1(0.5)),
            rz.kernel(rz.L1(0.25), where="0"),
            rz.kernel(rz.L2Squared(0.1), where="0"),
        ],
    )
    model(x)
    first, last = model[0].weight, model[2].weight
    expected = 0.75 * first.abs().sum() + 0.5 * last.abs().sum() + 0.1 * first.square().sum()
    torch.testing.assert_close(reg.penalty(), expected)


def test_the_second_key_alike_gets_a_number_and_its_own_value():
    model, x = mlp(), batch()
    rules = [rz.activity(rz.L1(strength), where="1") for strength in (0.5, 0.25, 2.0)]
    reg = rz.Regularization(model, rules)
    total = torch.tanh(model[0](x)).abs().sum().item() / 6
    model(x)
    assert reg.penalty().item() == pytest.approx(2.75 * total)
    assert reg.penalties() == pytest.approx(
        {
            "1/activity/L1": 0.5 * total,
            "1/activity/L1/2": 0.25 * total,
            "1/activity/L1/3": 2.0 * total,
        }
    )


def test_terms_of_one_penalty_that_are_alike_get_numbers_too():
    model = nn.Linear(2, 1)
    reg = rz.Regularization(model, [rz.kernel(rz.L1(1.0) + rz.L1(2.0))])
    reg.penalty()
    size = model.weight.abs().sum().item()
    assert reg.penalties() == pytest.approx(
        {"weight/kernel/L1": size, "weight/kernel/L1/2": 2 * size}
    )


@pytest.mark.parametrize("make", [rz.kernel, rz.bias])
def test_weights_are_summed_by_default(make):
    assert [term.reduce for term in make(rz.L1(1.0)).terms] == ["sum"]


@pytest.mark.parametrize("on_rule", [True, False])
@pytest.mark.parametrize(("reduce", "divisor"), [("mean", 6), ("batch_mean", 2), ("sum", 1)])
def test_reduce_may_be_said_by_the_rule_or_the_penalty(on_rule, reduce, divisor):
    model = nn.Linear(3, 2, bias=False)
    rule = rz.kernel(rz.L1(1.0), reduce=reduce) if on_rule else rz.kernel(rz.L1(1.0, reduce=reduce))
    penalty = rz.Regularization(model, [rule]).penalty()
    torch.testing.assert_close(penalty, model.weight.abs().sum() / divisor)


@pytest.mark.parametrize(("batch_axis", "divisor"), [(0, 2), (1, 3), ((0, 1), 6), ((), 1)])
def test_batch_axis_of_a_kernel(batch_axis, divisor):
    model = nn.Linear(3, 2, bias=False)
    rule = rz.kernel(rz.L1(1.0), reduce="batch_mean", batch_axis=batch_axis)
    penalty = rz.Regularization(model, [rule]).penalty()
    torch.testing.assert_close(penalty, model.weight.abs().sum() / divisor)


@pytest.mark.parametrize(("batch_axis", "divisor"), [(None, 2), (1, 3), ((0, 1), 6), ((), 1)])
def test_batch_axis_of_an_activity(batch_axis, divisor):
    for mask in (None, lambda x: x > 0):
        model = nn.Sequential(nn.Identity())
        rule = rz.activity(rz.L1(1.0), where="0", batch_axis=batch_axis, mask=mask)
        reg = rz.Regularization(model, [rule])
        model(torch.ones(2, 3, 5, requires_grad=True))
        assert reg.penalty().item() == pytest.approx(30 / divisor)


def test_what_rule_and_penalty_both_say_may_agree():
    (term,) = rz.kernel(rz.L1(1.0, reduce="mean"), reduce="mean").terms
    assert term.reduce == "mean"


@pytest.mark.parametrize(
    ("penalty", "options", "message"),
    [
        (rz.L1(1.0, reduce="sum"), {"reduce": "mean"}, "reduce='mean'.*reduce='sum'; say it once"),
        (rz.L1(1.0, batch_axis=0), {"batch_axis": 1}, "batch_axis=1 .*batch_axis=0; say it once"),
        (rz.L1(1.0), {"reduce": "average"}, "reduce: expected one of 'sum'.*'average'"),
        (rz.L1(1.0), {"batch_axis": "rows"}, "batch_axis: expected an integer.*'rows'"),
    ],
)
def test_contradictions_raise_where_the_rule_is_written(penalty, options, message):
    with pytest.raises(ConfigurationError, match=message):
        rz.activity(penalty, where="0", **options)


@pytest.mark.parametrize("make", [rz.kernel, rz.bias, lambda p: rz.activity(p, where="0")])
@pytest.mark.parametrize("penalty", [0.1, None, rz.L1])
def test_what_is_no_penalty_raises(make, penalty):
    with pytest.raises(ConfigurationError, match=r"expected a penalty such as L1\(1e-3\)"):
        make(penalty)


def test_activity_requires_a_where():
    with pytest.raises(TypeError, match="where"):
        rz.activity(rz.L1(1.0))


@pytest.mark.parametrize(
    ("rules", "error", "message"),
    [
        ([], SelectionError, "no rules were given"),
        ([rz.L1(1.0)], ConfigurationError, r"expected rules made by .* got L1\(1.0\)"),
        (rz.kernel(rz.L1(1.0)), ConfigurationError, r"expected a list of rules; write \[kernel"),
    ],
)
def test_regularization_takes_a_list_of_rules(rules, error, message):
    with pytest.raises(error, match=message):
        rz.Regularization(mlp(), rules)


def test_regularization_takes_a_module():
    with pytest.raises(ConfigurationError, match=r"expected a torch\.nn\.Module, got list"):
        rz.Regularization([nn.Linear(2, 2)], [rz.kernel(rz.L1(1.0))])


@pytest.mark.parametrize("strength", [0, 0.0])
def test_strength_zero_gives_zero(strength):
    model, x = mlp(), batch()
    reg = rz.Regularization(model, [rz.activity(rz.L1(strength), where="1")])
    model(x)
    assert reg.penalty().item() == 0
