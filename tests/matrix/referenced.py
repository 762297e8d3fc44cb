"""Regimes of kernels that are measured from other weights, and by an importance of 0 and 1."""

from collections.abc import Callable, Iterator
from functools import partial

import torch
from torch import Tensor, nn
from torch.optim import SGD, Adam

import regularizers as rz
from matrix.checkpointed import non_reentrant
from matrix.judge import Must, Regime, Step, backward, says
from matrix.methods import Method, OurPenalty
from matrix.network import batches, build, explicit, kernels, task
from matrix.optimizers import Make, changes, made, plainly
from matrix.penalties import Case
from matrix.proximal import by_hand, where_there_is_one
from regularizers.penalties import is_elementwise

Named = dict[str, Tensor]


def starts(model: nn.Module) -> Named:
    """Return what every parameter is measured from."""
    generator = torch.Generator().manual_seed(7)
    return {
        name: torch.randn(p.shape, generator=generator, dtype=torch.float64)
        for name, p in model.named_parameters()
    }


def counted(model: nn.Module) -> Named:
    """Return which elements count, as an importance; penalties of 0 are 0, so others drop out."""
    return {name: (start > -0.5).double() for name, start in starts(model).items()}


def attached(method: Method, model: nn.Module, case: Case, *, by: bool, **options) -> OurPenalty:
    importance = counted(model) if by else None
    rule = rz.kernel(case.penalty, towards=starts(model), importance=importance, **options)
    return OurPenalty(rz.Regularization(model, [rule], delivery=method.delivery), method)


def measured(model: nn.Module, *, by: bool) -> list[Tensor]:
    """Return what is penalised of every kernel."""
    names = {id(p): name for name, p in model.named_parameters()}
    found = []
    for w in kernels(model):
        difference = w - starts(model)[names[id(w)]]
        found.append(difference * counted(model)[names[id(w)]] if by else difference)
    return found


def in_loss(*, by: bool, **network: object):
    """Return a loop of several steps with the penalty in the loss, or injected."""

    def steps(method: Method, case: Case) -> Iterator[Step]:
        model, twin = build(**network)
        ours = attached(method, model, case, by=by)
        for x in batches():
            actual = backward(method, model, ours.loss(task(model(x))))
            penalties = [case.formula(d) for d in measured(twin, by=by)]
            yield Step(actual, backward(method, twin, task(explicit(twin, x)[0]) + sum(penalties)))

    return steps


def in_step(make: Make, *, by: bool):
    """Return a loop of several steps of an optimizer that the penalty is attached to."""

    def steps(method: Method, case: Case) -> Iterator[Step]:
        model, twin = build()
        ours = attached(method, model, case, by=by)
        optimizer, plain = make(model), make(twin)
        ours.step_with(optimizer)
        for x in batches():

            def hand(x: Tensor = x) -> Tensor:
                penalties = [case.formula(d) for d in measured(twin, by=by)]
                return task(explicit(twin, x)[0]) + sum(penalties)

            step = partial(plainly, optimizer, lambda x=x: task(model(x)))
            actual = changes(model, step)
            yield Step(actual, changes(twin, partial(plainly, plain, hand)))
            twin.load_state_dict(model.state_dict())

    return steps


def shrinking(method: Method, case: Case) -> Iterator[Step]:
    """Take proximal steps of SGD towards other weights."""
    model, twin = build()
    ours = attached(method, model, case, by=False, proximal=True)
    optimizer, plain = SGD(model.parameters(), lr=0.1), SGD(twin.parameters(), lr=0.1)
    ours.step_with(optimizer)
    start = {id(p): starts(twin)[name] for name, p in twin.named_parameters()}
    for x in batches():
        plainly(optimizer, lambda x=x: task(model(x)))
        plainly(plain, lambda x=x: task(twin(x)))
        with torch.no_grad():
            for w in kernels(twin):
                w.copy_(start[id(w)] + by_hand(case.penalty, w - start[id(w)], 0.1))
        yield Step(
            *[{n: p.detach().clone() for n, p in m.named_parameters()} for m in (model, twin)]
        )


def sums_of_elements(method: Method, case: Case) -> Must:
    is_sum = all(is_elementwise(term) for term in case.penalty.terms)
    return Must() if is_sum else says("importance=", "sums over elements")


def has_a_slope_at_0(case: Case) -> bool:
    """Return whether autograd differentiates the plain formula where elements are left out."""
    return not (isinstance(case.penalty, rz.Lp) and case.penalty.p < 1)


def ours(method: Method) -> bool:
    return method.ours


BY_IMPORTANCE = {"must": sums_of_elements, "takes": has_a_slope_at_0}

_LOOPS: list[tuple[str, Callable, dict[str, object]]] = [
    ("towards", in_loss(by=False), {}),
    ("towards, shared weights", in_loss(by=False, tied=True), {}),
    ("towards, checkpoint", in_loss(by=False, call=non_reentrant), {}),
    ("towards, by importance", in_loss(by=True), BY_IMPORTANCE),
    ("step, towards, SGD", in_step(made(SGD, lr=0.01), by=False), {"in_step": True}),
    (
        "step, towards, by importance, Adam",
        in_step(made(Adam, lr=0.01), by=True),
        {"in_step": True, **BY_IMPORTANCE},
    ),
    ("proximal, towards, SGD", shrinking, {"in_step": True, "must": where_there_is_one}),
]

REGIMES = [Regime(name, steps, applies=ours, **options) for name, steps, options in _LOOPS]
