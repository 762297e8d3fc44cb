"""Regimes of `torch.func` and `torch.export`."""

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.func import functional_call, stack_module_state, vmap

from matrix.judge import Fault, Must, Readings, Regime, Step, backward, exact, exact_or_says, says
from matrix.methods import Method
from matrix.network import Net, activity_loss, batch, batches, build, kernel_loss, task
from matrix.penalties import Case
from matrix.training import one_step

MEMBERS = 3


def _gradient(loss: Tensor, model: Net) -> Readings:
    names, parameters = zip(*model.named_parameters(), strict=True)
    return dict(zip(names, torch.autograd.grad(loss, parameters), strict=True))


def func_grad(method: Method, case: Case) -> Iterator[Step]:
    yield from _func_grad(method, case, "activity")


def func_grad_of_kernels(method: Method, case: Case) -> Iterator[Step]:
    yield from _func_grad(method, case, "kernel")


def _func_grad(method: Method, case: Case, kind: str) -> Iterator[Step]:
    model, twin = build()
    attached = method.attach(model, case, kind)
    by_hand = activity_loss if kind == "activity" else kernel_loss

    def loss(parameters: Readings, x: Tensor) -> Tensor:
        return attached.loss(task(functional_call(model, parameters, (x,))))

    for x in batches():
        attached.begin()
        actual = torch.func.grad(loss)(_parameters(model), x)
        yield Step(actual, _gradient(by_hand(twin, x, case), twin))


def functional(method: Method, case: Case) -> Iterator[Step]:
    yield from _functional(method, case, "activity")


def functional_with_kernels(method: Method, case: Case) -> Iterator[Step]:
    yield from _functional(method, case, "kernel")


def _functional(method: Method, case: Case, kind: str) -> Iterator[Step]:
    """Parameters of the caller's own, and plain autograd."""
    model, twin = build()
    attached = method.attach(model, case, kind)
    by_hand = activity_loss if kind == "activity" else kernel_loss
    own = {name: p.requires_grad_() for name, p in _parameters(model).items()}
    for x in batches():
        attached.begin()
        loss = attached.loss(task(functional_call(model, own, (x,))))
        grads = torch.autograd.grad(loss, list(own.values()))
        yield Step(dict(zip(own, grads, strict=True)), _gradient(by_hand(twin, x, case), twin))


def func_grad_collected_outside(method: Method, case: Case) -> Iterator[Step]:
    model, twin = build()
    attached = method.attach(model, case)

    def loss(parameters: Readings, x: Tensor) -> Tensor:
        return task(functional_call(model, parameters, (x,)))

    for x in batches():
        attached.begin()
        of_task = torch.func.grad(loss)(_parameters(model), x)
        penalty = attached.loss(torch.zeros(()))
        of_penalty = backward(method, model, penalty) if penalty.requires_grad else {}
        actual = {name: g + of_penalty.get(name, 0) for name, g in of_task.items()}
        yield Step(actual, _gradient(activity_loss(twin, x, case), twin))


def ensemble(method: Method, case: Case) -> Iterator[Step]:
    """The gradients of several members at once, the penalty collected inside."""
    members = [build(seed=seed) for seed in range(MEMBERS)]
    model = members[0][0]
    stacked, _ = stack_module_state([net for net, _ in members])
    stacked = {name: p.detach() for name, p in stacked.items()}
    attached = method.attach(model, case)

    def loss(parameters: Readings, x: Tensor) -> Tensor:
        return attached.loss(task(functional_call(model, parameters, (x,))))

    for x in batches():
        attached.begin()
        actual = vmap(torch.func.grad(loss), in_dims=(0, None))(stacked, x)
        yield Step(actual, _of_members(members, x, case))


def ensemble_collected_outside(method: Method, case: Case) -> Iterator[Step]:
    """A forward of several members at once; loss and penalty outside of `vmap`."""
    members = [build(seed=seed) for seed in range(MEMBERS)]
    model = members[0][0]
    stacked, _ = stack_module_state([net for net, _ in members])
    attached = method.attach(model, case)

    def output(parameters: Readings, x: Tensor) -> Tensor:
        return functional_call(model, parameters, (x,))

    for x in batches():
        attached.begin()
        outputs = vmap(output, in_dims=(0, None))(stacked, x)
        loss = attached.loss(sum([task(one) for one in outputs]))
        grads = torch.autograd.grad(loss, list(stacked.values()))
        yield Step(dict(zip(stacked, grads, strict=True)), _of_members(members, x, case))


def _of_members(members: list[tuple[Net, Net]], x: Tensor, case: Case) -> Readings:
    each = [_gradient(activity_loss(twin, x, case), twin) for _, twin in members]
    return {name: torch.stack([one[name] for one in each]) for name in each[0]}


def _parameters(model: Net) -> Readings:
    return {name: p.detach() for name, p in model.named_parameters()}


def export(method: Method, case: Case) -> Iterator[Step]:
    """An export in training mode shows no trace of the penalty, in the program or after it."""
    model, twin = build()
    attached = method.attach(model, case)
    for n, x in enumerate(batches()):
        if n == 1:
            traced = _operations(model)
            if traced != _operations(twin):
                raise Fault("leave a trace", f"{len(traced)} operations in the exported program")
            if attached.records():
                raise Fault("leave a trace", f"{attached.records()} records after the export")
        yield one_step(method, case, attached, model, model, twin, x)


def _operations(model: Net) -> list[str]:
    program = torch.export.export(model, (batch(0),))
    return [str(node.target) for node in program.graph.nodes if node.op == "call_function"]


def _outside(method: Method, case: Case) -> Must:
    return exact_or_says("scale_from") if method.injects else says("transform")


def _inside(method: Method, case: Case) -> Must:
    return exact_or_says("collect") if method.injects else exact(method, case)


def _collected(method: Method) -> bool:
    return not method.injects


REGIMES = [
    Regime("functional_call", functional),
    Regime("torch.func.grad", func_grad, must=_inside),
    Regime(
        "torch.func.grad, collected outside",
        func_grad_collected_outside,
        must=_outside,
        applies=_collected,
    ),
    Regime("vmap of torch.func.grad over an ensemble", ensemble, must=_inside),
    Regime("vmap over an ensemble, collected outside", ensemble_collected_outside, must=_outside),
    Regime("torch.export in training mode", export),
]
