"""Regimes under `torch.compile`."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch._dynamo.backends.debugging import aot_eager

from matrix.inplace import CHANGES
from matrix.judge import Fault, Must, Regime, Step, backward
from matrix.lifecycle import HELD_AT_MOST
from matrix.methods import Method
from matrix.network import Net, activity_loss, batch, batches, build, task
from matrix.penalties import Case
from matrix.precision import bfloat16
from matrix.training import Run, one_step, training


def whole(model: Net) -> Run:
    """Compile the model into one program, penalties included."""
    return torch.compile(model, backend="aot_eager", fullgraph=True)


def in_parts(model: Net) -> Run:
    """Compile what can be compiled."""
    return torch.compile(model, backend="aot_eager")


def by_block(model: Net) -> Run:
    for block in model.blocks:
        block.compile(backend="aot_eager")
    return model


def by_inductor(model: Net) -> Run:
    return torch.compile(model, backend="inductor")


class Counting:
    """A backend that counts how often something is compiled."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, graph: torch.fx.GraphModule, inputs: list[Tensor]) -> object:
        self.count += 1
        return aot_eager(graph, inputs)


def loss_too(method: Method, case: Case) -> Iterator[Step]:
    """The loss is computed within the compiled program."""
    model, twin = build()
    attached = method.attach(model, case)
    run = torch.compile(lambda x: attached.loss(task(model(x))), backend="aot_eager")
    for x in batches():
        attached.begin()
        actual = backward(method, model, run(x))
        yield Step(actual, backward(method, twin, activity_loss(twin, x, case)))


def strength_changed(method: Method, case: Case) -> Iterator[Step]:
    """Twenty strengths in twenty steps."""
    model, twin = build()
    attached = method.attach(model, case)
    backend = Counting()
    run = torch.compile(model, backend=backend)
    counts = []
    for n in range(20):
        x, factor = batch(n), 1 + n / 10
        attached.rescale(factor)
        step = one_step(method, case, attached, model, run, twin, x)
        by_hand = activity_loss(twin, x, case, factor=factor)
        names, parameters = zip(*twin.named_parameters(), strict=True)
        expected = dict(zip(names, torch.autograd.grad(by_hand, parameters), strict=True))
        yield Step(step.actual, expected | method.value_of(by_hand))
        counts.append(backend.count)
    if counts[-1] > counts[1]:
        raise Fault("recompile", f"{counts[-1] - counts[1]} more compilations after two steps")


def several_forwards(method: Method, case: Case) -> Iterator[Step]:
    """One to three forwards before each collection."""
    model, twin = build()
    attached = method.attach(model, case)
    run = whole(model)
    for n in (1, 2, 3, 1):
        attached.begin()
        parts = [batch(i) for i in range(n)]
        loss = attached.loss(sum([task(run(x)) for x in parts]))
        by_hand = sum([activity_loss(twin, x, case) for x in parts])
        loss.backward()
        by_hand.backward()
        yield Step(_taken(model), _taken(twin))


def several_sizes(method: Method, case: Case) -> Iterator[Step]:
    """Batches of several sizes, for which the program is made general."""
    model, twin = build()
    attached = method.attach(model, case)
    run = whole(model)
    for n, rows in enumerate((8, 5, 3, 7, 8)):
        yield one_step(method, case, attached, model, run, twin, batch(n, rows=rows))


def never_collected(method: Method, case: Case) -> Iterator[Step]:
    """More forwards that nobody collects than are held."""
    model, twin = build()
    attached = method.attach(model, case)
    run = in_parts(model)
    bound = HELD_AT_MOST * len(model.blocks) * len(case.penalty.terms)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(HELD_AT_MOST + 8):
            run(batch(0))
    if attached.records() > bound:
        raise Fault("pile up", f"more than {bound} records are held")
    attached.give_up()
    for x in batches():
        yield one_step(method, case, attached, model, run, twin, x)


def attached_late(method: Method, case: Case) -> Iterator[Step]:
    """The penalty comes after the first compiled call."""
    model, twin = build()
    run = in_parts(model)
    task(run(batch(9))).backward()
    model.zero_grad()
    attached = method.attach(model, case)
    for x in batches():
        yield one_step(method, case, attached, model, run, twin, x)


def detached(method: Method, case: Case) -> Iterator[Step]:
    model, twin = build()
    attached = method.attach(model, case)
    run = whole(model)
    for x in batches():
        yield one_step(method, case, attached, model, run, twin, x)
    attached.detach()
    for x in batches():
        task(run(x)).backward()
        task(twin(x)).backward()
        yield Step(_taken(model), _taken(twin))


def evaluated(method: Method, case: Case) -> Iterator[Step]:
    """Evaluation comes between the steps."""
    model, twin = build()
    attached = method.attach(model, case)
    run = whole(model)
    for x in batches():
        yield one_step(method, case, attached, model, run, twin, x)
        model.eval()
        task(run(x)).backward()
        task(twin(x)).backward()
        yield Step(_taken(model), _taken(twin))
        model.train()


def _taken(model: nn.Module) -> dict[str, Tensor]:
    found = {name: p.grad for name, p in model.named_parameters()}
    model.zero_grad()
    return found


def _late(method: Method, case: Case) -> Must:
    return Must(words=("blocks.0.site",))


REGIMES = [
    Regime("compile (aot_eager)", training(prepare=whole), compiles=True),
    Regime("compile (aot_eager), per block", training(prepare=by_block), compiles=True),
    Regime("compile (inductor)", training(prepare=by_inductor), compiles=True, slow=True),
    Regime("compile, loss and all", loss_too, compiles=True),
    Regime("compile, 20 strengths", strength_changed, compiles=True),
    Regime("compile, several forwards", several_forwards, compiles=True),
    Regime("compile, batches of several sizes", several_sizes, compiles=True),
    Regime("compile, 40 forwards never collected", never_collected, compiles=True),
    Regime("compile, view output", training(prepare=whole, site="view"), compiles=True),
    Regime("compile, identity output", training(prepare=whole, site="identity"), compiles=True),
    Regime("compile, Sigmoid producer", training(prepare=whole, site="sigmoid"), compiles=True),
    Regime("compile, frozen producer", training(prepare=whole, frozen=True), compiles=True),
    Regime(
        "compile, bfloat16 autocast",
        training(prepare=whole, around=bfloat16, dtype=torch.float32),
        tolerance=4e-2,
        compiles=True,
    ),
    *[
        Regime(f"compile, {name}", training(prepare=whole, after=after), copies=True, compiles=True)
        for name, after in CHANGES.items()
    ],
    Regime("attached after the first compiled call", attached_late, must=_late, compiles=True),
    Regime("detach, compiled", detached, compiles=True),
    Regime("evaluation between steps, compiled", evaluated, compiles=True),
]
