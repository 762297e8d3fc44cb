"""The optimizers of `schedulefree`: exact by themselves, refused around another."""

import pytest
from torch.optim import SGD

import regularizers as rz
from integrations.stepping import assert_exact, attached, network
from regularizers.errors import RegimeError

schedulefree = pytest.importorskip("schedulefree")

KINDS = ["SGDScheduleFree", "AdamWScheduleFree", "RAdamScheduleFree", "AdamWScheduleFreePaper"]
CLOSURE_KINDS = ["SGDScheduleFreeClosure", "AdamWScheduleFreeClosure", "RAdamScheduleFreeClosure"]


def made(name: str):
    def make(parameters):
        optimizer = getattr(schedulefree, name)(parameters, lr=0.05)
        getattr(optimizer, "train", lambda: None)()
        return optimizer

    return make


@pytest.mark.parametrize("way", ["plain", "closure"])
@pytest.mark.parametrize("name", KINDS)
def test_ten_steps_equal_those_with_the_penalty_in_the_loss(name, way):
    assert_exact(made(name), way)


@pytest.mark.parametrize("name", CLOSURE_KINDS)
def test_those_that_exchange_the_weights_around_their_closure(name):
    assert_exact(made(name), "closure")


@pytest.mark.parametrize("name", KINDS)
def test_proximal_rules_and_constraints(name):
    model = network()
    optimizer = made(name)(model.parameters())
    full = rf"schedulefree\.\w+\.{name}"
    with pytest.raises(RegimeError, match=rf"got {full}; use one of these"):
        attached(model, optimizer, proximal=True)
    reg = rz.Regularization(model, [rz.constraint(rz.UnitNorm(axis="input"), where="0")])
    with pytest.raises(RegimeError, match=rf"{full} evaluates other weights than it trains"):
        reg.attach(optimizer)


@pytest.mark.parametrize("name", ["ScheduleFreeWrapper", "ScheduleFreeWrapperReference"])
def test_wrappers(name):
    model = network()
    kind = getattr(schedulefree, name)
    optimizer = kind(SGD(model.parameters(), lr=0.05), momentum=0.9)
    with pytest.raises(RegimeError, match=rf"schedulefree\.\w+\.{name} exchanges the weights"):
        attached(model, optimizer)
