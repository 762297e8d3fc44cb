"""The cases: one site of each kind, in a warm step."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

import regularizers as rz

Step = Callable[[], object]
WIDTH, BATCH, TIME = 16, 8, 7


def collect(penalty: rz.Penalty) -> Step:
    """Return a forward, `penalty()` and a backward of a linear layer."""
    model, x = _linear(), torch.randn(BATCH, WIDTH)
    reg = rz.Regularization(model, [rz.activity(penalty, where="0")])
    return lambda: (model(x).sum() + reg.penalty()).backward()


def inject(penalty: rz.Penalty) -> Step:
    """Return a forward, `scale_from` and a backward of a linear layer."""
    model, x = _linear(), torch.randn(BATCH, WIDTH)
    reg = rz.Regularization(model, [rz.activity(penalty, where="0")], delivery="inject")
    return lambda: reg.scale_from(model(x).sum()).backward()


def tar() -> Step:
    """Return a forward, `penalty()` and a backward of an LSTM with TAR on its output."""
    model, x = nn.Sequential(nn.LSTM(WIDTH, WIDTH)), torch.randn(TIME, BATCH, WIDTH)
    reg = rz.Regularization(model, [rz.tar(1.0, where="0")])
    return lambda: (model(x)[0].sum() + reg.penalty()).backward()


def target() -> Step:
    """Return a forward, `penalty()`, a backward and `step()` of a target at a ReLU."""
    model, x = nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.ReLU()), torch.randn(BATCH, WIDTH)
    reg = rz.Regularization(model, [rz.activity(rz.L1(rz.TargetActive(5)), where="1")])

    def step() -> None:
        (model(x).sum() + reg.penalty()).backward()
        reg.step()

    return step


def monitor() -> Step:
    """Return a forward of a linear layer that a Monitor reads."""
    model, x = _linear(), torch.randn(BATCH, WIDTH)
    reader = rz.Monitor(model, where="0")
    return lambda: (model(x), reader)  # which reads for as long as it is kept


def attached() -> Step:
    """Return a step of SGD that adds the gradient of a penalty on a kernel."""
    model = _linear()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    rz.Regularization(model, [rz.kernel(rz.L2Squared(1e-3))]).attach(optimizer)
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    return optimizer.step


CASES: dict[str, Callable[[], Step]] = {
    "collect L1": lambda: collect(rz.L1(1e-3)),
    "collect L2Norm": lambda: collect(rz.L2Norm(1e-3)),
    "collect TAR of an LSTM": tar,
    "inject L1": lambda: inject(rz.L1(1e-3)),
    "a target, with its step": target,
    "a Monitor's reading": monitor,
    "attach, a step of SGD": attached,
}
"""The functions that make the steps, by name in the table."""


def _linear() -> nn.Sequential:
    return nn.Sequential(nn.Linear(WIDTH, WIDTH))
