"""What one collection counts: several calls, several forwards, evaluation."""

import pytest
import torch
from torch import nn

import regularizers as rz
from attach.helpers import (
    Branches,
    assert_same_loss_and_gradients,
    batch,
    branches,
    mlp,
    per_sample,
    records,
)
from regularizers.attach.reading import Plan
from regularizers.errors import CollectionError

L1 = rz.L1(1.0)


def test_several_forwards_before_one_collection_add_up():
    model = mlp()
    reg = rz.Regularization(model, [rz.activity(L1, where="1"), rz.kernel(rz.L2Squared(0.5))])
    inputs = [batch(rows, seed=rows) for rows in (2, 3, 7)]
    loss = sum([model(x).square().sum() for x in inputs]) + reg.penalty()
    hidden = [torch.tanh(x @ model[0].weight.T + model[0].bias) for x in inputs]
    task = sum([(h @ model[2].weight.T + model[2].bias).square().sum() for h in hidden])
    kernels = 0.5 * (model[0].weight.square().sum() + model[2].weight.square().sum())
    by_hand = task + sum([per_sample(h) for h in hidden]) + kernels
    assert_same_loss_and_gradients(model, loss, by_hand)


def test_gradients_accumulate_over_micro_batches():
    model = mlp()
    reg = rz.Regularization(model, [rz.activity(L1, where="1")])
    x = batch(6)
    for part in x.chunk(3):
        model(part)
        (reg.penalty() / 3).backward()
    (expected,) = torch.autograd.grad(per_sample(torch.tanh(model[0](x))), model[0].weight)
    torch.testing.assert_close(model[0].weight.grad, expected)


def test_a_module_called_three_times_counts_three_times():
    model, x = Branches(), batch()
    reg = rz.Regularization(model, [rz.activity(L1, where="left")])
    loss = model(x, "left left left").square().sum() + reg.penalty()
    by_hand = 0
    for _ in range(3):
        x = x @ model.left.weight.T + model.left.bias
        by_hand = by_hand + per_sample(x)
    model.right = nn.Identity()
    assert_same_loss_and_gradients(model, loss, x.square().sum() + by_hand)
    assert reg.penalties() == {"left/activity/L1": pytest.approx(by_hand.item(), rel=1e-12)}


def test_a_module_shared_under_two_names_counts_each_call():
    shared = nn.Linear(4, 4).double()
    model, x = nn.Sequential(shared, nn.Tanh(), shared), batch()
    reg = rz.Regularization(model, [rz.activity(L1, where="2")])
    output = model(x)
    first = x @ shared.weight.T + shared.bias
    torch.testing.assert_close(reg.penalty(), per_sample(first) + per_sample(output))


def test_a_site_called_outside_of_the_models_forward_counts():
    model, reg = branches()
    x = batch()
    right = model.right(model.left(x))
    left = x @ model.left.weight.T + model.left.bias
    torch.testing.assert_close(reg.penalty(), per_sample(left) + per_sample(right))


def test_many_sites_called_outside_of_the_models_forward_count():
    model = nn.Sequential(*[nn.Identity() for _ in range(40)])
    reg = rz.Regularization(model, [rz.activity(L1, where=nn.Identity)])
    x = torch.ones(2, 3, requires_grad=True)
    for site in model:
        site(x)
    assert reg.penalty().item() == 40 * 3


def test_weights_alone_need_no_forward():
    model = nn.Linear(2, 2)
    reg = rz.Regularization(model, [rz.kernel(L1)])
    for _ in range(2):
        torch.testing.assert_close(reg.penalty(), model.weight.abs().sum())


@pytest.mark.parametrize("context", [torch.no_grad, torch.inference_mode])
def test_without_gradients_activities_are_zero_and_weights_count(context):
    model, x = mlp(), batch()
    reg = rz.Regularization(model, [rz.activity(L1, where="1"), rz.kernel(L1, where="0")])
    with context():
        model(x)
        penalty = reg.penalty()
    torch.testing.assert_close(penalty, model[0].weight.abs().sum())
    assert reg.penalties()["1/activity/L1"] == 0


def test_a_collection_of_activities_without_gradients_reports_zero():
    model = mlp()
    reg = rz.Regularization(model, [rz.activity(L1, where="1")])
    with torch.no_grad():
        model(batch())
        assert reg.penalty().item() == 0
    assert reg.penalties() == {"1/activity/L1": 0}


def test_an_evaluation_between_forward_and_collection_adds_nothing():
    model, x = mlp(), batch()
    reg = rz.Regularization(model, [rz.activity(L1, where="1")])
    expected = per_sample(torch.tanh(x @ model[0].weight.T + model[0].bias))
    model(x)
    model.eval()
    model(batch(9))
    model.train()
    with torch.no_grad():
        model(batch(9))
    torch.testing.assert_close(reg.penalty(), expected)


def test_evaluation_mode_with_gradients_is_no_forward_to_collect():
    model = mlp().eval()
    reg = rz.Regularization(model, [rz.activity(L1, where="1")])
    model(batch())
    with pytest.raises(CollectionError, match=r"in model\.train\(\)"):
        reg.penalty()


@pytest.mark.parametrize("how", ["eval", "no_grad", "inference_mode"])
def test_evaluation_computes_and_records_nothing(how, monkeypatch):
    def forbidden(*_, **__):
        raise AssertionError("a penalty was computed")

    model = mlp()
    reg = rz.Regularization(model, [rz.activity(L1, where="1")])
    model(batch())
    assert records(reg) == 1
    reg.penalty()
    monkeypatch.setattr(Plan, "read_eagerly", forbidden)
    if how == "eval":
        model.eval()
        model(batch())
    else:
        with getattr(torch, how)():
            model(batch())
    assert records(reg) == 0


def test_two_regularizations_of_one_model_are_independent():
    model, x = mlp(), batch()
    one = rz.Regularization(model, [rz.activity(L1, where="1")])
    two = rz.Regularization(model, [rz.activity(rz.L1(2.0), where="1")])
    model(x)
    first = one.penalty()
    one.detach()
    torch.testing.assert_close(two.penalty(), 2 * first)


def test_the_graph_is_released_with_the_collection():
    model, x = mlp(), batch()
    reg = rz.Regularization(model, [rz.activity(L1, where="1")])
    model(x)
    assert records(reg) == 1
    reg.penalty()
    assert records(reg) == 0
