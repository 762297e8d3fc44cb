"""What a person reads: the table, the numbers for the log, the repr."""

import pytest
import torch
from torch import nn

import regularizers as rz


def known() -> tuple[nn.Sequential, rz.Regularization]:
    """Return a model whose penalties are 0.7 and 0.5, and its regularization."""
    model = nn.Sequential(nn.Linear(2, 1, bias=False))
    with torch.no_grad():
        model[0].weight.copy_(torch.tensor([[3.0, 4.0]]))
    rules = [
        rz.activity(rz.L1(0.1), where="0"),
        rz.kernel(rz.L2Norm(0.1, reduce="sum")),
        rz.kernel(rz.KLSparsity(0.0, 0.1), reduce="mean"),
    ]
    return model, rz.Regularization(model, rules)


def test_report_before_the_first_collection():
    _, reg = known()
    assert str(reg.report()) == (
        "site      kind      penalty               reduce      last value  share\n"
        "--------  --------  --------------------  ----------  ----------  -----\n"
        "0         activity  L1(0.1)               batch_mean           -      -\n"
        "0.weight  kernel    L2Norm(0.1)           sum                  -      -\n"
        "0.weight  kernel    KLSparsity(0.0, 0.1)  mean                 -      -"
    )


def test_report_after_a_collection():
    model, reg = known()
    model(torch.ones(1, 2))
    reg.penalty()
    assert str(reg.report()) == (
        "site      kind      penalty               reduce      last value  share\n"
        "--------  --------  --------------------  ----------  ----------  -----\n"
        "0         activity  L1(0.1)               batch_mean         0.7  58.3%\n"
        "0.weight  kernel    L2Norm(0.1)           sum                0.5  41.7%\n"
        "0.weight  kernel    KLSparsity(0.0, 0.1)  mean                 0   0.0%"
    )
    assert repr(reg.report()) == str(reg.report())


def test_report_where_everything_is_zero():
    model = nn.Linear(2, 1, bias=False)
    nn.init.zeros_(model.weight)
    reg = rz.Regularization(model, [rz.kernel(rz.L1(0.1))])
    reg.penalty()
    last_line = str(reg.report()).splitlines()[-1]
    assert last_line.split() == ["weight", "kernel", "L1(0.1)", "sum", "0", "-"]


def test_a_report_is_a_record_of_its_moment():
    model, reg = known()
    before = reg.report()
    model(torch.ones(1, 2))
    reg.penalty()
    assert [row.value for row in before.rows] == [None, None, None]


def test_penalties_are_floats_that_sum_to_the_penalty():
    model, reg = known()
    assert reg.penalties() == {}
    model(torch.ones(1, 2))
    total = reg.penalty()
    assert reg.penalties() == pytest.approx(
        {"0/activity/L1": 0.7, "0.weight/kernel/L2Norm": 0.5, "0.weight/kernel/KLSparsity": 0.0}
    )
    assert [type(value) for value in reg.penalties().values()] == [float, float, float]
    assert sum(reg.penalties().values()) == pytest.approx(total.item())


def test_penalties_are_those_of_the_last_collection():
    model, reg = known()
    for rows, scale in ((1, 1.0), (4, 2.0)):
        model(scale * torch.ones(rows, 2))
        reg.penalty()
        model(torch.full((3, 2), 99.0))
        assert reg.penalties()["0/activity/L1"] == pytest.approx(0.7 * scale)
        with torch.no_grad():
            reg.penalty()


def test_penalties_of_weights_are_those_of_the_weights_as_they_are_now():
    model, reg = known()
    model(torch.ones(1, 2))
    reg.penalty()
    before = reg.penalties()
    assert before["0.weight/kernel/L2Norm"] == pytest.approx(0.5)
    with torch.no_grad():
        model[0].weight.mul_(3)
    assert reg.penalties() == before | {"0.weight/kernel/L2Norm": pytest.approx(1.5)}


