"""Two processes against one: what each of them runs, launched by torchrun.

Every regime builds the same model in float64, gives each process its own part of one batch, and
compares the gradients with those of plain autograd on the whole batch in one process. The same is
done with a hand-written hook, whose penalty each process adds to its own loss.
"""

from __future__ import annotations

import json
import os
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator
from functools import partial

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor
from torch.distributed.tensor.parallel import ColwiseParallel, RowwiseParallel, parallelize_module
from torch.nn.parallel import DistributedDataParallel

import regularizers as rz
from regularizers.errors import RegularizersError


def log_cosh(xp, x):
    return xp.log(xp.cosh(x))


def lengths(xp, x):
    return xp.sum(xp.sqrt(1 + xp.sum(x * x, axis=1)))


PENALTIES = {
    "L1 sum": rz.L1(0.3, reduce="sum"),
    "L1 batch_mean": rz.L1(0.3, reduce="batch_mean"),
    "L2Squared mean": rz.L2Squared(0.3, reduce="mean"),
    "L2Norm sum": rz.L2Norm(0.3, reduce="sum"),
    "L2Norm batch_mean": rz.L2Norm(0.3, reduce="batch_mean"),
    "L2Norm mean": rz.L2Norm(0.3, reduce="mean"),
    "KLSparsity": rz.KLSparsity(0.3, 0.2, reduce="sum"),
    "KLSparsity mean": rz.KLSparsity(0.3, 0.2, reduce="mean"),
    "Decorrelation": rz.Decorrelation(30.0),
    "Entropy": rz.Entropy(0.3, reduce="batch_mean"),
    "ConfidencePenalty mean": rz.ConfidencePenalty(0.3, reduce="mean"),
    "LogCosh": rz.Elementwise(0.3, log_cosh, reduce="batch_mean"),
    "lengths of samples": rz.FromFunction(0.3, lengths, "samples", reduce="batch_mean"),
    "LogSum batch_mean": rz.LogSum(0.3, 0.2, reduce="batch_mean"),
    "Hinge mean": rz.Hinge(3.0, above=0.4, reduce="mean"),
    "Hoyer sum": rz.Hoyer(0.3, reduce="sum"),
    "Hoyer batch_mean": rz.Hoyer(0.3, reduce="batch_mean"),
    "TotalVariation mean": rz.TotalVariation(3.0, 1, reduce="mean"),
    "Laplacian batch_mean": rz.Laplacian(0.3, torch.ones(6, 6), 1, reduce="batch_mean"),
    "L1 + KLSparsity": rz.L1(0.1, reduce="sum") + rz.KLSparsity(0.3, 0.2, reduce="sum"),
}
KERNELS = 0.1

Cell = tuple[str, str, dict[str, Callable[[], float]]]
"""A regime, a penalty, and what each method measures of them."""


class Net(nn.Module):
    """A branch that can be left out, and a squashed layer to penalise."""

    def __init__(self) -> None:
        super().__init__()
        self.up, self.squash, self.down = nn.Linear(4, 6), nn.Sigmoid(), nn.Linear(6, 3)
        self.branch = nn.Linear(4, 3)

    def forward(self, x: Tensor, branch: bool = True) -> Tensor:
        y = self.down(self.squash(self.up(x)))
        return y + self.branch(x) if branch else y

    @property
    def kernels(self) -> list[Tensor]:
        return [self.up.weight, self.down.weight]


class Ours:
    """The penalty of a Regularization that knows the processes."""

    def __init__(self, model: Net, penalty: rz.Penalty, site: str, group) -> None:
        rules = [
            rz.activity(penalty, where=site),
            rz.kernel(rz.L2Squared(KERNELS), where=["up", "down"]),
        ]
        self.reg = rz.Regularization(model, rules, process_group=group)

    def term(self) -> Tensor:
        return self.reg.penalty()


class HandWritten:
    """A hook that appends the penalty of what it sees, and a sum over the kernels."""

    def __init__(self, model: Net, penalty: rz.Penalty, site: str, group) -> None:
        self.model, self.recorded = model, []
        model.get_submodule(site).register_forward_hook(
            lambda _module, _inputs, output: self.recorded.append(penalty(output))
        )

    def term(self) -> Tensor:
        activities = sum(self.recorded)
        self.recorded = []
        return activities + KERNELS * sum([w.square().sum() for w in self.model.kernels])


