"""The training loop that most regimes are a variation of."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn

from matrix.judge import Must, Readings, Step, backward, exact, exact_or_says, says
from matrix.methods import Attached, Method
from matrix.network import Net, activity_loss, batches, build, kernel_loss, task
from matrix.penalties import Case

Run = Callable[[Tensor], Tensor]
Steps = Callable[[Method, Case], Iterator[Step]]
Gradients = Callable[[Method, nn.Module, Tensor], Readings]

IN_PLACE = ("blocks.1.site", "copy=True")
REENTRANT = ("blocks.0.site", 'delivery="inject"')


def as_it_is(model: Net) -> Run:
    return model


def training(
    *,
    prepare: Callable[[Net], Run] = as_it_is,
    around: Callable[[], AbstractContextManager] = nullcontext,
    differentiate: Gradients = backward,
    kind: str = "activity",
    dtype: torch.dtype = torch.float64,
    **network: object,
) -> Steps:
    """Return a loop of several steps.

    Args:
        prepare: from the model, penalties attached, to what is called.
        around: the context of forward and loss.
        differentiate: from the loss to the gradients.
        kind: activity or kernel.
        dtype: of the parameters and inputs.
        network: how the network is built.
    """
    loss_by_hand = activity_loss if kind == "activity" else kernel_loss

    def steps(method: Method, case: Case) -> Iterator[Step]:
        model, twin = build(dtype=dtype, **network)
        attached = method.attach(model, case, kind)
        run = prepare(model)
        for x in batches(dtype):
            attached.begin()
            with around():
                loss = attached.loss(task(run(x)))
            actual = differentiate(method, model, loss)
            yield Step(actual, differentiate(method, twin, loss_by_hand(twin, x, case)))

    return steps


def one_step(
    method: Method, case: Case, attached: Attached, model: Net, run: Run, twin: Net, x: Tensor
) -> Step:
    """Train one step with the penalty of activities."""
    attached.begin()
    actual = backward(method, model, attached.loss(task(run(x))))
    return Step(actual, backward(method, twin, activity_loss(twin, x, case)))


def step_without(method: Method, model: Net, run: Run, twin: Net, x: Tensor) -> Step:
    """Train one step on the task alone."""
    actual = backward(method, model, task(run(x)))
    return Step(actual, backward(method, twin, task(twin(x))))


def reads_the_input(method: Method, case: Case) -> bool:
    """Return whether an operation in place after the site takes from a penalty what it needs."""
    return case.saves_input and not method.copies and not method.injects


def in_place(method: Method, case: Case) -> Must:
    return says(*IN_PLACE) if reads_the_input(method, case) else Must()


def in_place_perhaps(method: Method, case: Case) -> Must:
    return exact_or_says(*IN_PLACE) if reads_the_input(method, case) else Must()


def reentrant(method: Method, case: Case) -> Must:
    return Must() if method.injects else says(*REENTRANT)


def inject_may_say(*words: str) -> Callable[[Method, Case], Must]:
    """Return an expectation: collected it is exact; injected it may say `words` instead."""
    return lambda method, case: exact_or_says(*words) if method.injects else exact(method, case)


def collect_may_say(*words: str) -> Callable[[Method, Case], Must]:
    """Return an expectation: injected it is exact; collected it may say `words` instead."""
    return lambda method, case: exact(method, case) if method.injects else exact_or_says(*words)
