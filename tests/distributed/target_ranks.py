"""Two processes that drive to one target: launched by torchrun.

Each trains on its own part of every batch; the strengths and the weights after each step are
compared with those of one process that trains on the joined batch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.nn.parallel import DistributedDataParallel

import regularizers as rz
from distributed.ranks import own_part, run, sampled

STEPS = 60
PENALTIES = {
    "L1, active units": rz.L1(rz.TargetActive(3)),
    "L1, a share, mean": rz.L1(rz.TargetActive(fraction=0.3), reduce="mean"),
    "L1, mean activation": rz.L1(rz.TargetMean(0.1), reduce="batch_mean"),
    "L2Squared, norm": rz.L2Squared(rz.TargetNorm(0.4)),
    "KLSparsity, mean": rz.KLSparsity(rz.TargetMean(0.2), 0.05),
    "L1, fewer and fewer": rz.L1(rz.TargetActive(rz.Cosine(8, 3, steps=40))),
    "L1, at most": rz.L1(rz.TargetActive(5, at_most=True)),
}


class Coder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.up, self.coding, self.down = nn.Linear(4, 10), nn.ReLU(), nn.Linear(10, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.down(self.coding(self.up(x)))


def coder() -> Coder:
    torch.manual_seed(0)
    return Coder().double()


def batch(step: int) -> Tensor:
    return torch.randn(40, 4, generator=torch.Generator().manual_seed(step)).double()


def in_ddp() -> tuple[Coder, nn.Module]:
    model = coder()
    return model, DistributedDataParallel(model)


def in_fsdp() -> tuple[Coder, nn.Module]:
    model = coder()
    for child in (model.up, model.down, model):
        fully_shard(child, mesh=init_device_mesh("cpu", (2,)))
    return model, model


def strengths(model: Coder, forward: nn.Module, penalty: rz.Penalty, group) -> list[float]:
    """Train, and return the strength after each step."""
    rules = [rz.activity(penalty, where="coding")]
    reg = rz.Regularization(model, rules, process_group=group)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    found = []
    for step in range(STEPS):
        x = batch(step) if group == "local" else own_part(batch(step), equal=True)
        optimizer.zero_grad()
        (nn.functional.mse_loss(forward(x), x) + reg.penalty()).backward()
        optimizer.step()
        reg.step()
        found += dict(reg.strengths).values()
    return found


def of_loss(model: Coder, forward: nn.Module, delivery: str, group) -> list[float]:
    """Train to a loss, of which each process knows its own; return the strength after each step."""
    target = rz.TargetLoss(0.5)
    rules = [rz.activity(rz.L1(target), where="coding"), rz.kernel(rz.L2Squared(target))]
    reg = rz.Regularization(model, rules, delivery=delivery, process_group=group)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    found = []
    for step in range(STEPS):
        x = batch(step) if group == "local" else own_part(batch(step), equal=True)
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(forward(x), x)
        (loss + reg.penalty() if delivery == "collect" else reg.scale_from(loss)).backward()
        optimizer.step()
        reg.step(loss=loss) if delivery == "collect" else reg.step()
        found.append(reg.strengths["coding/activity/L1"])
    return found


def of_zeros(model: Coder, forward: nn.Module, over: str, group) -> list[float]:
    """Train to a share of zeros, and return the strengths after each step."""
    rules = [rz.kernel(rz.L1(rz.TargetZeros(0.5, over=over)), proximal=True)]
    reg = rz.Regularization(model, rules, process_group=group)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    reg.attach(optimizer)
    found = []
    for step in range(STEPS):
        x = batch(step) if group == "local" else own_part(batch(step), equal=True)
        optimizer.zero_grad()
        nn.functional.mse_loss(forward(x), x).backward()
        optimizer.step()
        found += dict(reg.strengths).values()
    return found


Strengths = Callable[[Coder, nn.Module, rz.Penalty | str, object], list[float]]


def apart(
    make: Callable[[], tuple[Coder, nn.Module]],
    given: rz.Penalty | str,
    strengths: Strengths = strengths,
) -> float:
    """Return by how much the strengths of two processes are off, relative to those of one."""
    alone = coder()
    expected = torch.tensor(strengths(alone, alone, given, "local"))
    actual = strengths(*make(), given, dist.group.WORLD)
    others: list[list[float]] = [[], []]
    dist.all_gather_object(others, actual)
    if others[0] != others[1] or len(set(actual)) < STEPS // 2:
        return math.inf
    return ((torch.tensor(actual) - expected) / expected).abs().max().item()


def without_a_group() -> float:
    reg = rz.Regularization(coder(), [rz.activity(PENALTIES["L1, active units"], where="coding")])
    reg.step()
    return math.inf


def cells() -> Iterator[tuple[str, str, dict[str, Callable[[], float]]]]:
    for parallel, make in {"DDP": in_ddp, "FSDP2": in_fsdp}.items():
        for name, penalty in PENALTIES.items():
            yield parallel, name, {"ours": partial(apart, make, penalty)}
    for delivery in ("collect", "inject"):
        yield "DDP", f"the loss, {delivery}", {"ours": partial(apart, in_ddp, delivery, of_loss)}
    for over in ("rule", "weight"):
        yield "DDP", f"zeros of a {over}", {"ours": partial(apart, in_ddp, over, of_zeros)}
    yield "no group", "L1, active units", {"ours": without_a_group}


if __name__ == "__main__":
    # an output is whole in FSDP2 as it is in DDP, whatever the target
    run(sampled(cells(), 2, ("FSDP2",)))
