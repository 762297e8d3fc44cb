"""Regimes of constraints beside a penalty: the weights after a step, projected by hand."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn
from torch.optim import SGD, Adam

import regularizers as rz
from matrix.judge import Regime, Step
from matrix.methods import Method
from matrix.network import batches, build, explicit, kernels, task
from matrix.optimizers import ROUNDED, Make, Update, by_closure, compiled, made, plainly, scaled
from matrix.penalties import Case


def unit(w: Tensor) -> Tensor:
    return w / w.norm(dim=1, keepdim=True)


def limited(w: Tensor) -> Tensor:
    return w * (0.5 / w.norm(dim=1, keepdim=True)).clamp(max=1)


def clamped(w: Tensor) -> Tensor:
    return w.clamp(-0.1, 0.2)


def constrained(
    make: Make,
    constraint: rz.Constraint,
    project: Callable[[Tensor], Tensor],
    update: Callable[[], Update] = lambda: plainly,
):
    """Return a loop of several steps, each of which is followed by a projection."""

    def steps(method: Method, case: Case) -> Iterator[Step]:
        model, twin = build()
        reg = rz.Regularization(model, [rz.kernel(case.penalty), rz.constraint(constraint)])
        optimizer, plain = make(model), make(twin)
        reg.attach(optimizer)
        _project(twin, project)
        step = update()
        for x in batches():
            step(optimizer, lambda x=x: task(model(x)))
            plain.zero_grad()
            penalties = [case.formula(w) for w in kernels(twin)]
            (task(explicit(twin, x)[0]) + sum(penalties)).backward()
            for w in kernels(twin) if project is unit else ():
                radial = (w.grad * w).sum(dim=1, keepdim=True) / w.square().sum(dim=1, keepdim=True)
                w.grad -= radial.detach() * w.detach()
            plain.step()
            _project(twin, project)
            yield Step(_weights(model), _weights(twin))
            twin.load_state_dict(model.state_dict())

    return steps


@torch.no_grad()
def _project(model: nn.Module, project: Callable[[Tensor], Tensor]) -> None:
    for w in kernels(model):
        w.copy_(project(w))


def _weights(model: nn.Module) -> dict[str, Tensor]:
    return {name: p.detach().clone() for name, p in model.named_parameters()}


_SGD, _FUSED, _ADAM = made(SGD, lr=0.01), made(SGD, lr=0.01, fused=True), made(Adam, lr=0.01)
_UNIT = rz.UnitNorm(axis=0)

REGIMES = [
    Regime(
        f"{type(constraint).__name__}, {name}",
        constrained(make, constraint, project, update),
        in_step=True,
        applies=lambda method: method.in_step,
        **options,
    )
    for name, constraint, project, make, update, options in [
        ("SGD", _UNIT, unit, _SGD, lambda: plainly, {}),
        ("Adam", _UNIT, unit, _ADAM, lambda: plainly, {}),
        ("closure", _UNIT, unit, _ADAM, lambda: by_closure, {}),
        ("GradScaler, fused", _UNIT, unit, _FUSED, scaled, ROUNDED),
        ("compiled", _UNIT, unit, _SGD, lambda: compiled, {"compiles": True}),
        ("Adam", rz.MaxNorm(0.5, axis=0), limited, _ADAM, lambda: plainly, {}),
        ("Adam", rz.Bounds(-0.1, 0.2), clamped, _ADAM, lambda: plainly, {}),
    ]
]
