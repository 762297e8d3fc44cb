"""What each of two processes checks, launched by torchrun: N processes equal one.

Every check builds the same model in float64, gives each process its own part of one batch, and
compares the averaged gradients with those of plain autograd on the whole batch.
"""

from __future__ import annotations

import dataclasses
import sys
import warnings
from collections.abc import Callable, Iterator
from functools import partial

import pytest
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor
from torch.distributed.tensor.parallel import (
    ColwiseParallel,
    RowwiseParallel,
    parallelize_module,
)
from torch.nn.parallel import DistributedDataParallel

import regularizers as rz
from regularizers.errors import CollectionError, RegimeError

PENALTIES = {
    "L1 sum": rz.L1(0.3, reduce="sum"),
    "L1 batch_mean": rz.L1(0.3, reduce="batch_mean"),
    "L2Squared mean": rz.L2Squared(0.3, reduce="mean"),
    "L2Norm sum": rz.L2Norm(0.3, reduce="sum"),
    "L2Norm batch_mean": rz.L2Norm(0.3, reduce="batch_mean"),
    "L2Norm mean": rz.L2Norm(0.3, reduce="mean"),
    "KL": rz.KLSparsity(0.3, 0.2, reduce="sum"),
    "KL mean": rz.KLSparsity(0.3, 0.2, reduce="mean"),
    "sum": rz.L1(0.1, reduce="sum") + rz.KLSparsity(0.3, 0.2),
}


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.up, self.squash, self.down = nn.Linear(4, 6), nn.Sigmoid(), nn.Linear(6, 3)
        self.branch = nn.Linear(4, 3)

    def forward(self, x: Tensor, branch: bool = True) -> Tensor:
        y = self.down(self.squash(self.up(x)))
        return y + self.branch(x) if branch else y


def net() -> Net:
    torch.manual_seed(0)
    return Net().double()


def batch(step: int, size: int = 10) -> Tensor:
    return torch.randn(size, 4, generator=torch.Generator().manual_seed(step)).double()


def part(x: Tensor, *, equal: bool) -> Tensor:
    cut = len(x) // 2 if equal else 3
    return x[:cut] if dist.get_rank() == 0 else x[cut:]


def expected(penalty: rz.Penalty, x: Tensor, *, kernels: float = 0.0, branch: bool = True):
    """Return the gradients of one process: the task's sum over samples, and the penalty."""
    model = net()
    loss = model(x, branch).square().sum() / 2 + penalty(model.squash(model.up(x)))
    for weight in (model.up.weight, model.down.weight):
        loss = loss + kernels * weight.square().sum()
    names, tensors = zip(*model.named_parameters(), strict=True)
    return dict(zip(names, torch.autograd.grad(loss, tensors, allow_unused=True), strict=True))


def compare(parameters, gradients, what: str) -> None:
    for name, parameter in parameters:
        want = gradients[name.removeprefix("module.")]
        got = parameter.grad
        got = got.full_tensor() if isinstance(got, DTensor) else got
        want = torch.zeros_like(parameter) if want is None else want
        got = torch.zeros_like(want) if got is None else got
        torch.testing.assert_close(got, want, rtol=1e-9, atol=1e-11, msg=lambda m: f"{what}: {m}")


def rules(penalty: rz.Penalty, *, kernels: float = 0.0) -> list[rz.Rule]:
    """Return rules; a reduction that a penalty does not say is the activity's own default."""
    found = [rz.activity(penalty, where="squash")]
    if kernels:
        found.append(rz.kernel(rz.L2Squared(kernels), where=["up", "down"]))
    return found


def settled(penalty: rz.Penalty) -> rz.Penalty:
    terms = [dataclasses.replace(t, reduce=t.reduce or "batch_mean") for t in penalty.terms]
    return sum(terms[1:], start=terms[0])


def check_ddp(penalty: rz.Penalty, what: str, *, equal: bool, mode: str) -> None:
    options = {
        "plain": {},
        "static_graph": {"static_graph": True},
        "find_unused": {"find_unused_parameters": True},
        "no_sync": {},
    }[mode]
    branch = mode != "find_unused"
    model = net()
    reg = rz.Regularization(model, rules(penalty, kernels=0.1), process_group=dist.group.WORLD)
    parallel = DistributedDataParallel(model, **options)
    for step in range(2):
        parallel.zero_grad()
        x = batch(step)
        if mode == "no_sync":
            with parallel.no_sync():
                (0 * parallel(part(x, equal=equal)).sum() + 0 * reg.penalty()).backward()
        loss = parallel(part(x, equal=equal), branch).square().sum() + reg.penalty()
        loss.backward()
        wanted = expected(settled(penalty), x, kernels=0.1, branch=branch)
        compare(parallel.named_parameters(), wanted, f"{mode}, {what}, step {step}")


