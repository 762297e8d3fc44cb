"""Run by each process: gradients are accumulated, strengths change, and a sharded run is resumed.

Argument: a folder for checkpoints. The model that it ends with was trained under DDP; its weights
are those of FSDP2, of a run that was resumed, and of one process.
"""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.strategies import ModelParallelStrategy
from torch import Tensor
from torch.distributed.fsdp import FSDPModule, fully_shard

import regularizers as rz
from integrations.lightning_jobs import Batches, Job, adam, trainer
from regularizers.integrations.lightning import Regularizing

RULES = [
    rz.activity(rz.L2Squared(rz.TargetMean(0.1)), where="net.1"),
    rz.kernel(rz.L1(rz.LinearWarmup(1e-2, steps=20))),
]


class Sharded(Job):
    def configure_model(self) -> None:
        if not isinstance(self.net, FSDPModule):
            fully_shard(self.net, mesh=self.device_mesh["data_parallel"])


def parts(world: int, rank: int) -> list[Tensor]:
    """Return what one of several processes has of nine batches."""
    drawn = torch.Generator().manual_seed(2)
    whole = [torch.randn(8, 4, generator=drawn, dtype=torch.float64) for _ in range(9)]
    return [x.chunk(world)[rank] for x in whole]


def fitted(
    job: Job, data: Sequence[Tensor], *callbacks: Any, path: Path | None = None, **options: Any
) -> list[Tensor]:
    """Return the weights after ten steps, of which two are of one batch and the others of two."""
    regularizing = Regularizing(RULES, process_group="world")
    used = trainer(regularizing, *callbacks, max_epochs=2, accumulate_grad_batches=2, **options)
    used.fit(job, Batches(data), ckpt_path=path)
    return [p.full_tensor() if hasattr(p, "full_tensor") else p.detach() for p in job.parameters()]


if __name__ == "<run_path>":
    folder, world = Path(sys.argv[1]), int(os.environ["WORLD_SIZE"])
    data = parts(world, int(os.environ["RANK"]))
    options = {
        "devices": int(os.environ["LOCAL_WORLD_SIZE"]),
        "num_nodes": int(os.environ["GROUP_WORLD_SIZE"]),
        "use_distributed_sampler": False,
    }

    def sharded(path: Path | None = None) -> list[Tensor]:
        saves = ModelCheckpoint(folder, every_n_train_steps=3, save_top_k=-1)
        strategy = ModelParallelStrategy(data_parallel_size=world, tensor_parallel_size=1)
        checkpointed = {"strategy": strategy, "enable_checkpointing": True}
        return fitted(Sharded(adam), data, saves, path=path, **checkpointed, **options)

    model = Job(adam)
    expected = fitted(model, data, strategy="ddp", **options)
    for weights in (sharded(), sharded(folder / "epoch=0-step=3.ckpt")):
        torch.testing.assert_close(weights, expected, rtol=1e-13, atol=1e-14)
