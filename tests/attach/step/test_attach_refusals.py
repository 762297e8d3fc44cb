"""What `reg.attach` refuses, and that a refusal leaves everything as it was."""

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations

import regularizers as rz
from attach.helpers import mlp
from regularizers.errors import CollectionError, ConfigurationError, RegimeError, SelectionError

L1 = rz.L1(0.1)


def kernels(model: nn.Module, penalty: rz.Penalty = L1, **options) -> rz.Regularization:
    return rz.Regularization(model, [rz.kernel(penalty, **options)])


def refused(reg: rz.Regularization, *optimizers, error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        reg.attach(*optimizers)
    for optimizer in optimizers:
        assert not getattr(optimizer, "_optimizer_step_pre_hooks", None)
        assert not getattr(optimizer, "_optimizer_step_post_hooks", None)


def test_an_optimizer_that_holds_none_of_the_weights():
    stranger = torch.optim.SGD(mlp().parameters(), lr=0.1)
    refused(
        kernels(mlp()),
        stranger,
        error=SelectionError,
        match=r"2 of the penalised weights are trainable and not held by SGD: "
        r"0.weight, 2.weight; give every optimizer of the model, attach\(first, second\)",
    )


def test_an_optimizer_that_holds_only_some_of_the_weights():
    model = mlp()
    some = torch.optim.Adam(model[0].parameters())
    reg = kernels(model)
    refused(reg, some, error=SelectionError, match="1 of .* not held by Adam: 2.weight; give")
    assert reg.penalty().item() > 0  # still a term of the loss


def test_no_optimizer():
    refused(kernels(mlp()), error=ConfigurationError, match="one optimizer or more, got none")


@pytest.mark.parametrize("wrong", [None, 3, [torch.zeros(1)]])
def test_something_else_than_an_optimizer(wrong):
    refused(
        kernels(mlp()),
        wrong,
        error=ConfigurationError,
        match=rf"expected a torch.optim.Optimizer, or a wrapper .*, got {type(wrong).__name__}",
    )


def test_attaching_twice():
    model = mlp()
    reg = kernels(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    reg.attach(optimizer)
    with pytest.raises(RegimeError, match=r"attached already; .* attach\(first, second\)"):
        reg.attach(optimizer)
    assert len(optimizer._optimizer_step_pre_hooks) == 1


def test_no_weights_to_penalise():
    model = mlp()
    reg = rz.Regularization(model, [rz.activity(L1, where="1")])
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    refused(reg, optimizer, error=SelectionError, match="no rule is for kernels or biases")


def test_a_parametrized_weight():
    model = nn.Sequential(parametrizations.weight_norm(nn.Linear(2, 2)))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    refused(
        kernels(model),
        optimizer,
        error=RegimeError,
        match=r"0.weight is computed from other parameters, .* leave this rule in the loss",
    )


def test_an_optimizer_that_searches_along_the_loss():
    model = mlp()
    optimizer = torch.optim.LBFGS(model.parameters())
    refused(kernels(model), optimizer, error=RegimeError, match=r"LBFGS searches along the loss")


def test_a_differentiable_optimizer():
    model = mlp()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, differentiable=True)
    refused(kernels(model), optimizer, error=RegimeError, match="differentiable optimizer")


@pytest.mark.parametrize("kind", [torch.optim.NAdam, torch.optim.RMSprop, torch.optim.Adagrad])
def test_a_proximal_rule_on_an_optimizer_whose_steps_are_not_known(kind):
    model = mlp()
    refused(
        kernels(model, proximal=True),
        kind(model.parameters(), lr=0.1),
        error=RegimeError,
        match=rf"0.weight: its rule is proximal, .*SGD, Adam and AdamW, got "
        rf"torch\.optim\.{kind.__name__.lower()}\.{kind.__name__};",
    )


def test_a_proximal_rule_on_a_subclass_whose_steps_are_not_known():
    class Own(torch.optim.SGD):
        pass

    model = mlp()
    refused(
        kernels(model, proximal=True),
        Own(model.parameters(), lr=0.1),
        error=RegimeError,
        match=r"got .*test_attach_refusals\..*<locals>\.Own; use one of these",
    )


@pytest.mark.parametrize("missing", [True, False])
def test_a_proximal_rule_without_a_learning_rate(missing):
    model = mlp()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    if missing:
        del optimizer.param_groups[0]["lr"]
    else:
        optimizer.param_groups[0]["lr"] = None
    refused(
        kernels(model, proximal=True),
        optimizer,
        error=ConfigurationError,
        match="0.weight: .* needs the learning rate .* has no 'lr'",
    )


def test_a_proximal_rule_and_an_optimizer_that_maximises():
    model = mlp()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, maximize=True)
    refused(kernels(model, proximal=True), optimizer, error=RegimeError, match="maximises; negate")


def test_a_proximal_rule_in_the_loss():
    model = mlp()
    reg = kernels(model, proximal=True)
    with pytest.raises(RegimeError, match=r"0.weight: its rule is proximal, .* reg.attach"):
        reg.penalty()
    with torch.no_grad():
        assert reg.penalty().item() > 0


def test_a_penalty_without_a_proximal_form():
    with pytest.raises(ConfigurationError, match="proximal"):
        rz.kernel(rz.KLSparsity(0.1, target=0.5), proximal=True)


def test_two_proximal_rules_of_one_weight_that_do_not_go_together():
    model = mlp()
    rules = [rz.kernel(p, proximal=True) for p in (rz.L2Norm(0.1), rz.GroupLasso(0.1, axis=0))]
    reg = rz.Regularization(model, rules)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    refused(reg, optimizer, error=ConfigurationError, match="GroupLasso")


def test_a_scaler_that_the_optimizer_applies_itself():
    class Unscaling(torch.optim.SGD):
        def step(self, closure=None, *, grad_scaler=None):
            return super().step(closure)

    layer = nn.Linear(2, 1)
    optimizer = Unscaling(layer.parameters(), lr=0.1)
    kernels(layer).attach(optimizer)
    layer(torch.ones(1, 2)).sum().backward()
    with pytest.raises(RegimeError, match=r"Unscaling\.step is given a grad_scaler"):
        optimizer.step(grad_scaler=object())


def test_a_module_that_was_replaced_is_an_error_at_the_next_step():
    model = mlp()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    kernels(model).attach(optimizer)
    model[0] = nn.Linear(4, 5).double()
    with pytest.raises(CollectionError, match="0 was replaced after this Regularization"):
        optimizer.step()


def test_attaching_after_the_end():
    model = mlp()
    reg = kernels(model)
    reg.detach()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    refused(reg, optimizer, error=CollectionError, match="was detached from its model")
