"""Regimes of a model's life: evaluation, copies, failures, forwards nobody collects."""

import contextlib
import copy
import pickle
import warnings
from collections.abc import Callable, Iterator

import torch

from matrix.judge import Fault, Regime, Step, backward
from matrix.methods import Method
from matrix.network import Net, activity_loss, batch, batches, build, task
from matrix.penalties import Case
from matrix.training import Steps, one_step, step_without

HELD_AT_MOST = 32
"""Forwards; it is what `max_uncollected` is unless told."""


def evaluation(method: Method, case: Case) -> Iterator[Step]:
    """Evaluation with gradients comes between the steps; its loss is the task alone."""
    model, twin = build()
    attached = method.attach(model, case)
    for x in batches():
        yield one_step(method, case, attached, model, model, twin, x)
        model.eval()
        yield step_without(method, model, model, twin, x + 1)
        model.train()


def without_gradients(method: Method, case: Case) -> Iterator[Step]:
    """Forwards in training mode under no_grad come between a step's forward and its loss."""
    model, twin = build()
    attached = method.attach(model, case)
    for x in batches():
        attached.begin()
        output = model(x)
        with torch.no_grad():
            model(x + 1)
        actual = backward(method, model, attached.loss(task(output)))
        yield Step(actual, backward(method, twin, activity_loss(twin, x, case)))


def copied(copier: Callable[[Net], Net]) -> Steps:
    """Return a loop in which original and copy train side by side, copied after a forward."""

    def steps(method: Method, case: Case) -> Iterator[Step]:
        model, twin = build()
        attached = method.attach(model, case)
        attached.begin()
        pending = model(batch(9))
        other = copier(model)
        of_other = method.attach(other, case)
        actual = backward(method, model, attached.loss(task(pending)))
        yield Step(actual, backward(method, twin, activity_loss(twin, batch(9), case)))
        for x in batches():
            attached.begin()
            of_other.begin()
            outputs = model(x), other(x + 1)
            for net, penalty, output, inputs in (
                (model, attached, outputs[0], x),
                (other, of_other, outputs[1], x + 1),
            ):
                actual = backward(method, net, penalty.loss(task(output)))
                yield Step(actual, backward(method, twin, activity_loss(twin, inputs, case)))

    return steps


def _pickled(model: Net) -> Net:
    return pickle.loads(pickle.dumps(model))


def detached(method: Method, case: Case) -> Iterator[Step]:
    model, twin = build()
    attached = method.attach(model, case)
    for x in batches():
        yield one_step(method, case, attached, model, model, twin, x)
    attached.detach()
    for x in batches():
        yield step_without(method, model, model, twin, x)


def exception(method: Method, case: Case) -> Iterator[Step]:
    """A forward raises after its sites have fired; the steps after it are good."""
    model, twin = build()
    attached = method.attach(model, case)

    def refuse(*_: object) -> None:
        raise ValueError

    for x in batches():
        handle = model.head.register_forward_pre_hook(refuse)
        attached.begin()
        with contextlib.suppress(ValueError):
            model(x + 1)
        handle.remove()
        yield one_step(method, case, attached, model, model, twin, x)


def never_collected(context: Callable, warnings_allowed: int) -> Steps:
    """Return a loop after a thousand forwards that nobody collected."""

    def steps(method: Method, case: Case) -> Iterator[Step]:
        model, twin = build()
        attached = method.attach(model, case)
        x, sites = batch(0), len(model.blocks)
        bound = HELD_AT_MOST * sites * len(case.penalty.terms)
        with warnings.catch_warnings(record=True) as caught, context():
            warnings.simplefilter("always")
            for _ in range(1000):
                model(x)
                if attached.records() > bound:
                    raise Fault("pile up", f"more than {bound} records are held")
        if len(caught) > warnings_allowed:
            raise Fault("warn", f"{len(caught)} warnings")
        if warnings_allowed:
            attached.give_up()
        for x in batches():
            yield one_step(method, case, attached, model, model, twin, x)

    return steps


REGIMES = [
    Regime("evaluation between steps", evaluation),
    Regime("no_grad between forward and loss", without_gradients),
    Regime("deepcopy after a forward", copied(copy.deepcopy)),
    Regime("pickle after a forward", copied(_pickled)),
    Regime("detach after steps", detached),
    Regime("exception in the forward", exception),
    Regime("1000 forwards never collected", never_collected(contextlib.nullcontext, 1)),
    Regime("1000 forwards under no_grad", never_collected(torch.no_grad, 0)),
]
