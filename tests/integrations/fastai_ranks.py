"""Run by two processes, in which fastai's `distrib_ctx` trains on the CPU."""

import warnings
from functools import partial

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
from two_processes import run

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from fastai.callback.core import Callback, TrainEvalCallback
    from fastai.data.core import DataLoaders
    from fastai.data.load import DataLoader
    from fastai.distributed import DistributedDL
    from fastai.learner import Learner
    from fastai.optimizer import OptimWrapper

RULES = [rz.activity(rz.L1(ACTIVE), where="1"), rz.kernel(rz.L2Squared(SQUARES))]


class Regularizing(Callback):
    """As on the page."""

    order = -1

    def before_fit(self):
        self.reg = rz.Regularization(self.learn.model, RULES, process_group="world")

    def after_loss(self):
        if self.training:
            self.learn.loss_grad = self.learn.loss_grad + self.reg.penalty()

    def after_fit(self):
        self.reg.detach()


class OnCPU(DistributedDL):
    """Leaves indices on the CPU; fastai's own moves them to a GPU, for NCCL."""

    def _broadcast(self, indices, rank):
        indices = torch.tensor(indices)
        torch.distributed.broadcast(indices, rank)
        return indices.tolist()


def learner(kind):
    x, y = data()
    # fastai gives each process one half of the samples: here every other half of a batch
    order = torch.arange(len(x)).reshape(-1, 2, BATCH // 2).transpose(0, 1).flatten()
    loader = DataLoader(list(zip(x[order], y[order], strict=True)), bs=BATCH // 2)
    return Learner(
        DataLoaders(kind(loader), kind(loader)),
        network(),
        loss_func=nn.functional.mse_loss,
        opt_func=partial(OptimWrapper, opt=partial(torch.optim.SGD, momentum=MOMENTUM)),
        default_cbs=False,
        cbs=[TrainEvalCallback(), Regularizing()],
    )


def fitted(kind):
    learn = learner(kind)
    with learn.no_logging(), learn.distrib_ctx(cpu=True):
        learn.fit(EPOCHS, lr=RATE)
    return weights(learn.model)


def two_processes_are_the_loop_by_hand():
    found = fitted(OnCPU)
    torch.testing.assert_close(found, trained(), rtol=1e-12, atol=1e-12)
    without = trained(times=lambda step: 0.0)
    assert (found - without).abs().max() > 1e-3


def fastai_itself_needs_a_gpu():
    if not torch.cuda.is_available():
        with pytest.raises((AssertionError, RuntimeError), match=r"(?i)cuda|nvidia"):
            fitted(lambda loader: loader)


CHECKS = [two_processes_are_the_loop_by_hand, fastai_itself_needs_a_gpu]

if __name__ == "__main__":
    run(CHECKS)
