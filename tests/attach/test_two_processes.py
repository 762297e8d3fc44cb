"""What two processes say of a batch they share and of weights that each has a part of."""

import warnings

import pytest
import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FullyShardedDataParallel, fully_shard

import regularizers as rz
from regularizers.errors import CollectionError, RegimeError
from two_processes import assert_both_pass, run


def check_a_forward_more_in_one_process_raises_in_both() -> None:
    model = nn.Sequential(nn.Linear(4, 3))
    rules = [rz.activity(rz.L1(1.0), where="0")]
    reg = rz.Regularization(model, rules, process_group=dist.group.WORLD)
    for _ in range(1 + dist.get_rank()):
        model(torch.ones(2, 4))
    with pytest.raises(CollectionError, match=r"did not record the same .*0/activity/L1 \[\]"):
        reg.penalty()


def check_a_sharded_kernel_has_the_value_and_gradient_of_the_whole() -> None:
    torch.manual_seed(0)
    model = nn.Linear(4, 6).double()
    whole = model.weight.detach().clone()
    fully_shard(model, mesh=init_device_mesh("cpu", (2,)))
    reg = rz.Regularization(model, [rz.kernel(rz.L2Squared(0.5))])
    penalty = reg.penalty()
    torch.testing.assert_close(penalty, 0.5 * whole.square().sum())
    penalty.backward()
    torch.testing.assert_close(model.weight.grad.full_tensor(), whole)


X = torch.randn(32, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64).sigmoid()
WHOLE_BATCH = [
    rz.KLSparsity(1.0, 0.1),
    rz.L2Norm(1.0, reduce="sum"),
    rz.GroupLasso(1.0, axis=1, reduce="sum"),
    rz.Budget(rz.L1(1.0, reduce="batch_mean"), 0.1),
]


class Shift(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.by = nn.Parameter(torch.zeros(6, dtype=torch.float64))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.by


def my_part() -> torch.Tensor:
    return X[10 * dist.get_rank() :][: 10 + 12 * dist.get_rank()]


def collected(model: nn.Module, reg: rz.Regularization) -> torch.Tensor:
    model(X)
    return reg.penalty()


def check_penalties_of_the_whole_batch_ask_which_processes_share_it() -> None:
    for penalty in WHOLE_BATCH:
        for delivery in ("collect", "inject"):
            model = Shift()
            reg = rz.Regularization(model, [rz.activity(penalty, where="")], delivery=delivery)
            with pytest.raises(
                RegimeError, match=r"^(model|\(root\)).*process_group='world'\).* 'local'"
            ):
                collected(model, reg)


def check_the_world_is_looked_up_when_it_is_needed() -> None:
    for penalty in WHOLE_BATCH:
        torch.testing.assert_close(AHEAD[repr(penalty)](), penalty_of_all(penalty))


def penalty_of_all(penalty: rz.Penalty) -> torch.Tensor:
    return Whole(penalty).penalty(X)


class Whole:
    """A model whose Regularization is made before there are processes."""

    def __init__(self, penalty: rz.Penalty, **options: object) -> None:
        self.model = Shift()
        rules = [rz.activity(penalty, where="")]
        self.reg = rz.Regularization(self.model, rules, **{"process_group": "local", **options})

    def penalty(self, x: torch.Tensor) -> torch.Tensor:
        self.model(x)
        return self.reg.penalty().detach()

    def __call__(self) -> torch.Tensor:
        return self.penalty(my_part())


AHEAD = {repr(penalty): Whole(penalty, process_group="world") for penalty in WHOLE_BATCH}


def check_local_is_each_process_by_itself() -> None:
    for penalty in WHOLE_BATCH:
        torch.testing.assert_close(Whole(penalty)(), penalty(my_part()))


def check_injected_sums_add_up_over_processes() -> None:
    for penalty in (rz.L1(0.3, reduce="sum"), rz.L2Squared(0.3)):
        model = Shift()
        rules = [rz.activity(penalty, where="")]
        reg = rz.Regularization(model, rules, delivery="inject", process_group="world")
        reg.scale_from(model(X.chunk(2)[dist.get_rank()]).sum()).backward()
        gradient = model.by.grad / 2  # as DistributedDataParallel averages
        dist.all_reduce(gradient)
        whole = torch.zeros(6, dtype=torch.float64, requires_grad=True)
        count = 1 if penalty.reduce == "sum" else len(X)
        power = 1 if isinstance(penalty, rz.L1) else 2
        ((X + whole).sum() / 2 + 0.3 * (X + whole).abs().pow(power).sum() / count).backward()
        torch.testing.assert_close(gradient, whole.grad)


def check_injected_penalties_of_the_whole_batch_raise() -> None:
    for penalty in WHOLE_BATCH:
        model = Shift()
        rules = [rz.activity(penalty, where="")]
        reg = rz.Regularization(model, rules, delivery="inject", process_group="world")
        with pytest.raises(RegimeError, match=r"\(root\): .* use delivery='collect'"):
            reg.scale_from(model(X).sum())


def check_flat_shards_raise_unless_they_add_up() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for penalty in (rz.GroupLasso(0.3, axis=0), rz.L2Norm(1.0), rz.L1(1.0, reduce="mean")):
            torch.manual_seed(0)
            model = nn.Sequential(nn.Linear(4, 6, bias=False))
            flat = FullyShardedDataParallel(
                model, use_orig_params=True, device_id=torch.device("cpu")
            )
            reg = rz.Regularization(flat, [rz.kernel(penalty)])
            with pytest.raises(RegimeError, match=r"weight: FullyShardedDataParallel keeps a flat"):
                reg.penalty()


def check_zeros_of_a_sharded_weight_are_not_counted() -> None:
    torch.manual_seed(0)
    model = nn.Linear(4, 6)
    fully_shard(model, mesh=init_device_mesh("cpu", (2,)))
    rules = [rz.kernel(rz.L1(rz.TargetZeros(0.5)), proximal=True)]
    reg = rz.Regularization(model, rules, process_group="world")
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    reg.attach(optimizer)
    model(torch.ones(2, 4)).sum().backward()
    with pytest.raises(RegimeError, match=r"weight/kernel/L1: TargetZeros.* sharded; give the ru"):
        optimizer.step()


CHECKS = [
    check_zeros_of_a_sharded_weight_are_not_counted,
    check_penalties_of_the_whole_batch_ask_which_processes_share_it,
    check_the_world_is_looked_up_when_it_is_needed,
    check_local_is_each_process_by_itself,
    check_injected_sums_add_up_over_processes,
    check_injected_penalties_of_the_whole_batch_raise,
    check_flat_shards_raise_unless_they_add_up,
    check_a_forward_more_in_one_process_raises_in_both,
    check_a_sharded_kernel_has_the_value_and_gradient_of_the_whole,
]


def test_every_check_holds_in_both_processes():
    assert_both_pass(__file__, CHECKS)


if __name__ == "__main__":
    run(CHECKS)
