"""Regimes in which the forward of a block is run again in the backward pass."""

import functools
from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import (
    checkpoint,
    create_selective_checkpoint_contexts,
    set_checkpoint_early_stop,
)

from matrix.inplace import CHANGES
from matrix.judge import Regime, Step, backward
from matrix.methods import Method
from matrix.network import Net, activity_loss, batches, build, explicit, task
from matrix.penalties import Case
from matrix.training import Run, in_place, in_place_perhaps, reentrant, training


def non_reentrant(block: nn.Module, x: Tensor) -> Tensor:
    return checkpoint(block, x, use_reentrant=False)


def without_early_stop(block: nn.Module, x: Tensor) -> Tensor:
    with set_checkpoint_early_stop(False):
        return non_reentrant(block, x)


def by_reentering(block: nn.Module, x: Tensor) -> Tensor:
    return checkpoint(block, x, use_reentrant=True)


def nested(block: nn.Module, x: Tensor) -> Tensor:
    return checkpoint(lambda y: non_reentrant(block, y), x, use_reentrant=False)


def reentering_within(block: nn.Module, x: Tensor) -> Tensor:
    return checkpoint(lambda y: by_reentering(block, y), x, use_reentrant=False)


def selectively(block: nn.Module, x: Tensor) -> Tensor:
    """Keep what matrix products put out, and compute the rest again."""
    kept = [torch.ops.aten.addmm.default]
    context = functools.partial(create_selective_checkpoint_contexts, kept)
    return checkpoint(block, x, use_reentrant=False, context_fn=context)


def whole(model: Net) -> Run:
    return lambda x: checkpoint(model, x, use_reentrant=False)


def whole_by_reentering(model: Net) -> Run:
    return lambda x: checkpoint(model, x.requires_grad_(), use_reentrant=True)


def teacher(method: Method, case: Case) -> Iterator[Step]:
    """The model's own output without gradients is the target of its checkpointed forward."""
    model, twin = build(call=non_reentrant)
    attached = method.attach(model, case)
    for x in batches():
        attached.begin()
        with torch.no_grad():
            target = model(x + 1) + 1
        loss = attached.loss(task(model(x) - target))
        shift = (explicit(twin, x + 1)[0] + 1).detach()
        by_hand = activity_loss(twin, x, case) - task(explicit(twin, x)[0])
        by_hand = by_hand + task(explicit(twin, x)[0] - shift)
        yield Step(backward(method, model, loss), backward(method, twin, by_hand))


# where nothing is saved after it, early stop never comes to the operation in place
_KINDS = {
    "checkpoint": (non_reentrant, in_place_perhaps),
    "checkpoint without early stop": (without_early_stop, in_place),
    "reentrant checkpoint": (by_reentering, reentrant),
}

REGIMES = [
    Regime("checkpoint", training(call=non_reentrant)),
    Regime("checkpoint without early stop", training(call=without_early_stop)),
    Regime("reentrant checkpoint", training(call=by_reentering), must=reentrant),
    Regime("checkpoint of the whole model", training(prepare=whole)),
    Regime(
        "reentrant checkpoint of the whole model",
        training(prepare=whole_by_reentering),
        must=reentrant,
    ),
    Regime("checkpoint within a checkpoint", training(call=nested)),
    Regime(
        "reentrant checkpoint within a checkpoint",
        training(call=reentering_within),
        must=reentrant,
    ),
    Regime("selective checkpoint", training(call=selectively)),
    *[
        Regime(f"{kind}, {name}", training(call=call, after=after), must=must, copies=True)
        for kind, (call, must) in _KINDS.items()
        for name, after in CHANGES.items()
    ],
    Regime("checkpoint, Sigmoid producer", training(call=non_reentrant, site="sigmoid")),
    Regime("checkpoint, view output", training(call=non_reentrant, site="view")),
    Regime("checkpoint, module called three times", training(call=non_reentrant, repeats=3)),
    Regime("teacher under no_grad, checkpointed student", teacher),
]
