"""Two processes whose optimizers apply the penalties of kernels: launched by torchrun.

After several steps the weights are compared with those of one process that trains on the joined
batch with the same optimizer: penalised in its loss by the formula of the penalty on arrays, or by
the proximal form of the penalty on arrays after each step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import torch
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor
from torch.nn.parallel import DistributedDataParallel

import regularizers as rz
from distributed.ranks import Net, batch, net, own_part, run, sampled

STEPS = 3
PENALTIES = {
    "L1 sum": rz.L1(0.3),
    "L2Squared mean": rz.L2Squared(3.0, reduce="mean"),
    "L2Norm sum": rz.L2Norm(0.3),
    "L2Norm batch_mean": rz.L2Norm(0.9, reduce="batch_mean"),
    "L1 + L2Squared": rz.L1(0.1) + rz.L2Squared(0.2),
    "GroupLasso of rows": rz.GroupLasso(0.3, axis=0),
    "GroupLasso of columns": rz.GroupLasso(0.3, axis=1),
    "Huber": rz.Huber(0.3, delta=0.2),
    "Hoyer": rz.Hoyer(0.1),
    "TotalVariation": rz.TotalVariation(0.3, (0, 1), batch_axis=()),
    "Orthogonal": rz.Orthogonal(0.1),
    "Spectral": rz.Spectral(0.3),
    "Orthogonal normalized": rz.Orthogonal(0.3, axis=1, normalized=True),
}
SHRINKING = ("L1", "L2", "Group")
CONSTRAINTS = {
    "UnitNorm of rows": rz.UnitNorm(axis=0),
    "UnitNorm of columns": rz.UnitNorm(axis=1),
    "MaxNorm of rows": rz.MaxNorm(0.7, axis=0),
    "MaxNorm of columns": rz.MaxNorm(0.7, axis=1),
    "MaxNorm of all": rz.MaxNorm(0.9, axis=()),
    "MinMaxNorm": rz.MinMaxNorm(0.4, 0.6, 0.5, axis=1),
    "NonNegative": rz.NonNegative(),
    "Bounds": rz.Bounds(-0.3, 0.2),
}
LASSO = rz.GroupLasso(0.1, axis=0)
OPTIMIZERS = {
    "SGD": partial(torch.optim.SGD, lr=0.05, momentum=0.5),
    "Adam": partial(torch.optim.Adam, lr=0.01),
}


def in_ddp() -> tuple[Net, nn.Module]:
    model = net()
    return model, DistributedDataParallel(model)


def in_fsdp() -> tuple[Net, nn.Module]:
    model = net()
    for child in (model.up, model.down, model.branch, model):
        fully_shard(child, mesh=init_device_mesh("cpu", (2,)))
    return model, model


def starts() -> dict[str, Tensor]:
    """Return what the weights are measured from, whole in every process."""
    generator = torch.Generator().manual_seed(7)
    return {
        name: torch.randn(p.shape, generator=generator, dtype=p.dtype)
        for name, p in net().named_parameters()
    }


def initial() -> dict[str, Tensor]:
    return {name: p.detach() for name, p in net().named_parameters()}


def importance() -> dict[str, Tensor]:
    return {name: start.square() for name, start in starts().items()}


def of_elements(penalty: rz.Penalty, difference: Tensor, weights: Tensor) -> Tensor:
    """Return a penalty of absolute values or squares, each multiplied by a weight."""
    is_square = isinstance(penalty, rz.L2Squared)
    return penalty((weights.sqrt() if is_square else weights) * difference)


def referenced_alone(
    penalty: rz.Penalty, make: Callable, towards: dict[str, Tensor], *, proximal: bool
) -> dict[str, Tensor]:
    """Return the weights after the steps of one process, measured from and by tensors."""
    model, fisher = net(), importance()
    kernels = {n: p for n, p in model.named_parameters() if n.endswith("weight")}
    optimizer = make(model.parameters())
    for step in range(STEPS):
        optimizer.zero_grad()
        loss = 0.5 * model(batch(step)).square().sum()
        if not proximal:
            loss = loss + sum(
                of_elements(penalty, w - towards[n], fisher[n]) for n, w in kernels.items()
            )
        loss.backward()
        optimizer.step()
        with torch.no_grad():
            for n, w in kernels.items() if proximal else ():
                sizes = torch.as_tensor(step_size(optimizer, w), dtype=w.dtype) * fisher[n]
                w.copy_(towards[n] + penalty.prox(w - towards[n], sizes))
    return {name: p.detach() for name, p in model.named_parameters()}


def referenced(name: str, penalty: rz.Penalty, make: Callable, word: str | None, way: str) -> float:
    """Return the largest error of a weight that is measured from and by tensors."""
    model, parallel = PARALLEL[name]()
    rule = rz.kernel(
        penalty,
        towards=word or starts(),
        importance=importance(),
        proximal=way == "proximal",
    )
    reg = rz.Regularization(model, [rule])
    optimizer = make(model.parameters())
    if way != "in the loss":
        reg.attach(optimizer)
    for step in range(STEPS):
        optimizer.zero_grad()
        loss = parallel(own_part(batch(step), equal=False)).square().sum()
        if way == "in the loss":
            loss = loss + reg.penalty()
        loss.backward()
        optimizer.step()
    towards = initial() if word else starts()
    expected = referenced_alone(penalty, make, towards, proximal=way == "proximal")
    return max(
        ((whole(w) - expected[key]).abs().max() / expected[key].abs().max()).item()
        for key, w in model.named_parameters()
    )


PARALLEL = {"DDP": in_ddp, "FSDP2": in_fsdp}


def whole(weight: Tensor) -> Tensor:
    weight = weight.detach()
    return weight.full_tensor() if isinstance(weight, DTensor) else weight


def alone(penalty: rz.Penalty, make: Callable, *, proximal: bool) -> dict[str, Tensor]:
    """Return the weights after the steps of one process."""
    model = net()
    kernels = [m.weight for m in (model.up, model.down, model.branch)]
    optimizer = make(model.parameters())
    for step in range(STEPS):
        optimizer.zero_grad()
        loss = 0.5 * model(batch(step)).square().sum()
        if not proximal:
            loss = loss + sum(penalty(w) for w in kernels)
        loss.backward()
        optimizer.step()
        with torch.no_grad():
            for w in kernels if proximal else ():
                w.copy_(penalty.prox(w, step_size(optimizer, w)))
    return {name: p.detach() for name, p in model.named_parameters()}


def kept_alone(constraint: rz.Constraint, make: Callable) -> dict[str, Tensor]:
    """Return the weights after the steps of one process, projected as arrays are."""
    model = net()
    kernels = [m.weight for m in (model.up, model.down, model.branch)]
    optimizer = make(model.parameters())
    with torch.no_grad():
        for w in kernels:
            w.copy_(constraint.project(w))
    for step in range(STEPS):
        optimizer.zero_grad()
        (0.5 * model(batch(step)).square().sum() + sum(LASSO(w) for w in kernels)).backward()
        with torch.no_grad():
            for w in kernels:
                w.grad.copy_(constraint.tangential(w.grad, w))
            optimizer.step()
            for w in kernels:
                w.copy_(constraint.project(w))
    return {name: p.detach() for name, p in model.named_parameters()}


def kept_together(name: str, constraint: rz.Constraint, make: Callable) -> float:
    """Return the largest error of a weight, relative to the largest weight."""
    model, parallel = PARALLEL[name]()
    reg = rz.Regularization(model, [rz.constraint(constraint), rz.kernel(LASSO)])
    optimizer = make(model.parameters())
    reg.attach(optimizer)
    for step in range(STEPS):
        optimizer.zero_grad()
        parallel(own_part(batch(step), equal=False)).square().sum().backward()
        optimizer.step()
    expected = kept_alone(constraint, make)
    errors = [
        (whole(p) - expected[key]).abs().max() / expected[key].abs().max().clamp(min=1e-6)
        for key, p in model.named_parameters()
    ]
    distances = [value for key, value in reg.as_dict().items() if key.endswith("/distance")]
    assert len(distances) == 3
    reached = constraint.rate == 1 if isinstance(constraint, rz.MinMaxNorm) else True
    return max(torch.stack(errors).max().item(), max(distances) if reached else 0.0)


def step_size(optimizer: torch.optim.Optimizer, weight: Tensor) -> float | Tensor:
    (group,) = optimizer.param_groups
    if "momentum" in group:
        return group["lr"] / (1 - group["momentum"])
    state = optimizer.state[weight]
    second = state["exp_avg_sq"] / (1 - group["betas"][1] ** state["step"].item())
    return group["lr"] / (second.sqrt() + group["eps"])


def together(name: str, penalty: rz.Penalty, make: Callable, *, proximal: bool) -> float:
    """Return the largest error of a weight, relative to the largest weight."""
    model, parallel = PARALLEL[name]()
    reg = rz.Regularization(model, [rz.kernel(penalty, proximal=proximal)])
    optimizer = make(model.parameters())
    reg.attach(optimizer)
    for step in range(STEPS):
        optimizer.zero_grad()
        parallel(own_part(batch(step), equal=False)).square().sum().backward()
        optimizer.step()
    expected = alone(penalty, make, proximal=proximal)
    worst = 0.0
    for key, weight in model.named_parameters():
        got, want = whole(weight), expected[key]
        if proximal and not torch.equal(got == 0, want == 0):
            return float("inf")
        worst = max(worst, ((got - want).abs().max() / want.abs().max().clamp(min=1e-6)).item())
    kernels = [whole(m.weight) for m in (model.up, model.down, model.branch)]
    value = sum(penalty(w).item() for w in kernels)
    return max(worst, abs(sum(reg.penalties().values()) - value) / value)


def cells() -> Iterator[tuple[str, str, Callable[[], float]]]:
    for parallel in PARALLEL:
        for of_optimizer, make in OPTIMIZERS.items():
            for name, penalty in PENALTIES.items():
                cell = partial(together, parallel, penalty, make, proximal=False)
                yield f"{parallel}, {of_optimizer}", name, cell
                if name.startswith(SHRINKING):
                    cell = partial(together, parallel, penalty, make, proximal=True)
                    yield f"{parallel}, {of_optimizer}, proximal", name, cell
            for name, constraint in CONSTRAINTS.items():
                cell = partial(kept_together, parallel, constraint, make)
                yield f"{parallel}, {of_optimizer}, constrained", name, cell

        for name in ("L1 sum", "L2Squared mean"):
            for word in ("initial", None):
                for way in ("in the loss", "in the step", "proximal"):
                    cell = partial(
                        referenced, parallel, PENALTIES[name], OPTIMIZERS["Adam"], word, way
                    )
                    yield f"{parallel}, towards {word or 'given'}, {way}", name, cell


if __name__ == "__main__":
    run(sampled(((regime, name, {"ours": cell}) for regime, name, cell in cells()), 2))
