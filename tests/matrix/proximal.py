"""Regimes of proximal rules: the weights after a step, against closed forms written by hand."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn
from torch.optim import SGD, Adam

import regularizers as rz
from matrix.judge import Must, Regime, Step, says
from matrix.methods import Method
from matrix.network import batches, build, kernels, task
from matrix.optimizers import ROUNDED, Make, Update, by_closure, compiled, made, plainly, scaled
from matrix.penalties import Case


def soft(w: Tensor, threshold: Tensor | float) -> Tensor:
    return torch.nn.functional.relu(w.abs() - threshold) * w.sign()


def by_hand(penalty: rz.Penalty, w: Tensor, step: float) -> Tensor:
    """Return the minimiser v of penalty(v) + ‖v − w‖² / (2 step)."""
    if isinstance(penalty, rz.AR):
        return by_hand(rz.L2Squared(penalty.alpha, reduce="mean"), w, step)
    mean = penalty.reduce == "mean"
    count = {"mean": w.numel(), "batch_mean": len(w)}.get(penalty.reduce, 1)
    match penalty:
        case rz.L1(strength=s):
            return soft(w, step * s / count)
        case rz.L2Squared(strength=s):
            return w / (1 + 2 * step * s / count)
        case rz.L1L2(l1=one, l2=two):
            return soft(w, step * one / count) / (1 + 2 * step * two / count)
        case rz.L2Norm(strength=s):
            rows = w if penalty.reduce == "batch_mean" else w.reshape(1, -1)
            threshold = step * s / (count**0.5 if mean else count)
        case rz.GroupLasso(strength=s, reduce="batch_mean"):
            # rows are samples, which share no group: every element is one of its own
            return soft(w, step * s / count)
        case rz.GroupLasso(strength=s, axis=axis):
            rows = w if axis == 0 else w.T
            groups = {"mean": len(rows) * rows.shape[1] ** 0.5}.get(penalty.reduce, 1)
            threshold = step * s / groups
            shrunk = rows * torch.relu(1 - threshold / rows.norm(dim=1, keepdim=True))
            return shrunk if axis == 0 else shrunk.T
        case rz.ActivityRegularization(strength=s, norm=norm):
            kind = {"l1": rz.L1, "l2": rz.L2Norm, "l2_squared": rz.L2Squared}[norm]
            return by_hand(kind(s, reduce=penalty.reduce), w, step)
    shrunk = rows * torch.relu(1 - threshold / rows.norm(dim=1, keepdim=True))
    return shrunk.reshape(w.shape)


HAVE_ONE = (
    rz.AR,
    rz.L1,
    rz.L2Squared,
    rz.L1L2,
    rz.L2Norm,
    rz.GroupLasso,
    rz.ActivityRegularization,
)


def where_there_is_one(method: Method, case: Case) -> Must:
    return Must() if isinstance(case.penalty, HAVE_ONE) else says("proximal")


def shrinking(make: Make, step: float, update: Callable[[], Update] = lambda: plainly):
    """Return a loop of several steps, of which each moves by a lasting gradient times `step`."""

    def steps(method: Method, case: Case) -> Iterator[Step]:
        model, twin = build()
        attached = method.attach(model, case, "proximal")
        optimizer, plain = make(model), make(twin)
        attached.step_with(optimizer)
        one = update()
        for x in batches():
            one(optimizer, lambda x=x: task(model(x)))
            plainly(plain, lambda x=x: task(twin(x)))
            with torch.no_grad():
                for w in kernels(twin):
                    w.copy_(by_hand(case.penalty, w, step))
            yield Step(_zeros_and_all(model), _zeros_and_all(twin))

    return steps


def _zeros_and_all(model: nn.Module) -> dict[str, Tensor]:
    """Return every parameter, and which of its elements are exactly 0."""
    named = {name: p.detach().clone() for name, p in model.named_parameters()}
    return named | {f"zeros of {name}": (p == 0).double() for name, p in named.items()}


_SGD = made(SGD, lr=0.1)

REGIMES = [
    Regime(
        f"proximal, {name}",
        steps,
        must=where_there_is_one,
        in_step=True,
        applies=lambda method: method.ours,
        **options,
    )
    for name, steps, options in [
        ("SGD", shrinking(_SGD, 0.1), {}),
        ("SGD, fused", shrinking(made(SGD, lr=0.1, fused=True), 0.1), {}),
        ("momentum", shrinking(made(SGD, lr=0.01, momentum=0.9), 0.1), {}),
        ("closure", shrinking(_SGD, 0.1, lambda: by_closure), {}),
        ("GradScaler", shrinking(_SGD, 0.1, scaled), {}),
        ("GradScaler, fused", shrinking(made(SGD, lr=0.1, fused=True), 0.1, scaled), ROUNDED),
        ("compiled", shrinking(_SGD, 0.1, lambda: compiled), {"compiles": True}),
        # ε outweighs √v̂, so that the step is the rate over ε
        ("Adam", shrinking(made(Adam, lr=1e8, eps=1e9), 0.1), {"tolerance": 1e-7}),
    ]
]
