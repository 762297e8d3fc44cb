"""The callback of docs/integrations/fastai.md against a loop written by hand."""

import warnings
from functools import partial
from pathlib import Path

import pytest
import torch
from torch import nn

import regularizers as rz
from integrations.by_hand import (
    ACTIVE,
    BATCH,
    EPOCHS,
    MOMENTUM,
    RATE,
    SQUARES,
    data,
    network,
    trained,
    weights,
)
from regularizers.errors import ConfigurationError, SelectionError
from two_processes import assert_both_pass

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # fastai's own

pytest.importorskip("fastai")
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from fastai.callback.core import Callback, TrainEvalCallback
    from fastai.callback.training import GradientAccumulation
    from fastai.data.core import DataLoaders
    from fastai.data.load import DataLoader
    from fastai.learner import Learner, Recorder
    from fastai.optimizer import SGD, OptimWrapper


class Regularizing(Callback):
    """As on the page, with strengths that change and are kept, or an optimizer attached."""

    order = -1

    def __init__(self, rules, *, steps=False, attaches=False, state=None):
        self.rules, self.steps, self.attaches, self.state = rules, steps, attaches, state

    def before_fit(self):
        self.reg = rz.Regularization(self.learn.model, self.rules)
        if self.state is not None:
            self.reg.load_state_dict(self.state)
        if self.attaches:
            self.reg.attach(self.learn.opt)

    def after_loss(self):
        if self.training:
            self.learn.loss_grad = self.learn.loss_grad + self.reg.penalty()

    def after_step(self):
        if self.steps:
            self.reg.step()

    def after_fit(self):
        self.numbers, self.state = self.reg.as_dict(), self.reg.state_dict()
        self.reg.detach()


RULES = [rz.activity(rz.L1(ACTIVE), where="1"), rz.kernel(rz.L2Squared(SQUARES))]


def fitted(*callbacks, model=None, epochs=EPOCHS, opt=None, fits=1, dtype=torch.float64):
    x, y = [part.to(dtype) for part in data()]
    samples = list(zip(x, y, strict=True))
    loaders = DataLoaders(DataLoader(samples, bs=BATCH), DataLoader(samples, bs=BATCH))
    opt = opt or partial(OptimWrapper, opt=partial(torch.optim.SGD, momentum=MOMENTUM))
    learn = Learner(
        loaders,
        model or network(),
        loss_func=nn.functional.mse_loss,
        opt_func=opt,
        default_cbs=False,  # the Recorder averages losses in float32 only
        cbs=[TrainEvalCallback(), *([Recorder()] if dtype is torch.float32 else []), *callbacks],
    )
    with learn.no_logging():
        for _ in range(fits):
            learn.fit(epochs, lr=RATE, reset_opt=False)
    return learn


@pytest.mark.parametrize("accumulated", [1, 2, 4])
def test_training_equals_that_by_hand(accumulated):
    accumulation = GradientAccumulation(BATCH * accumulated) if accumulated > 1 else None
    learn = fitted(*[cb for cb in (Regularizing(RULES), accumulation) if cb])
    expected = trained(accumulated)
    torch.testing.assert_close(weights(learn.model), expected, rtol=1e-12, atol=1e-12)
    without = trained(accumulated, times=lambda step: 0.0)
    assert (expected - without).abs().max() > 1e-3


def test_kernels_within_the_step_of_the_optimizer_inside():
    learn = fitted(Regularizing(RULES, attaches=True))
    torch.testing.assert_close(weights(learn.model), trained(), rtol=1e-12, atol=1e-12)


def test_the_reported_loss_is_the_task_alone():
    x, y = [part.float() for part in data()]
    learn = fitted(Regularizing(RULES), model=network().float(), dtype=torch.float32)
    with torch.no_grad():
        expected = nn.functional.mse_loss(learn.model(x), y).item()
    _, valid = learn.recorder.values[-1]
    assert valid == pytest.approx(expected)


def test_a_second_fit_goes_on_with_the_strengths():
    warming = [
        rz.activity(rz.L1(rz.LinearWarmup(ACTIVE, steps=16)), where="1"),
        rz.kernel(rz.L2Squared(rz.LinearWarmup(SQUARES, steps=16))),
    ]
    whole = fitted(Regularizing(warming, steps=True))
    parts = fitted(Regularizing(warming, steps=True), epochs=1, fits=EPOCHS)
    assert torch.equal(weights(whole.model), weights(parts.model))
    by_hand = trained(times=lambda step: min(step / 16, 1.0))
    torch.testing.assert_close(weights(whole.model), by_hand, rtol=1e-12, atol=1e-12)


def test_a_rule_that_matches_nothing_raises_before_the_first_batch():
    model = network()
    before = weights(model)
    with pytest.raises(SelectionError, match="encoder"):
        fitted(Regularizing([rz.activity(rz.L1(1.0), where="encoder")]), model=model)
    assert torch.equal(weights(model), before)


def test_an_optimizer_of_fastai_cannot_be_attached():
    with pytest.raises(ConfigurationError, match=r"expected a torch\.optim\.Optimizer"):
        fitted(Regularizing(RULES, attaches=True), opt=SGD)


def test_two_processes_are_one():
    from integrations.fastai_ranks import CHECKS

    assert_both_pass(str(Path(__file__).with_name("fastai_ranks.py")), CHECKS)
