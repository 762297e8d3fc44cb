"""Regimes of kernels: the same network, its weights penalised instead of its activities."""

import torch

from matrix.checkpointed import by_reentering, non_reentrant
from matrix.compiled import whole
from matrix.eager import asked, twice
from matrix.judge import Must, Regime
from matrix.methods import Method
from matrix.penalties import Case
from matrix.precision import bfloat16
from matrix.training import training
from matrix.transforms import func_grad_of_kernels, functional_with_kernels


def _inside(method: Method, case: Case) -> Must:
    return Must(words=("functional_call",))


REGIMES = [
    Regime("kernels, eager", training(kind="kernel")),
    Regime("kernels, shared weights", training(kind="kernel", tied=True)),
    Regime("kernels, retain_graph", training(kind="kernel", differentiate=twice)),
    Regime("kernels, torch.autograd.grad", training(kind="kernel", differentiate=asked)),
    Regime("kernels, checkpoint", training(kind="kernel", call=non_reentrant)),
    Regime("kernels, reentrant checkpoint", training(kind="kernel", call=by_reentering)),
    Regime("kernels, compile", training(kind="kernel", prepare=whole), compiles=True),
    Regime(
        "kernels, bfloat16 autocast",
        training(kind="kernel", around=bfloat16, dtype=torch.float32),
        tolerance=4e-2,
    ),
    Regime("kernels, functional_call", functional_with_kernels, must=_inside),
    Regime("kernels, torch.func.grad", func_grad_of_kernels, must=_inside),
]
