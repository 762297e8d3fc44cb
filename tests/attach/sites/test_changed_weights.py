"""Weights that become something else after a Regularization was attached, or were it before."""

import copy
import warnings

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations, parametrize, prune

import regularizers as rz
from attach.helpers import assert_same_loss_and_gradients, batch, kernels, mlp, total
from regularizers.errors import ArrayTypeError, CollectionError, RegimeError, SelectionError

SQUARES = rz.L2Squared(0.5)


def squares(*weights: Tensor) -> Tensor:
    return 0.5 * sum([weight.square().sum() for weight in weights])


def pruned(module: nn.Module) -> None:
    prune.l1_unstructured(module, "weight", amount=0.3)


def pruned_in_rounds(module: nn.Module) -> None:
    prune.l1_unstructured(module, "weight", amount=0.3)
    prune.random_unstructured(module, "weight", amount=0.4)


def normed(module: nn.Module) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        nn.utils.weight_norm(module)


def spectral(module: nn.Module) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        nn.utils.spectral_norm(module)


def parametrized(module: nn.Module) -> None:
    parametrizations.weight_norm(module)


def equalized(module: nn.Module) -> None:
    """Scale the weight in every forward, as an equalized learning rate does."""
    weight = module.weight
    del module._parameters["weight"]
    module.register_parameter("weight_orig", weight)

    def scale(module: nn.Module, inputs: object) -> None:
        module.weight = module.weight_orig * 0.7

    module.register_forward_pre_hook(scale)


def check(model: nn.Module, reg: rz.Regularization) -> None:
    """Compare with a second forward, which moves no state of a spectral norm."""
    model.eval()
    loss = model(batch()).mean() + reg.penalty()
    by_hand = model(batch()).mean() + squares(model[0].weight, model[2].weight)
    assert_same_loss_and_gradients(model, loss, by_hand)


KNOWN = [pruned, pruned_in_rounds, normed, spectral, parametrized]


@pytest.mark.parametrize("change", [*KNOWN, equalized])
def test_a_weight_that_is_computed_after_attaching_is_penalised_as_the_forward_uses_it(change):
    model = mlp()
    reg = kernels(model, SQUARES)
    model(batch())
    reg.penalty().backward()
    model.zero_grad()
    change(model[0])
    check(model, reg)


@pytest.mark.parametrize("change", KNOWN)
def test_a_weight_that_is_computed_before_attaching_is_one_site(change):
    model = mlp()
    change(model[0])
    reg = kernels(model, SQUARES)
    check(model, reg)
    assert list(reg.penalties()) == ["0.weight/kernel/L2Squared", "2.weight/kernel/L2Squared"]


@pytest.mark.parametrize("change", KNOWN)
def test_what_is_computed_is_read_as_the_parameters_are_now(change):
    """Though the forward left the tensor of an earlier step."""
    model = mlp().eval()  # in which a spectral norm stands still
    change(model[0])
    reg = kernels(model, SQUARES)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(3):
        optimizer.zero_grad()
        loss = reg.penalty() + model(batch()).square().mean()  # collected before the forward
        loss.backward()
        by_hand = squares(model[0].weight, model[2].weight) + model(batch()).square().mean()
        torch.testing.assert_close(loss, by_hand)
        optimizer.step()


def test_what_an_unknown_hook_computes_must_be_of_the_last_parameters():
    model = mlp()
    reg = kernels(model, SQUARES)
    equalized(model[0])
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    (model(batch()).mean() + reg.penalty()).backward()
    optimizer.step()
    with pytest.raises(RegimeError, match=r"0\.weight: a forward pre-hook .* after the forward"):
        reg.penalty()
    output = model(batch()).mean()
    torch.testing.assert_close(reg.penalty(), squares(model[0].weight, model[2].weight))
    output.backward()


def test_what_an_unknown_hook_computed_without_gradients_raises():
    model = mlp()
    reg = kernels(model, SQUARES)
    equalized(model[0])
    with torch.no_grad():
        model(batch())
    with pytest.raises(RegimeError, match=r"0\.weight: .* after a forward in training mode"):
        reg.penalty()
    with torch.no_grad():
        assert total(reg) == pytest.approx(squares(model[0].weight, model[2].weight).item())


