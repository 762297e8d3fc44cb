"""What a type checker infers of the public face; mypy reads this file, and nothing runs it."""

from typing import assert_type

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

import regularizers as rz

PENALTY = rz.L1(0.1) + 2 * rz.L2Squared(0.1)


def on_tensors(x: Tensor, grads: Tensor, mask: Tensor) -> None:
    assert_type(rz.L1(0.1)(x), Tensor)
    assert_type(rz.TAR(1.0, time_axis=1)(x, mask=mask), Tensor)
    assert_type(PENALTY(x), Tensor)
    assert_type(PENALTY.gradient(x), Tensor)
    assert_type(PENALTY.value_and_gradient(x, mask=mask), tuple[Tensor, Tensor])
    assert_type(PENALTY.apply(x, grads), Tensor)
    assert_type(PENALTY.prox(x, step=0.1), Tensor)


def on_numpy_arrays(x: npt.NDArray[np.float32], grads: npt.NDArray[np.float32]) -> None:
    assert_type(rz.L1(0.1)(x), npt.NDArray[np.float32])
    assert_type(PENALTY.gradient(x), npt.NDArray[np.float32])
    assert_type(PENALTY.apply(x, grads), npt.NDArray[np.float32])
    assert_type(PENALTY.prox(x, step=0.1), npt.NDArray[np.float32])


def on_models(model: nn.Module, optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
    rules = [rz.activity(rz.L1(0.1), where="act"), rz.ar(2.0, "drop"), rz.tar(1.0, "rnn")]
    assert_type(rules, list[rz.Rule])
    with rz.Regularization(model, rules) as reg:
        assert_type(reg, rz.Regularization)
        assert_type(reg.penalty(), Tensor)
        assert_type(reg.scale_from(loss), Tensor)
        assert_type(reg.penalties(), dict[str, float])
        assert_type(reg.as_dict(), dict[str, float])
        assert_type(reg.strengths["act/activity/L1"], float)
        assert_type(reg.report(), rz.Report)
        reg.attach(optimizer)
    with rz.Monitor(model, "act") as monitor:
        assert_type(monitor, rz.Monitor)
        assert_type(monitor.as_dict(), dict[str, float])
    assert_type(rz.regularize(nn.Linear(2, 1), kernel_regularizer=PENALTY), nn.Linear)
    assert_type(rz.zeros(model), rz.Zeros)
    assert_type(rz.prune_zeros(model, where=nn.Linear).total, float)
    assert_type(rz.compact(nn.Sequential(nn.Linear(2, 1))), nn.Sequential)


def on_constraints(model: nn.Module, x: Tensor) -> None:
    assert_type(rz.UnitNorm(axis="input").project(x), Tensor)
    rules = [rz.kernel(PENALTY), rz.constraint(rz.MaxNorm(1.0, axis=0))]
    rz.Regularization(model, rules)


def on_errors() -> type[Exception]:
    assert_type(rz.SelectionError, type[rz.errors.SelectionError])
    return rz.RegularizersError
