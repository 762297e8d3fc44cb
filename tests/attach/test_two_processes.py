"""What two processes say of a batch they share and of weights that each has a part of."""

import os
import subprocess
import sys

import pytest
import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard

import regularizers as rz
from regularizers.errors import CollectionError


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


CHECKS = [
    check_a_forward_more_in_one_process_raises_in_both,
    check_a_sharded_kernel_has_the_value_and_gradient_of_the_whole,
]


def main() -> None:
    dist.init_process_group("gloo")
    for check in CHECKS:
        check()
        sys.stdout.write(f"{dist.get_rank()} {check.__name__}\n")
        sys.stdout.flush()
        dist.barrier()
    dist.destroy_process_group()


def test_every_check_holds_in_both_processes():
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    finished = subprocess.run(
        [sys.executable, *launch, __file__],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    for check in CHECKS:
        for rank in range(2):
            assert f"{rank} {check.__name__}" in finished.stdout, finished.stderr


if __name__ == "__main__":
    main()
