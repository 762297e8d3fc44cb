"""Events between the steps of a training loop."""

from __future__ import annotations

import copy
from collections import defaultdict
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.utils import prune

import regularizers as rz
from fuzz.case import Event
from fuzz.models import with_weight
from fuzz.optimizers import optimizer_of, tell_of_changes
from fuzz.rules import changes
from fuzz.verdict import check

if TYPE_CHECKING:
    from fuzz.loop import Loop

HAS_PAUSED = hasattr(rz.Regularization, "paused")


class Saved(NamedTuple):
    """A checkpoint file."""

    model: dict[str, Any]
    optimizer: dict[str, Any]
    regs: list[dict[str, Any]]
    known: list[tuple[int, float]]


class Interrupted(Exception):  # noqa: N818 -- raised on purpose
    """The exception that a forward raises half way."""


def happen(loop: Loop, event: Event) -> None:
    """Let an event happen, to the model and where it changes the model to its twin."""
    _EVENTS[event.kind](loop, event)


def _no_grad(loop: Loop, event: Event) -> None:
    with torch.no_grad():
        loop.forward(loop.inputs(5))


def _evaluated(loop: Loop, event: Event) -> None:
    loop.model.eval()
    loop.forward(loop.inputs(5))
    loop.model.train()


def _collected_in_evaluation(loop: Loop, event: Event) -> None:
    """Log a validation loss with its penalty: of activities there is none."""
    loop.model.eval()
    loop.twin.copy_from(loop.model)
    with torch.no_grad():
        loop.forward(loop.inputs(5))
        for standing in loop.standing:
            before = dict(standing.log)
            expected = standing.expected(loop.twin, []).detach()
            if standing.spec.delivery == "inject":
                standing.reg.scale_from(torch.zeros(()))
            else:
                check("evaluation", {"": standing.reg.penalty()}, {"": expected}, loop.precision)
            weights = {key: v for key, v in standing.log.items() if key.count("/") == 1}
            standing.log = before | weights if before else {}
    loop.check_log()
    loop.model.train()


def _interrupted(loop: Loop, event: Event) -> None:
    def interrupt(module: Any, inputs: Any) -> None:
        raise Interrupted

    handle = loop.model.get_submodule(event.part).register_forward_pre_hook(interrupt)
    try:
        loop.forward(loop.inputs(5))
    except Interrupted:
        pass
    finally:
        handle.remove()


def _extra(loop: Loop, event: Event) -> None:
    """Run a forward of which only the penalty is used."""
    if len({standing.spec.delivery for standing in loop.standing}) > 1:
        return  # what one collects is an output that another injects into
    loop.match()
    x = loop.inputs(6)
    # a reentrant checkpoint passes no gradient where its input has none
    x.requires_grad_(any(part.checkpoint == "reentrant" for part in loop.case.parts))
    loop.kept.append(loop.forward(x))
    twin_x = x.detach().to(loop.twin.dtype).requires_grad_(x.requires_grad)
    loop.pending.append(loop.twin.forward(twin_x)[1])


def _direct(loop: Loop, event: Event) -> None:
    """Call a module outside of the model's forward."""
    if any(standing.spec.delivery == "inject" for standing in loop.standing):
        return
    loop.match()
    x = loop.inputs(7)
    with loop.masked():
        loop.kept.append(_called(loop.model.get_submodule(event.part), x.clone()))
    loop.twin.seen = seen = defaultdict(list)
    _called(loop.twin.model.get_submodule(event.part), x.to(loop.twin.dtype))
    loop.pending.append(seen)


def _called(module: Any, x: torch.Tensor) -> Any:
    return module(x, x, x) if isinstance(module, torch.nn.MultiheadAttention) else module(x)


def _paused(loop: Loop, event: Event) -> None:
    if not HAS_PAUSED:
        return
    with ExitStack() as stack:
        for standing in loop.standing:
            stack.enter_context(standing.reg.paused())
        out = loop.forward(loop.inputs(8))
        if out.requires_grad:
            out.float().sum().backward()


def _strength(loop: Loop, event: Event) -> None:
    factor = (0.0, 0.5, 2.0)[event.option % 3]
    if any(e.kind == "appended" for step in loop.case.steps for e in step.events):
        return  # what is added later has the strength of its rule
    for standing in loop.standing:
        if not changes(standing.spec):
            standing.multiply(factor)


