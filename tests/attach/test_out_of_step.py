"""Processes that did not record the same: each of them says so, and none waits for ever."""

import os
import subprocess
import sys

import pytest
import torch
import torch.distributed as dist
from torch import nn

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


def main() -> None:
    dist.init_process_group("gloo")
    check_a_forward_more_in_one_process_raises_in_both()
    sys.stdout.write(f"process {dist.get_rank()} said so\n")
    sys.stdout.flush()
    dist.barrier()
    dist.destroy_process_group()


def test_a_forward_more_in_one_process_raises_in_both():
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    finished = subprocess.run(
        [sys.executable, *launch, __file__],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    for rank in range(2):
        assert f"process {rank} said so" in finished.stdout, finished.stderr


if __name__ == "__main__":
    main()