def net() -> Net:
    torch.manual_seed(0)
    return Net().double()


def batch(step: int) -> Tensor:
    return torch.randn(10, 4, generator=torch.Generator().manual_seed(step)).double()


def own_part(x: Tensor, *, equal: bool) -> Tensor:
    cut = len(x) // 2 if equal else 3
    return x[:cut] if dist.get_rank() == 0 else x[cut:]


def by_hand(penalty: rz.Penalty, x: Tensor, site: str, scale: float, branch: bool = True):
    """Return the gradients of one process, its task being a sum over samples, times `scale`."""
    model = net()
    hidden = model.up(x)
    squashed = model.squash(hidden)
    output = model.down(squashed)
    seen = {"up": hidden, "squash": squashed, "down": output}[site]
    output = output + model.branch(x) if branch else output
    loss = scale * output.square().sum() + penalty(seen)
    loss = loss + KERNELS * sum([w.square().sum() for w in model.kernels])
    names, tensors = zip(*model.named_parameters(), strict=True)
    return dict(zip(names, torch.autograd.grad(loss, tensors, allow_unused=True), strict=True))


def error(model: nn.Module, wanted: dict[str, Tensor | None]) -> float:
    """Return the largest difference of a gradient from the one wanted, over its own size."""
    worst = 0.0
    for name, parameter in model.named_parameters():
        got, want = parameter.grad, wanted[name]
        got = got.full_tensor() if isinstance(got, DTensor) else got
        if want is None:
            want = torch.zeros_like(parameter)
        got = torch.zeros_like(want) if got is None else got
        size = want.abs().max().clamp(min=1e-6)
        worst = max(worst, ((got - want).abs().max() / size).item())
    return worst


def ddp(method, penalty: rz.Penalty, *, equal: bool = False, mode: str = "plain") -> float:
    options = {
        "static_graph": {"static_graph": True},
        "find_unused": {"find_unused_parameters": True},
    }
    branch = mode != "find_unused"
    model = net()
    ours = method(model, penalty, "squash", dist.group.WORLD)
    parallel = DistributedDataParallel(model, **options.get(mode, {}))
    worst = 0.0
    for step in range(2):
        parallel.zero_grad()
        x = batch(step)
        if mode == "no_sync":
            with parallel.no_sync():
                (0 * parallel(own_part(x, equal=equal)).sum() + 0 * ours.term()).backward()
        (parallel(own_part(x, equal=equal), branch).square().sum() + ours.term()).backward()
        worst = max(worst, error(model, by_hand(penalty, x, "squash", 0.5, branch)))
    return worst


def fsdp(method, penalty: rz.Penalty) -> float:
    model = net()
    for child in (model.up, model.down, model.branch, model):
        fully_shard(child, mesh=init_device_mesh("cpu", (2,)))
    ours = method(model, penalty, "squash", dist.group.WORLD)
    worst = 0.0
    for step in range(2):
        model.zero_grad()
        x = batch(step)
        task = model(own_part(x, equal=False)).square().sum()
        term = ours.term()
        assert not isinstance(term, DTensor), "the value is to be a full tensor"
        (task + term).backward()
        worst = max(worst, error(model, by_hand(penalty, x, "squash", 0.5)))
    return worst


def tensor_parallel(method, penalty: rz.Penalty, site: str) -> float:
    model = net()
    plan = {"up": ColwiseParallel(), "down": RowwiseParallel()}
    parallelize_module(model, init_device_mesh("cpu", (2,)), plan)
    ours = method(model, penalty, site, "local")
    x = batch(0)
    (model(x).square().sum() + ours.term()).backward()
    return error(model, by_hand(penalty, x, site, 1.0))


def norms(model: Net) -> Tensor:
    return model.down.weight.norm(dim=0)


def weighted(*, shards: bool) -> float:
    """Penalise units by the norms of what leaves them, joined over the processes."""
    model = net()
    parallel = model if shards else DistributedDataParallel(model)
    for child in (model.up, model.down, model.branch, model) if shards else ():
        fully_shard(child, mesh=init_device_mesh("cpu", (2,)))
    rule = rz.activity(rz.L1(0.3), where="squash", weights=norms)
    reg = rz.Regularization(model, [rule], process_group=dist.group.WORLD)
    worst = 0.0
    for step in range(2):
        parallel.zero_grad()
        x, twin = batch(step), net()
        (parallel(own_part(x, equal=False)).square().sum() + reg.penalty()).backward()
        units = norms(twin) * twin.squash(twin.up(x)).abs()
        (0.5 * twin(x).square().sum() + 0.3 * units.sum() / len(x)).backward()
        worst = max(worst, error(model, {name: p.grad for name, p in twin.named_parameters()}))
    return worst


