"""What the matrix of regimes does not hold: messages, scales, strengths, and what is refused."""

import pytest
import torch
from torch import Tensor, nn

import regularizers as rz
from attach.helpers import batch, mlp, records
from regularizers.errors import ConfigurationError, RegimeError, StrengthError

L1 = rz.activity(rz.L1(0.5), where="1")


def test_data_parallel_is_refused_when_attaching():
    with pytest.raises(RegimeError, match=r"nn\.DataParallel .* use .*DistributedDataParallel"):
        rz.Regularization(nn.DataParallel(mlp()), [rz.kernel(rz.L1(1.0))])


def test_a_replica_of_data_parallel_is_refused_in_its_forward():
    model = mlp()
    reg = rz.Regularization(model, [L1])
    replica = model[1]._replicate_for_data_parallel()
    with pytest.raises(RegimeError, match=r"^1: nn\.DataParallel runs copies of the model"):
        replica(batch())
    assert records(reg) == 0


def test_each_delivery_has_its_own_methods():
    collect = rz.Regularization(mlp(), [L1])
    inject = rz.Regularization(mlp(), [L1], delivery="inject")
    with pytest.raises(RegimeError, match=r"write loss = reg\.scale_from\(loss\)"):
        inject.penalty()
    with pytest.raises(RegimeError, match=r"here write loss \+ reg\.penalty\(\)"):
        collect.scale_from(torch.zeros(()))
    with pytest.raises(RegimeError, match="set_scale is for"):
        collect.set_scale(1.0)


def test_bad_settings_of_the_delivery():
    with pytest.raises(ConfigurationError, match="'collect' or 'inject', got 'apply'"):
        rz.Regularization(mlp(), [L1], delivery="apply")
    reg = rz.Regularization(mlp(), [L1], delivery="inject")
    with pytest.raises(StrengthError, match="scale: expected a finite number"):
        reg.set_scale(-1.0)


def site(model: nn.Sequential, x: Tensor) -> Tensor:
    return torch.tanh(x @ model[0].weight.T + model[0].bias)


def injected(model: nn.Sequential, reg: rz.Regularization, loss: Tensor) -> Tensor:
    model.zero_grad()
    reg.scale_from(loss).backward()
    return model[0].weight.grad.clone()


def test_an_injected_gradient_is_scaled_as_the_loss_and_leaves_its_value():
    model, x = mlp(), batch()
    reg = rz.Regularization(model, [L1], delivery="inject")
    loss = model(x).square().sum()
    assert torch.equal(reg.scale_from(loss), loss)
    got = injected(model, reg, 3 * model(x).square().sum())
    reg.detach()
    # the factor is within scale_from, so the penalty has none
    by_hand = 3 * model(x).square().sum() + 0.5 * site(model, x).abs().sum() / len(x)
    torch.testing.assert_close(got, torch.autograd.grad(by_hand, model[0].weight)[0])


def test_a_factor_around_scale_from_scales_the_penalty_too():
    model, x = mlp(), batch()
    reg = rz.Regularization(model, [L1], delivery="inject")
    (4 * reg.scale_from(model(x).square().sum())).backward()
    got = model[0].weight.grad
    reg.detach()
    by_hand = model(x).square().sum() + 0.5 * site(model, x).abs().sum() / len(x)
    torch.testing.assert_close(got, 4 * torch.autograd.grad(by_hand, model[0].weight)[0])


def test_a_backward_without_a_scale_raises_and_names_the_site():
    model = mlp()
    reg = rz.Regularization(model, [L1], delivery="inject")
    loss = model(batch()).sum()
    with pytest.raises(RegimeError, match=r"^1: the scale of the loss is not known .*scale_from"):
        loss.backward()
    assert reg.penalties().keys() == {"1/activity/L1"}


def test_the_scale_of_an_earlier_backward_is_forgotten():
    model = mlp()
    reg = rz.Regularization(model, [L1], delivery="inject")
    injected(model, reg, model(batch()).sum())
    with pytest.raises(RegimeError, match="is not known in this backward pass"):
        model(batch()).sum().backward()


def test_two_losses_of_one_backward_with_different_scales_raise():
    model = mlp()
    reg = rz.Regularization(model, [L1], delivery="inject")
    first, second = model(batch()).sum(), model(batch()).sum()
    with pytest.raises(RegimeError, match="call it once, on their sum"):
        (reg.scale_from(first) + 2 * reg.scale_from(second)).backward()


def test_a_stage_that_never_sees_the_loss_says_its_scale():
    model, x = mlp(), batch()
    reg = rz.Regularization(model, [L1], delivery="inject")
    reg.set_scale(0.25)
    upstream = torch.ones_like(model(x))
    output = model(x)
    model.zero_grad()
    output.backward(upstream)
    got = model[0].weight.grad.clone()
    reg.detach()
    by_hand = model(x).sum() + 0.25 * 0.5 * site(model, x).abs().sum() / len(x)
    torch.testing.assert_close(got, torch.autograd.grad(by_hand, model[0].weight)[0])