def test_a_part_that_an_unknown_hook_turned_out_to_use_raises():
    model = mlp()
    equalized(model[0])
    reg = kernels(model, SQUARES)  # no forward has shown yet what the parameter is for
    model(batch())
    with pytest.raises(SelectionError, match=r"'0\.weight_orig' is only a part of its kernel"):
        reg.penalty()


def test_a_weight_that_is_gone_raises():
    model = mlp()
    reg = kernels(model, SQUARES)
    del model[0]._parameters["weight"]
    with pytest.raises(RegimeError, match=r"0\.weight: Linear has no such weight any more"):
        reg.penalty()


def test_pruning_made_permanent_is_followed():
    model = mlp()
    reg = kernels(model, SQUARES)
    pruned(model[0])
    prune.remove(model[0], "weight")
    torch.testing.assert_close(reg.penalty(), squares(model[0].weight, model[2].weight))


def added(model: nn.Sequential) -> None:
    model.append(nn.Linear(2, 3).double())


def added_within(model: nn.Sequential) -> None:
    model[0].adapter = nn.Linear(4, 2).double()


def added_bias(model: nn.Sequential) -> None:
    model[0].bias = nn.Parameter(torch.ones(5, dtype=torch.float64))


@pytest.mark.parametrize("add", [added, added_within])
def test_weights_that_are_added_later_join(add):
    model = mlp()
    reg = kernels(model, SQUARES)
    before = reg.penalty()
    add(model)
    model(batch())
    linears = [module for module in model.modules() if isinstance(module, nn.Linear)]
    assert len(linears) == 3
    torch.testing.assert_close(reg.penalty(), squares(*[linear.weight for linear in linears]))
    assert reg.penalty() > before
    assert len(reg.penalties()) == 3


def test_a_bias_that_is_added_later_joins():
    model = mlp()
    model[0].bias = None
    reg = rz.Regularization(model, [rz.bias(SQUARES)])
    torch.testing.assert_close(reg.penalty(), squares(model[2].bias))
    added_bias(model)
    torch.testing.assert_close(reg.penalty(), squares(model[0].bias, model[2].bias))


def test_outputs_that_are_added_later_join_before_they_are_computed():
    model = mlp()
    reg = rz.Regularization(model, [rz.activity(rz.L1(1.0), where=nn.Tanh)])
    model(batch())
    reg.penalty()
    model.append(nn.Tanh())
    twin, x = copy.deepcopy(model), batch()
    inner = twin[1](twin[0](x))
    last = twin[3](twin[2](inner))
    model(x)
    torch.testing.assert_close(reg.penalty(), (inner.abs().sum() + last.abs().sum()) / len(x))
    assert list(reg.penalties()) == ["1/activity/L1", "3/activity/L1"]


