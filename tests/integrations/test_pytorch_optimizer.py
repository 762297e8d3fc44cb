"""The optimizers of `pytorch_optimizer`: exact within the step, or refused by their full names."""

import pytest
import torch
from torch import Tensor
from torch.optim import SGD

import regularizers as rz
from integrations.stepping import assert_exact, attached, network, run, task
from regularizers.errors import RegimeError

po = pytest.importorskip("pytorch_optimizer")

EXACT = ["adabelief", "adan", "came", "lion", "yogi", "ranger", "schedulefreeadamw", "sgdp"]


def made(name: str):
    return lambda parameters: po.load_optimizer(name)(parameters, lr=0.05)


@pytest.mark.parametrize("way", ["plain", "closure"])
@pytest.mark.parametrize("name", EXACT)
def test_ten_steps_equal_those_with_the_penalty_in_the_loss(name, way):
    assert_exact(made(name), way)


DECAY = 2.0**-4

AROUND = {
    "SAM": (lambda groups: po.SAM(groups, SGD, lr=0.05), "gradients, then closure"),
    "LookSAM": (lambda groups: po.LookSAM(groups, SGD, lr=0.05), "gradients, then closure"),
    "FriendlySAM": (lambda groups: po.FriendlySAM(groups, SGD, lr=0.05), "gradients, then closure"),
    "Lookahead": (lambda groups: po.Lookahead(SGD(groups, lr=0.05)), "plain"),
    "OrthoGrad": (lambda groups: po.OrthoGrad(SGD(groups, lr=0.05)), "plain"),
}


@pytest.mark.parametrize(("make", "way"), AROUND.values(), ids=AROUND)
def test_around_another_it_is_that_ones_own_weight_decay(make, way):
    def steps(decay: float, *rules: object) -> Tensor:
        model = network()
        groups = [
            {"params": [p for p in model.parameters() if p.ndim == n], "weight_decay": d}
            for n, d in ((2, decay), (1, 0.0))
        ]
        optimizer = make(groups)
        if rules:
            rz.Regularization(model, rules).attach(optimizer)
        return run(model, optimizer, lambda step: task(model, step), way)

    actual = steps(0.0, rz.kernel(rz.L2Squared(DECAY / 2)))
    torch.testing.assert_close(actual, steps(DECAY), rtol=1e-12, atol=1e-12)
    assert (actual - steps(0.0)).abs().max() > 1e-3


@pytest.mark.parametrize("name", ["alig", "emonavi", "emofact", "emolynx"])
def test_those_that_read_the_loss(name):
    model = network()
    optimizer = made(name)(list(model.parameters()))
    attached(model, optimizer)
    kind = type(optimizer).__name__
    with pytest.raises(RegimeError, match=rf"^attach: pytorch_optimizer\..*\.{kind}\.step reads"):
        run(model, optimizer, lambda step: task(model, step), "closure")


@pytest.mark.filterwarnings("ignore:Using backward.* with create_graph=True")
@pytest.mark.parametrize("name", ["adahessian", "sophiah"])
def test_those_of_the_hessian(name):
    model = network()
    optimizer = made(name)(list(model.parameters()))
    attached(model, optimizer)
    task(model, 0).backward(create_graph=True)
    with pytest.raises(RegimeError, match=rf"{type(optimizer).__name__} may differentiate them"):
        optimizer.step()


def test_a_schedule_free_wrapper():
    model = network()
    optimizer = po.ScheduleFreeWrapper(SGD(model.parameters(), lr=0.05))
    with pytest.raises(RegimeError, match=r"\.ScheduleFreeWrapper exchanges the weights"):
        attached(model, optimizer)
