"""What `reg.attach` refuses of constraints, and that a refusal leaves everything as it was."""

from dataclasses import dataclass

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, prune
from torch.optim import SGD

import regularizers as rz
from attach.helpers import mlp
from regularizers.errors import ConfigurationError, RegimeError, SelectionError

UNIT = rz.UnitNorm(axis=0)


def refused(
    model: nn.Module, *optimizers, error: type[Exception], match: str, constraint=UNIT
) -> None:
    reg = rz.Regularization(model, [rz.constraint(constraint)])
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    with pytest.raises(error, match=match):
        reg.attach(*optimizers)
    for name, p in model.named_parameters():
        assert torch.equal(p, before[name])
    for optimizer in optimizers:
        assert not optimizer._optimizer_step_pre_hooks
        assert not optimizer._optimizer_step_post_hooks
    with pytest.raises(ConfigurationError, match="none is attached"):
        reg.penalty()


def test_an_optimizer_that_does_not_hold_the_weight():
    model = mlp()
    refused(
        model,
        SGD(model[0].parameters(), lr=0.1),
        error=SelectionError,
        match=r"1 of the constrained weights are trainable and not held by SGD: 2\.weight; give",
    )


def test_a_parametrized_weight():
    model = nn.Sequential(nn.Linear(2, 2), parametrizations.weight_norm(nn.Linear(2, 2)))
    refused(
        model,
        SGD(model.parameters(), lr=0.1),
        error=RegimeError,
        match=r"1\.weight is computed from other parameters, so it cannot be projected to "
        r"UnitNorm\(0\)",
    )


def test_an_optimizer_that_searches_along_the_loss():
    model = mlp()
    optimizer = torch.optim.LBFGS(model.parameters())
    refused(model, optimizer, error=RegimeError, match="LBFGS searches along the loss")


def test_a_constraint_that_moves_what_is_pruned():
    model = mlp()
    prune.random_unstructured(model[2], "weight", amount=3)
    refused(
        model,
        SGD(model.parameters(), lr=0.1),
        error=RegimeError,
        match=r"2\.weight: Bounds\(0\.1, 0\.5\) moves elements that are pruned away from 0",
        constraint=rz.Bounds(0.1, 0.5),
    )


def test_a_mask_that_is_not_binary():
    model = nn.Sequential(nn.Linear(2, 2))
    prune.custom_from_mask(model[0], "weight", torch.tensor([[0.5, 1.0], [0.0, 1.0]]))
    refused(
        model,
        SGD(model.parameters(), lr=0.1),
        error=RegimeError,
        match=r"0\.weight: it is constrained, and its pruning mask has values other than 0 and 1",
    )


def test_a_constraint_of_ones_own_that_raises_at_the_second_weight():
    @dataclass(frozen=True)
    class Square(rz.Constraint):
        def projection(self, x, xp):
            if x.shape[0] != 5:
                raise ValueError("has 5 outputs only")
            return 0 * x

    model = mlp()
    refused(
        model,
        SGD(model.parameters(), lr=0.1),
        error=ValueError,
        match="has 5 outputs only",
        constraint=Square(),
    )


def test_a_cell_that_is_run_again_replaces_what_it_made_before():
    model = mlp()
    optimizer = SGD(model.parameters(), lr=0.1)
    first = rz.Regularization(model, [rz.constraint(UNIT)])
    first.attach(optimizer)
    second = rz.Regularization(model, [rz.constraint(UNIT)])
    with pytest.warns(UserWarning, match="replaces one with the same rules"):
        second.attach(optimizer)
    assert "detached" in repr(first)
    assert len(optimizer._optimizer_step_post_hooks) == 1


def test_only_weights_that_are_constrained_are_refused():
    model = nn.Sequential(nn.Linear(2, 2), parametrizations.weight_norm(nn.Linear(2, 2)))
    reg = rz.Regularization(model, [rz.constraint(UNIT, where="0")])
    reg.attach(SGD(model.parameters(), lr=0.1))
    torch.testing.assert_close(model[0].weight.norm(dim=1), torch.ones(2))