def test_injected_outputs_that_are_added_later_join():
    model = mlp()
    reg = rz.Regularization(model, [rz.activity(rz.L1(1.0), where=nn.Tanh)], delivery="inject")
    reg.scale_from(model(batch()).mean()).backward()
    model.zero_grad()
    model.append(nn.Tanh())
    twin = copy.deepcopy(model)
    reg.scale_from(model(batch()).mean()).backward()
    inner = twin[1](twin[0](batch()))
    last = twin[3](twin[2](inner))
    (last.mean() + (inner.abs().sum() + last.abs().sum()) / len(batch())).backward()
    for mine, theirs in zip(model.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(mine.grad, theirs.grad)


def test_what_is_added_later_stands_where_the_schedule_does():
    model = mlp()
    reg = kernels(model, rz.L2Squared(rz.LinearWarmup(1.0, steps=4)))
    reg.step()
    reg.step()
    added(model)
    reg.penalty()
    assert dict(reg.strengths) == dict.fromkeys(reg.strengths, 0.5)
    reg.step()
    assert dict(reg.strengths) == dict.fromkeys(reg.strengths, 0.75)
    assert len(reg.strengths) == 3


def test_a_module_taken_away_raises():
    model = mlp()
    reg = kernels(model, SQUARES)
    del model[2]
    with pytest.raises(CollectionError, match="2 was replaced"):
        reg.penalty()


def test_frozen_and_thawed_weights_count_as_they_are_now():
    model = mlp()
    model[2].requires_grad_(False)
    reg = kernels(model, SQUARES)
    torch.testing.assert_close(reg.penalty(), squares(model[0].weight))
    model[2].requires_grad_(True)
    torch.testing.assert_close(reg.penalty(), squares(model[0].weight, model[2].weight))
    model[0].requires_grad_(False)
    torch.testing.assert_close(reg.penalty(), squares(model[2].weight))


def test_a_complex_weight_raises_by_its_name():
    with pytest.raises(ArrayTypeError, match=r"weight: expected a weight of a real .*complex64"):
        kernels(nn.Linear(3, 2, dtype=torch.cfloat))


def test_a_weight_that_becomes_complex_raises_by_its_name():
    model = nn.Linear(3, 2)
    reg = kernels(model, SQUARES)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        model.to(torch.cfloat)
    with pytest.raises(ArrayTypeError, match=r"weight: expected a weight of a real .*complex64"):
        reg.penalty()


def test_two_tied_weights_of_which_one_is_pruned_are_two():
    model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    model[1].weight = model[0].weight
    reg = kernels(model, SQUARES)
    pruned(model[1])
    torch.testing.assert_close(reg.penalty(), squares(model[0].weight, model[1].weight))


def test_two_pruned_weights_of_one_module_are_two():
    model = nn.RNN(3, 2).double()
    reg = kernels(model, SQUARES)
    for name in ("weight_ih_l0", "weight_hh_l0"):
        prune.l1_unstructured(model, name, amount=0.3)
    torch.testing.assert_close(reg.penalty(), squares(model.weight_ih_l0, model.weight_hh_l0))


class Mixing(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Parameter(torch.ones(2, 2))


def test_a_weight_that_is_added_to_a_module_joins():
    model = Mixing()
    reg = rz.Regularization(model, [rz.kernel(SQUARES)], roles={Mixing: "kernel"})
    torch.testing.assert_close(reg.penalty(), squares(model.first))
    model.second = nn.Parameter(torch.full((3, 2), 2.0))
    torch.testing.assert_close(reg.penalty(), squares(model.first, model.second))


# within the step


def step_by_hand(model: nn.Module, penalty: Tensor, lr: float = 1.0) -> dict[str, Tensor]:
    """Return every parameter after a step of gradient descent on the penalty alone."""
    names, parameters = zip(*model.named_parameters(), strict=True)
    slopes = torch.autograd.grad(penalty, parameters, allow_unused=True)
    return {
        name: parameter.detach() - lr * (0 if slope is None else slope)
        for name, parameter, slope in zip(names, parameters, slopes, strict=True)
    }


def step(model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    optimizer.zero_grad()
    (0 * model(batch())).sum().backward()
    optimizer.step()


PENALTIES = [rz.L1(0.1), rz.L2Squared(0.1), rz.GroupLasso(0.1, axis=0), rz.Orthogonal(0.1)]


@pytest.mark.parametrize("penalty", PENALTIES, ids=repr)
@pytest.mark.parametrize("change", [pruned, pruned_in_rounds])
def test_a_step_penalises_the_pruned_weight(change, penalty):
    model = mlp()
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    kernels(model, penalty).attach(optimizer)
    step(model, optimizer)
    change(model[0])
    for _ in range(2):
        model(batch())
        expected = step_by_hand(model, penalty(model[0].weight) + penalty(model[2].weight))
        step(model, optimizer)
        for name, parameter in model.named_parameters():
            torch.testing.assert_close(parameter.detach(), expected[name], msg=name)


def test_a_step_of_a_weight_pruned_before_attaching():
    model = mlp()
    pruned(model[0])
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    kernels(model, rz.L1(0.1)).attach(optimizer)
    model(batch())
    expected = step_by_hand(
        model, 0.1 * (model[0].weight.abs().sum() + model[2].weight.abs().sum())
    )
    step(model, optimizer)
    torch.testing.assert_close(model[0].weight_orig.detach(), expected["0.weight_orig"])


def test_a_step_of_a_pruned_weight_under_a_grad_scaler():
    """A fused optimizer unscales the gradients within its step."""
    model = mlp().float()
    pruned(model[0])
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0, fused=True)
    kernels(model, rz.L1(0.1)).attach(optimizer)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**10)
    model(batch().float())
    expected = step_by_hand(
        model, 0.1 * (model[0].weight.abs().sum() + model[2].weight.abs().sum())
    )
    scaler.scale((0 * model(batch().float())).sum()).backward()
    scaler.step(optimizer)
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(parameter.detach(), expected[name], msg=name)


def test_a_step_that_maximises_penalises_the_pruned_weight_all_the_same():
    model = mlp()
    pruned(model[0])
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0, maximize=True)
    kernels(model, SQUARES, where="0").attach(optimizer)
    model(batch())
    expected = step_by_hand(model, squares(model[0].weight))
    step(model, optimizer)
    torch.testing.assert_close(model[0].weight_orig.detach(), expected["0.weight_orig"])


