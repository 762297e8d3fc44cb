"""Keras' words on one module: `regularize` leaves marks that `Regularization(model)` finds."""

import copy
import pickle

import pytest
import torch
from torch import Tensor, nn

import regularizers as rz
from attach.helpers import assert_same_loss_and_gradients, batch, sites
from regularizers.errors import ConfigurationError, SelectionError

COPIES = [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))]
every_copy = pytest.mark.parametrize("make_copy", COPIES, ids=["deepcopy", "pickle"])


def marked() -> nn.Sequential:
    torch.manual_seed(0)
    layer = rz.regularize(
        nn.Linear(4, 3),
        kernel_regularizer=rz.L2Squared(0.2),
        bias_regularizer=rz.L1(0.1),
        activity_regularizer=rz.L2Norm(0.3),
    )
    return nn.Sequential(layer, nn.Tanh(), nn.Linear(3, 2)).double()


def loss_by_hand(model: nn.Sequential, x: Tensor) -> Tensor:
    first, last = model[0], model[2]
    site = x @ first.weight.T + first.bias
    task = (torch.tanh(site) @ last.weight.T + last.bias).square().mean()
    activity = 0.3 * site.square().sum(dim=1).sqrt().mean()
    return task + activity + 0.2 * first.weight.square().sum() + 0.1 * first.bias.abs().sum()


def test_marks_are_rules_of_the_module_alone():
    model, x = marked(), batch()
    reg = rz.Regularization(model)
    assert sites(reg) == ["0", "0.weight", "0.bias"]
    loss = model(x).square().mean() + reg.penalty()
    assert_same_loss_and_gradients(model, loss, loss_by_hand(model, x))


@every_copy
def test_marks_survive_copies_and_mean_the_copy(make_copy):
    model, x = marked(), batch()
    rz.Regularization(model)
    twin = make_copy(model)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
    reg = rz.Regularization(twin)
    loss = twin(x).square().mean() + reg.penalty()
    assert_same_loss_and_gradients(twin, loss, loss_by_hand(twin, x))


def test_marks_are_no_state():
    model = marked()
    assert list(model.state_dict()) == ["0.weight", "0.bias", "2.weight", "2.bias"]


def test_the_module_itself_is_returned():
    layer = nn.Linear(2, 2)
    assert rz.regularize(layer, kernel_regularizer=rz.L1(1.0)) is layer


def test_rules_are_added_to_marks():
    model = marked()
    reg = rz.Regularization(model, [rz.kernel(rz.L2Squared(1.0), where="0")])
    assert [f"{row.site}/{row.kind}" for row in reg.report().rows] == [
        "0/activity",
        "0.weight/kernel",
        "0.weight/kernel",
        "0.bias/bias",
    ]


def test_marking_again_replaces_the_marks():
    layer = rz.regularize(nn.Linear(2, 2), kernel_regularizer=rz.L1(1.0))
    rz.regularize(layer, bias_regularizer=rz.L1(1.0))
    assert sites(rz.Regularization(layer)) == ["bias"]


def test_a_marked_module_used_under_two_names_counts_once():
    layer = rz.regularize(nn.Linear(3, 3, bias=False), kernel_regularizer=rz.L1(1.0))
    model = nn.Sequential(layer, nn.Tanh(), layer)
    torch.testing.assert_close(rz.Regularization(model).penalty(), layer.weight.abs().sum())


def test_of_a_recurrent_layer_the_recurrent_kernels_are_meant_too():
    layer = rz.regularize(nn.GRU(2, 3), kernel_regularizer=rz.L1(1.0))
    expected = layer.weight_ih_l0.abs().sum() + layer.weight_hh_l0.abs().sum()
    torch.testing.assert_close(rz.Regularization(layer).penalty(), expected)


@pytest.mark.parametrize(
    ("module", "options", "message"),
    [
        (nn.ReLU(), {"kernel_regularizer": rz.L1(1.0)}, "ReLU has no kernel"),
        (
            nn.Linear(2, 2, bias=False),
            {"bias_regularizer": rz.L1(1.0)},
            "Linear has no bias",
        ),
        (
            nn.Sequential(nn.ReLU(), nn.LayerNorm(2)),
            {"kernel_regularizer": rz.L1(1.0)},
            "Sequential has no kernel",
        ),
        (nn.LayerNorm(2), {"kernel_regularizer": rz.L1(1.0)}, "LayerNorm has no kernel"),
    ],
)
def test_a_module_without_what_is_regularized_raises_and_stays_unmarked(module, options, message):
    with pytest.raises(SelectionError, match=message):
        rz.regularize(module, **options)
    with pytest.raises(SelectionError, match="no rules were given, and no module is marked"):
        rz.Regularization(module)


@pytest.mark.parametrize("name", ["kernel", "bias", "activity"])
def test_what_is_no_penalty_raises(name):
    with pytest.raises(ConfigurationError, match=f"{name}: expected a penalty.*got 0.1"):
        rz.regularize(nn.Linear(2, 2), **{f"{name}_regularizer": 0.1})


def test_each_module_keeps_its_own_marks():
    layers = [rz.regularize(nn.Linear(2, 2), kernel_regularizer=rz.L1(s)) for s in (1.0, 2.0)]
    model = nn.Sequential(*layers)
    reg = rz.Regularization(model)
    expected = model[0].weight.abs().sum() + 2 * model[1].weight.abs().sum()
    torch.testing.assert_close(reg.penalty(), expected)