def not_the_same_sites(method, penalty: rz.Penalty) -> float:
    model = net()
    ours = method(model, penalty, "squash", dist.group.WORLD)
    if dist.get_rank() == 0:
        model(batch(0))
    ours.term()
    return float("inf")


def cells() -> Iterator[tuple[str, str, Callable[[type], float]]]:
    for name, penalty in PENALTIES.items():
        yield "DDP, equal parts", name, partial(ddp, penalty=penalty, equal=True)
        yield "DDP, unequal parts", name, partial(ddp, penalty=penalty)
        for mode in ("static_graph", "find_unused", "no_sync"):
            yield f"DDP, {mode}", name, partial(ddp, penalty=penalty, mode=mode)
        yield "FSDP2", name, partial(fsdp, penalty=penalty)
        for site, where in (("up", "columns"), ("squash", "after columns"), ("down", "rows")):
            # KL is of activations from 0 to 1, the graph of 6 units
            if not (site != "squash" and ("KL" in name or "Laplacian" in name)):
                regime = f"tensor parallel, {where}"
                yield regime, name, partial(tensor_parallel, penalty=penalty, site=site)
        yield "a site fires on one process only", name, partial(not_the_same_sites, penalty=penalty)


def outcome(cell: Callable[[], float], *, ours: bool) -> tuple[str, str]:
    """Return "exact", "raises" or "silently wrong", the worst of the processes, and why."""
    try:
        worst = cell()
        mine = ("exact", "") if worst < 1e-9 else ("silently wrong", f"off by {worst:.0%}")
    except Exception as raised:
        mine = ("raises", f"{type(raised).__name__}: {raised}")
        if ours and not isinstance(raised, RegularizersError):
            mine = ("raises another's error", mine[1])
    everyone: list[tuple[str, str]] = [mine] * dist.get_world_size()
    dist.all_gather_object(everyone, mine)
    return max(everyone, key=lambda one: one[0])


def run(cells: Iterable[Cell]) -> None:
    """Run cells in every process, by regime, penalty and method; print the rows they make."""
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    dist.init_process_group("gloo")
    rows = []
    for regime, penalty, methods in cells:
        row = {"regime": regime, "penalty": penalty}
        for name, cell in methods.items():
            row[name], row[f"{name} says"] = outcome(cell, ours=name == "ours")
        rows.append(row)
    if dist.get_rank() == 0:
        json.dump(rows, sys.stdout)
    sys.stdout.flush()
    dist.barrier()
    # at once: threads of gloo that are still being joined would abort an ordinary exit
    os._exit(0)


LIKE_UNEQUAL = ("DDP, equal", "DDP, static", "DDP, find", "DDP, no_sync", "a site fires")
"""How regimes begin that read outputs as that of unequal parts does, whatever the penalty."""


def sampled(cells: Iterable[Cell], every: int, alike: tuple[str, ...] = ("",)) -> Iterator[Cell]:
    """Yield one penalty in `every` of the regimes that begin so; all with `--all-cells`.

    The first regime starts with its first penalty, the next with another, so that no penalty is
    left out of all.
    """
    every = 1 if "--all-cells" in sys.argv else every
    numbers: dict[str, int] = {}
    for regime, penalty, methods in cells:
        numbers[regime] = numbers.get(regime, len(numbers) - 1) + 1
        if numbers[regime] % every == 0 or not regime.startswith(alike):
            yield regime, penalty, methods


def by_method() -> Iterator[Cell]:
    for regime, penalty, cell in cells():
        methods = {"ours": partial(cell, Ours)}
        # a hook does nothing when another process records nothing: there is no one to tell it
        if not regime.startswith("a site fires"):
            methods["hook"] = partial(cell, HandWritten)
        yield regime, penalty, methods
    for parallel in ("DDP", "FSDP2"):
        cell = partial(weighted, shards=parallel == "FSDP2")
        yield f"{parallel}, weights of units", "L1 batch_mean", {"ours": cell}


if __name__ == "__main__":
    run(sampled(by_method(), 3, LIKE_UNEQUAL))