@pytest.mark.parametrize("penalty", [rz.L1(0.1), rz.GroupLasso(0.3, axis=0)], ids=repr)
def test_a_proximal_step_shrinks_what_is_not_pruned_alone(penalty):
    model = mlp()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    kernels(model, penalty, proximal=True).attach(optimizer)
    pruned(model[0])
    model(batch())
    mask, before = model[0].weight_mask.bool(), model[0].weight_orig.detach().clone()
    shrunk = penalty.prox(model[0].weight.detach(), step=0.5)
    step(model, optimizer)
    assert not mask.all()
    torch.testing.assert_close(model[0].weight_orig.detach(), torch.where(mask, shrunk, before))


def test_a_mask_of_other_numbers_has_no_proximal_step():
    model = mlp()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    kernels(model, rz.L1(0.1), proximal=True).attach(optimizer)
    prune.custom_from_mask(model[0], "weight", torch.full((5, 4), 0.5, dtype=torch.float64))
    model(batch()).mean().backward()
    with pytest.raises(RegimeError, match=r"0\.weight: .* pruning mask has values other than"):
        optimizer.step()


def test_a_mask_that_becomes_one_of_other_numbers_has_no_proximal_step():
    model = mlp()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    kernels(model, rz.L1(0.1), proximal=True).attach(optimizer)
    pruned(model[0])
    step(model, optimizer)
    prune.custom_from_mask(model[0], "weight", torch.full((5, 4), 0.5, dtype=torch.float64))
    model(batch()).mean().backward()
    with pytest.raises(RegimeError, match=r"0\.weight: .* pruning mask has values other than"):
        optimizer.step()


@pytest.mark.parametrize("change", [normed, spectral, parametrized, equalized])
def test_a_step_of_a_weight_computed_otherwise_raises(change):
    model = mlp()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    kernels(model, SQUARES).attach(optimizer)
    change(model[0])
    model(batch()).mean().backward()
    with pytest.raises(RegimeError, match=r"0\.weight is computed from other parameters"):
        optimizer.step()


def test_a_weight_added_later_joins_the_steps_once_the_optimizer_holds_it():
    model = mlp()
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    reg = kernels(model, rz.L2Squared(0.05))
    reg.attach(optimizer)
    step(model, optimizer)
    added(model)
    model(batch()).mean().backward()
    with pytest.raises(SelectionError, match=r"not held by SGD: 3\.weight"):
        optimizer.step()
    optimizer.add_param_group({"params": list(model[3].parameters())})
    before = model[3].weight.detach().clone()
    step(model, optimizer)
    torch.testing.assert_close(model[3].weight.detach(), 0.9 * before)
    assert len(reg.penalties()) == 3


def test_frozen_and_thawed_weights_in_the_step():
    model = mlp()
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    kernels(model, rz.L2Squared(0.05)).attach(optimizer)
    for frozen, thawed in ((0, 2), (2, 0)):
        model[frozen].requires_grad_(False)
        model[thawed].requires_grad_(True)
        before = [model[n].weight.detach().clone() for n in (frozen, thawed)]
        step(model, optimizer)
        torch.testing.assert_close(model[frozen].weight.detach(), before[0])
        torch.testing.assert_close(model[thawed].weight.detach(), 0.9 * before[1])


def test_a_parametrization_registered_later_in_the_loss():
    model = mlp()
    reg = kernels(model, SQUARES)
    parametrize.register_parametrization(model[0], "weight", nn.Tanh())
    check(model, reg)
