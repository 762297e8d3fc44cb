"""Run by each process: all scripts of a folder; the first writes the weights that each ends with.

Argument: the folder.
"""

import os
import runpy
import sys
import warnings
from pathlib import Path

import torch
import torch.distributed as dist
from torch import Tensor

FOLDER = Path(sys.argv[1])


def whole(weight: Tensor) -> Tensor:
    return weight.full_tensor() if hasattr(weight, "full_tensor") else weight


if __name__ == "__main__":
    # Lightning's own call of PyTorch; and loaders as small as these need no workers
    warnings.simplefilter("error")
    warnings.filterwarnings("ignore", ".*isinstance.treespec, LeafSpec")
    warnings.filterwarnings("ignore", ".*does not have many workers")
    # Lightning makes the folder into which PyTorch writes
    warnings.filterwarnings("ignore", "Detected an existing checkpoint")
    # it is that of the run which is resumed
    warnings.filterwarnings("ignore", "Checkpoint directory .* is not empty")
    torch.set_default_dtype(torch.float64)
    dist.init_process_group("gloo")
    # the scripts join the processes and part them; here they stay together for all scripts
    dist.init_process_group = dist.destroy_process_group = lambda *_: None
    for script in sorted(FOLDER.glob("*.py")):
        model = runpy.run_path(str(script))["model"]
        weights = [whole(p.detach()) for p in model.parameters()]
        if dist.get_rank() == 0:
            torch.save(weights, script.with_suffix(".pt"))
        dist.barrier()
    sys.stdout.flush()
    # at once: threads of gloo that are still being joined would abort an ordinary exit
    os._exit(0)