def _deepcopied(loop: Loop, event: Event) -> None:
    """Go on with a copy, while the original lives on."""
    computed = [m for m in loop.model.modules() if isinstance(m.__dict__.get("weight"), Tensor)]
    if computed:  # PyTorch copies no tensor with a graph
        return
    loop.kept += [loop.model, loop.optimizer, *[standing.reg for standing in loop.standing]]
    original, loop.model = loop.model, copy.deepcopy(loop.model)
    loop.optimizer = optimizer_of(loop.case.optimizer, loop.model)
    loop.begin()
    loop.kept.append(original(loop.inputs(9)))


def _attached_again(loop: Loop, event: Event) -> None:
    for standing in loop.standing:
        standing.reg.detach()
    loop.begin()


def _detached(loop: Loop, event: Event) -> None:
    """Go on without any regularization."""
    for standing in loop.standing:
        standing.reg.detach()
    loop.standing = []


def _saved(loop: Loop, event: Event) -> None:
    loop.saved = Saved(
        copy.deepcopy(dict(loop.model.state_dict())),
        copy.deepcopy(loop.optimizer.state_dict()),
        [copy.deepcopy(standing.reg.state_dict()) for standing in loop.standing],
        [(standing.steps, standing.scale) for standing in loop.standing],
    )


def _loaded(loop: Loop, event: Event) -> None:
    """Load what was saved: into new objects as a script does that starts again, or in place."""
    if loop.saved is None:
        return
    if event.option:
        loop.kept += [loop.model, *[standing.reg for standing in loop.standing]]
        loop.model = loop.made()
        loop.optimizer = optimizer_of(loop.case.optimizer, loop.model)
        loop.begin()
    loop.model.load_state_dict(loop.saved.model)
    loop.optimizer.load_state_dict(copy.deepcopy(loop.saved.optimizer))
    for standing, state, known in zip(
        loop.standing, loop.saved.regs, loop.saved.known, strict=True
    ):
        standing.log = {}
        if event.option != 2:
            standing.reg.load_state_dict(copy.deepcopy(state))
            standing.steps, standing.scale = known
        elif standing.spec.attached:  # the optimizer's state may carry it, or a warning say so
            standing.steps = known[0]


def _pruned(loop: Loop, event: Event) -> None:
    if any(part.tied_to for part in loop.case.parts):
        return  # what is pruned at one of its places is not the same weight any more
    if not loop.model.carrier(event.part)._parameters.keys() & {"weight", "weight_orig"}:
        return
    for model in (loop.model, loop.twin.model):
        with_weight(model.carrier(event.part), "pruned", shift=event.option)


def _pruning_made_permanent(loop: Loop, event: Event) -> None:
    for model in (loop.model, loop.twin.model):
        carrier = model.carrier(event.part)
        if hasattr(carrier, "weight_mask"):
            prune.remove(carrier, "weight")


def _weight_changed(loop: Loop, event: Event) -> None:
    how = ("parametrized", "weight_norm", "hooked")[event.option % 3]
    is_tied = any(part.tied_to for part in loop.case.parts)
    if is_tied or "weight" not in loop.model.carrier(event.part)._parameters:
        return
    for model in (loop.model, loop.twin.model):
        with_weight(model.carrier(event.part), how)
    tell_of_changes(loop.optimizer, loop.model)


def _frozen(loop: Loop, event: Event) -> None:
    for model in (loop.model, loop.twin.model):
        model.get_submodule(event.part).requires_grad_(bool(event.option))


def _appended(loop: Loop, event: Event) -> None:
    for model in (loop.model, loop.twin.model):
        if not hasattr(model, "added"):
            model.append()
    loop.twin.follow()
    tell_of_changes(loop.optimizer, loop.model)


_EVENTS = {
    "no_grad": _no_grad,
    "evaluated": _evaluated,
    "collected_in_evaluation": _collected_in_evaluation,
    "interrupted": _interrupted,
    "paused": _paused,
    "strength": _strength,
    "deepcopied": _deepcopied,
    "attached_again": _attached_again,
    "detached": _detached,
    "saved": _saved,
    "loaded": _loaded,
    "pruned": _pruned,
    "unpruned": _pruning_made_permanent,
    "weight_changed": _weight_changed,
    "frozen": _frozen,
    "appended": _appended,
    "extra": _extra,
    "direct": _direct,
}
ORDER = tuple(_EVENTS)
"""What is recorded and waits for the step's collection comes last."""