def test_kernels_are_injected_by_the_loss():
    model, x = mlp(), batch()
    reg = rz.Regularization(model, [rz.kernel(rz.L2Squared(0.5), where="0")], delivery="inject")
    got = injected(model, reg, model(x).square().sum())
    by_hand = model(x).square().sum() + 0.5 * model[0].weight.square().sum()
    torch.testing.assert_close(got, torch.autograd.grad(by_hand, model[0].weight)[0])


@pytest.mark.parametrize("batch_first", [True, False])
def test_the_states_of_a_recurrent_layer_are_replaced_in_its_output(batch_first):
    torch.manual_seed(0)
    layer, x = nn.LSTM(3, 4, batch_first=batch_first).double(), torch.randn(2, 5, 3).double()
    reg = rz.Regularization(layer, [rz.activity(rz.L1(0.5), where="")], delivery="inject")
    states, _ = layer(x)
    reg.scale_from(states.square().sum()).backward()
    got = layer.weight_hh_l0.grad
    reg.detach()
    states, _ = layer(x)
    by_hand = states.square().sum() + 0.5 * states.abs().sum() / x.shape[0 if batch_first else 1]
    torch.testing.assert_close(got, torch.autograd.grad(by_hand, layer.weight_hh_l0)[0])


def test_a_part_that_is_computed_from_the_output_cannot_be_injected_into():
    model = nn.Sequential(nn.Linear(2, 2))
    rule = rz.activity(rz.L1(1.0), where="0", select=lambda y: y * 2)
    reg = rz.Regularization(model, [rule], delivery="inject")
    with pytest.raises(rz.RegularizersError, match=r"^0: with delivery='inject' .* a part of the"):
        model(torch.ones(1, 2))
    assert list(reg.strengths) == ["0/activity/L1"]


def test_a_copy_is_differentiated_twice_as_well():
    x = torch.tensor([1.0, -2.0], dtype=torch.float64, requires_grad=True)
    model = nn.Sequential(nn.Identity())
    rule = rz.activity(rz.L2Norm(1.0, reduce="sum"), where="0", copy=True)
    reg = rz.Regularization(model, [rule])
    model(x)
    penalty = reg.penalty()
    (gradient,) = torch.autograd.grad(penalty, x, create_graph=True)
    (second,) = torch.autograd.grad(gradient[0], x)
    norm = 5**0.5
    torch.testing.assert_close(
        second, torch.tensor([1 / norm - 1 / norm**3, 2 / norm**3], dtype=torch.float64)
    )


def test_strengths_are_those_of_the_rules_until_they_are_set():
    model, x = mlp(), batch()
    reg = rz.Regularization(model, [L1])
    assert dict(reg.strengths) == {"1/activity/L1": 0.5}
    model(x)
    before = reg.penalty()
    reg.strengths["1/activity/L1"] = 1.5
    model(x)
    torch.testing.assert_close(reg.penalty(), 3 * before)
    assert "L1(1.5)" in str(reg.report())
    with pytest.raises(StrengthError, match="expected a finite number"):
        reg.strengths["1/activity/L1"] = float("nan")
    with pytest.raises(ConfigurationError, match="expected one of 1/activity/L1, got '2'"):
        reg.strengths["2"] = 1.0
    assert reg.strengths["1/activity/L1"] == 1.5


def test_a_graph_that_outlives_its_regularization_says_so():
    model = mlp()
    reg = rz.Regularization(model, [L1], delivery="inject")
    loss = reg.scale_from(model(batch()).sum())
    del reg
    with pytest.raises(RegimeError, match="was deleted before its backward pass"):
        loss.backward()


@pytest.mark.parametrize("rule", [rz.kernel(rz.L2Squared(0.5)), rz.bias(rz.L1(0.5))], ids=str)
def test_a_scale_alone_never_leaves_weights_out(rule):
    model = nn.Sequential(nn.Linear(3, 2), nn.ReLU())
    rules = [rz.activity(rz.L1(1.0), where="1"), rule]
    reg = rz.Regularization(model, rules, delivery="inject")
    with pytest.raises(RegimeError, match=r"0\.\w+/.*: set_scale is for activities.*attach"):
        reg.set_scale(1.0)
    reg.set_scale(None)
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    reg.attach(optimizer)
    reg.set_scale(0.0)
    before = [parameter.detach().clone() for parameter in model.parameters()]
    (0 * model(torch.ones(4, 3))).sum().backward()
    optimizer.step()
    kept = [torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True)]
    assert sorted(kept) == [False, True]


def test_strengths_are_shown_with_their_numbers():
    reg = rz.Regularization(mlp(), [L1])
    assert repr(reg.strengths) == "Strengths({'1/activity/L1': 0.5})"
