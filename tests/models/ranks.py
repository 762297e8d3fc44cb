"""Two processes under DistributedDataParallel against the average of plain float64 autograd."""

import os
import sys
import warnings

import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

import regularizers as rz
from models.networks import CASES, relative_error


def main() -> None:
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    dist.init_process_group("gloo")
    rank = dist.get_rank()
    for name, case in CASES.items():
        model = case.build()
        reg = rz.Regularization(model, case.rules(), process_group=dist.group.WORLD)
        parallel = DistributedDataParallel(model)
        for step in range(2):
            parallel.zero_grad()
            x, y = case.inputs(step)
            halves = list(zip(x.chunk(2), y.chunk(2), strict=True))
            # each process has its own batch statistics, and so has the average by hand
            by_hand = [case.by_hand(case.build(), *half) for half in halves]
            wanted = {k: (by_hand[0][k] + by_hand[1][k]) / 2 for k in by_hand[0]}
            (case.loss(parallel, *halves[rank]) + reg.penalty()).backward()
            got = {k: p.grad for k, p in model.named_parameters()}
            error = relative_error(got, wanted)
            assert error < 2e-5, f"{name}, step {step}, rank {rank}: {error}"
        if rank == 0:
            sys.stdout.write(f"{name} exact\n")
    sys.stdout.flush()
    dist.barrier()
    # at once: threads of gloo that are still being joined would abort an ordinary exit
    os._exit(0)


if __name__ == "__main__":
    main()
