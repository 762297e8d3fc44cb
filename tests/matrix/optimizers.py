"""Regimes of `attach(optimizer)`: what a step changes, against the same optimizer and the loss."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn
from torch.optim import SGD, Adam, AdamW, Optimizer, RMSprop

from matrix.judge import Readings, Regime, Step
from matrix.methods import Method
from matrix.network import batches, build, explicit, kernels, task
from matrix.penalties import Case

Make = Callable[[nn.Module], Optimizer]
Update = Callable[[Optimizer, Callable[[], Tensor]], None]
"""One step of the optimizer, given what computes the loss."""


def made(kind: type[Optimizer], **options: object) -> Make:
    return lambda model: kind(model.parameters(), **options)


def plainly(optimizer: Optimizer, loss: Callable[[], Tensor]) -> None:
    optimizer.zero_grad()
    loss().backward()
    optimizer.step()


def by_closure(optimizer: Optimizer, loss: Callable[[], Tensor]) -> None:
    def closure() -> Tensor:
        optimizer.zero_grad()
        value = loss()
        value.backward()
        return value

    optimizer.step(closure)


def accumulated(optimizer: Optimizer, loss: Callable[[], Tensor]) -> None:
    optimizer.zero_grad()
    for _ in range(4):
        (loss() / 4).backward()
    optimizer.step()


def scaled(*, unscale: bool = False) -> Update:
    scaler = torch.amp.GradScaler("cpu", init_scale=64.0)

    def update(optimizer: Optimizer, loss: Callable[[], Tensor]) -> None:
        optimizer.zero_grad()
        scaler.scale(loss()).backward()
        if unscale:
            scaler.unscale_(optimizer)
        scaler.step(optimizer)
        scaler.update()

    return update


def compiled(optimizer: Optimizer, loss: Callable[[], Tensor]) -> None:
    optimizer.zero_grad()
    loss().backward()
    torch.compile(optimizer.step, backend="eager")()


def restored(optimizer: Optimizer, loss: Callable[[], Tensor]) -> None:
    optimizer.load_state_dict(optimizer.state_dict())
    plainly(optimizer, loss)


def changes(model: nn.Module, update: Callable[[], None]) -> Readings:
    """Return by how much an update changes every parameter."""
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    update()
    return {name: p.detach() - before[name] for name, p in model.named_parameters()}


def stepping(make: Make, update: Callable[[], Update] = lambda: plainly, **network: object):
    """Return a loop of several steps of an optimizer, with the penalty of kernels."""

    def steps(method: Method, case: Case) -> Iterator[Step]:
        model, twin = build(**network)
        attached = method.attach(model, case, "kernel")
        optimizer, plain = make(model), make(twin)
        attached.step_with(optimizer)
        step = update()
        for x in batches():

            def loss(x: Tensor = x) -> Tensor:
                return attached.loss(task(model(x)))

            def by_hand(x: Tensor = x) -> Tensor:
                penalties = [case.formula(w) for w in kernels(twin)]
                return task(explicit(twin, x)[0]) + sum(penalties)

            actual = changes(model, lambda loss=loss: step(optimizer, loss))
            yield Step(actual, changes(twin, lambda by_hand=by_hand: plainly(plain, by_hand)))
            twin.load_state_dict(model.state_dict())

    return steps


ROUNDED = {"tolerance": 1e-7}
"""A fused optimizer unscales in float32."""

_SGD, _ADAM = made(SGD, lr=0.01), made(Adam, lr=0.01)

REGIMES = [
    Regime(f"step, {name}", steps, in_step=True, **options)
    for name, steps, options in [
        ("SGD", stepping(_SGD), {}),
        ("SGD, foreach", stepping(made(SGD, lr=0.01, foreach=True)), {}),
        ("SGD, fused", stepping(made(SGD, lr=0.01, fused=True)), {}),
        ("momentum", stepping(made(SGD, lr=0.01, momentum=0.9, nesterov=True)), {}),
        ("Adam", stepping(_ADAM), {}),
        ("Adam, fused", stepping(made(Adam, lr=0.01, fused=True)), {}),
        ("AdamW", stepping(made(AdamW, lr=0.01)), {}),
        ("RMSprop", stepping(made(RMSprop, lr=0.01)), {}),
        ("closure", stepping(_ADAM, lambda: by_closure), {}),
        ("accumulation", stepping(_ADAM, lambda: accumulated), {}),
        ("GradScaler", stepping(_SGD, scaled), {}),
        ("GradScaler, fused", stepping(made(SGD, lr=0.01, fused=True), scaled), ROUNDED),
        (
            "GradScaler, fused, unscaled before",
            stepping(made(SGD, lr=0.01, fused=True), lambda: scaled(unscale=True)),
            ROUNDED,
        ),
        ("compiled", stepping(_SGD, lambda: compiled), {"compiles": True}),
        ("state restored", stepping(_ADAM, lambda: restored), {}),
        ("shared weights", stepping(_ADAM, tied=True), {}),
    ]
]