def test_a_collection_in_evaluation_keeps_what_was_reported():
    model, reg = known()
    model(torch.ones(1, 2))
    reg.penalty()
    before = reg.penalties()
    assert before["0/activity/L1"] > 0
    model.eval()
    with torch.no_grad():
        model(torch.ones(1, 2))
        reg.penalty()
    assert reg.penalties() == before


def test_nan_is_seen():
    model, reg = known()
    model(torch.tensor([[float("nan"), 0.0]]))
    assert reg.penalty().isnan()
    assert str(reg.penalties()["0/activity/L1"]) == "nan"


def test_repr_counts_the_sites():
    _, reg = known()
    assert repr(reg) == "Regularization((root) Sequential: 1 activity, 2 kernel)"


@pytest.mark.parametrize("attached", [False, True])
def test_a_weight_that_was_frozen_since_is_reported_as_zero(attached):
    model, reg = known()
    model(torch.ones(1, 2))
    reg.penalty()
    if attached:
        reg.attach(torch.optim.SGD(model.parameters(), lr=0.1))
    assert reg.penalties()["0.weight/kernel/L2Norm"] > 0
    model[0].weight.requires_grad_(False)
    assert reg.penalties()["0.weight/kernel/L2Norm"] == 0


def test_as_dict_has_all_numbers_under_plain_keys():
    model = nn.ReLU()
    rules = [
        rz.activity(rz.L1(0.5), where=""),
        rz.activity(rz.L1(rz.TargetActive(2)), where=""),
        rz.activity(rz.L2Squared(rz.LinearWarmup(1.0, steps=4)), where=""),
    ]
    reg = rz.Regularization(model, rules)
    before = reg.as_dict()
    model(torch.tensor([[1.0, 3.0, -1.0], [2.0, 0.0, 0.0]], requires_grad=True))
    reg.penalty().backward()
    reg.step()
    strength = reg.strengths["model/activity/L1/2"]
    key = "model/activity/"
    assert reg.as_dict() == {
        f"{key}L1": 1.5,  # a half of (1 + 3 + 2) / 2
        f"{key}L1/2": reg.penalties()[f"{key}L1/2"],
        f"{key}L2Squared": 0.0,
        f"{key}L1/strength": 0.5,
        f"{key}L1/2/strength": strength,
        f"{key}L2Squared/strength": 0.25,
        f"{key}L1/2/measured": 1.5,  # of two samples with 2 and 1 active units
        f"{key}L1/2/wanted": 2.0,
    }
    assert reg.targets()[f"{key}L1/2"].strength == strength
    assert {type(value) for value in reg.as_dict().values()} == {float}
    assert not {"#", "(", ")"} & set("".join(reg.as_dict()))
    # before a collection there is no penalty, and nothing is measured
    assert list(before) == [name for name in reg.as_dict() if name not in reg.penalties()]
    assert str(before[f"{key}L1/2/measured"]) == "nan"


def test_a_child_called_model_is_not_taken_for_the_root():
    model = nn.Sequential()
    model.add_module("model", nn.ReLU())
    reg = rz.Regularization(model, [rz.activity(rz.L1(1.0), where=["", "model"])])
    assert list(reg.strengths) == ["model/activity/L1", "model/activity/L1/2"]
    assert [row.site for row in reg.report().rows] == ["(root)", "model"]


def test_a_context_detaches_at_its_end():
    model = nn.Sequential(nn.Linear(2, 1), nn.ReLU())
    with rz.Regularization(model, [rz.activity(rz.L1(0.1), where="1")]) as reg:
        assert isinstance(reg, rz.Regularization)
        model(torch.ones(1, 2))
        reg.penalty()
    assert not model[1]._forward_hooks
    with pytest.raises(rz.CollectionError, match="was detached from its model"):
        reg.penalty()


def test_a_context_detaches_after_an_exception():
    model = nn.Sequential(nn.Linear(2, 1), nn.ReLU())
    with pytest.raises(KeyError), rz.Regularization(model, [rz.activity(rz.L1(0.1), where="1")]):
        raise KeyError
    assert not model[1]._forward_hooks
