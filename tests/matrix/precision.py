"""Regimes of half precision, held against float64."""

import functools
from collections.abc import Iterator

import torch

import regularizers as rz
from matrix.checkpointed import non_reentrant
from matrix.judge import Regime, Step, gradients
from matrix.methods import Method
from matrix.network import activity_loss, batches, build, task
from matrix.penalties import Case
from matrix.training import training

float16 = functools.partial(torch.autocast, "cpu", dtype=torch.float16)
bfloat16 = functools.partial(torch.autocast, "cpu", dtype=torch.bfloat16)


def with_grad_scaler(method: Method, case: Case) -> Iterator[Step]:
    model, twin = build(dtype=torch.float32)
    attached = method.attach(model, case)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    scaler = torch.amp.GradScaler("cpu", init_scale=256.0)
    for x in batches(torch.float32):
        attached.begin()
        with float16():
            loss = attached.loss(task(model(x)))
        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)
        by_hand = activity_loss(twin, x, case)
        by_hand.backward()
        actual = gradients(model) | method.value_of(loss)
        yield Step(actual, gradients(twin) | method.value_of(by_hand))
        scaler.step(optimizer)
        scaler.update()


def of_sizes(case: Case) -> bool:
    """Return whether a penalty is of sizes, and its gradient not tiny where they are large.

    Around 400 float16 has lost most of a difference, and the gradients of LogSum and Hoyer, of 1e-4
    and 1e-6, are subnormal there: rounded as they should be, and lost in the layers before.
    """
    of_differences = (rz.Entropy, rz.ConfidencePenalty, rz.Decorrelation)
    return not isinstance(case.penalty, (*of_differences, rz.LogSum, rz.Hoyer))


REGIMES = [
    Regime("float16 with GradScaler", with_grad_scaler, tolerance=1e-2),
    Regime("bfloat16 autocast", training(around=bfloat16, dtype=torch.float32), tolerance=4e-2),
    Regime(
        "bfloat16 autocast, checkpoint",
        training(around=bfloat16, dtype=torch.float32, call=non_reentrant),
        tolerance=4e-2,
    ),
    Regime(
        "float16, squares overflow",
        training(around=float16, dtype=torch.float32, after="shrink", offset=400.0),
        tolerance=1e-2,
        takes=of_sizes,
    ),
    Regime("float32", training(dtype=torch.float32), tolerance=1e-5),
]