def check_fsdp(penalty: rz.Penalty, what: str) -> None:
    model = net()
    for child in (model.up, model.down, model.branch, model):
        fully_shard(child, mesh=init_device_mesh("cpu", (2,)))
    reg = rz.Regularization(model, rules(penalty, kernels=0.1), process_group=dist.group.WORLD)
    for step in range(2):
        model.zero_grad()
        x = batch(step)
        value = reg_value = model(part(x, equal=False)).square().sum()
        reg_value = reg.penalty()
        assert not isinstance(reg_value, DTensor), "the value must be a full tensor"
        (value + reg_value).backward()
        wanted = expected(settled(penalty), x, kernels=0.1)
        compare(model.named_parameters(), wanted, f"FSDP2, {what}, step {step}")
    plain = net()
    by_hand = 0.1 * (plain.up.weight.square().sum() + plain.down.weight.square().sum())
    shown = sum(v for k, v in reg.penalties().items() if "kernel" in k)
    assert abs(shown - by_hand.item()) < 1e-9, "kernels of the whole"


def check_tensor_parallel(penalty: rz.Penalty, what: str, site: str) -> None:
    model = net()
    plan = {"up": ColwiseParallel(), "down": RowwiseParallel()}
    parallelize_module(model, init_device_mesh("cpu", (2,)), plan)
    reg = rz.Regularization(
        model,
        [rz.activity(penalty, where=site), rz.kernel(rz.L2Squared(0.1), where=["up", "down"])],
    )
    x = batch(0)
    (model(x).square().sum() + reg.penalty()).backward()
    one = net()
    hidden = one.up(x)
    output = one.down(one.squash(hidden))
    seen = {"up": hidden, "squash": one.squash(hidden), "down": output}[site]
    loss = (output + one.branch(x)).square().sum() + settled(penalty)(seen)
    for weight in (one.up.weight, one.down.weight):
        loss = loss + 0.1 * weight.square().sum()
    names, tensors = zip(*one.named_parameters(), strict=True)
    wanted = dict(zip(names, torch.autograd.grad(loss, tensors), strict=True))
    compare(model.named_parameters(), wanted, f"tensor parallel, {what} at {site}")


def check_units_in_parts_raise(penalty: rz.Penalty, site: str) -> None:
    model = net()
    plan = {"up": ColwiseParallel(), "down": RowwiseParallel()}
    parallelize_module(model, init_device_mesh("cpu", (2,)), plan)
    reg = rz.Regularization(model, [rz.activity(penalty, where=site)])
    with pytest.raises(RegimeError, match=f"^{site}: under tensor parallelism"):
        model(batch(0))
    assert reg.penalties() == {}


def check_unequal_sites_raise() -> None:
    model = net()
    reg = rz.Regularization(model, rules(rz.L1(1.0)), process_group=dist.group.WORLD)
    model(batch(0))
    reg.penalty()
    if dist.get_rank() == 0:
        model(batch(0))
    told = "no forward since" if dist.get_rank() else "another process"
    with pytest.raises(CollectionError, match=told):
        reg.penalty()


def every_check() -> Iterator[tuple[str, Callable[[], None]]]:
    for what, penalty in PENALTIES.items():
        for equal in (True, False):
            yield "DDP", partial(check_ddp, penalty, what, equal=equal, mode="plain")
        yield "FSDP2", partial(check_fsdp, penalty, what)
    both = PENALTIES["sum"]
    yield "DDP static_graph", partial(check_ddp, both, "sum", equal=False, mode="static_graph")
    yield "DDP find_unused", partial(check_ddp, both, "sum", equal=False, mode="find_unused")
    yield "DDP no_sync", partial(check_ddp, both, "sum", equal=False, mode="no_sync")
    for what, site in [
        *[
            (what, site)
            for what in ("L1 batch_mean", "L1 sum")
            for site in ("up", "squash", "down")
        ],
        *[("KL", "squash"), ("L2Norm batch_mean", "down")],
    ]:
        yield "tensor parallel", partial(check_tensor_parallel, PENALTIES[what], what, site)
    for what in ("L2Norm batch_mean", "L2Squared mean", "KL mean"):
        for site in ("up", "squash"):
            yield "units in parts", partial(check_units_in_parts_raise, PENALTIES[what], site)
    yield "unequal sites", check_unequal_sites_raise


def main() -> int:
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    dist.init_process_group("gloo")
    failures, number = [], 0
    for name, check in every_check():
        number += 1
        try:
            check()
        except Exception as error:
            failures.append(f"{name}: {type(error).__name__}: {error}")
    if dist.get_rank() == 0:
        summary = [f"{number - len(failures)} of {number} exact", *failures]
        sys.stdout.write("\n".join(summary) + "\n")
    dist.destroy_process_group()
    return int(bool(failures))


if __name__ == "__main__":
    sys.exit(main())
