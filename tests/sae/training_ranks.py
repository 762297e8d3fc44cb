"""Trains on a number of processes, given second, and writes what came of it to a file."""

import sys
import warnings

import torch

import regularizers as rz
from sae.problems import superposed

STEPS = 60


def trained(architecture: str, **options: object) -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    x, _ = superposed(2000)
    sae = rz.sae.SparseAutoencoder(8, 16, 2, architecture).double()
    with torch.no_grad():
        sae.encoder.bias[[3, 7]] = -9.0  # so that units are started anew
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*TargetActive", category=UserWarning)
        history = rz.sae.train(sae, x.double(), steps=STEPS, batch_size=80, **options)
    return {**sae.state_dict(), "revived": torch.tensor(history.revived[-1])}


if __name__ == "__main__":
    import torch.distributed as dist

    processes = int(sys.argv[2])
    options = {"accelerator": "cpu", "strategy": "ddp", "devices": processes}
    states = {name: trained(name, **options) for name in ("jumprelu", "batchtopk")}
    if dist.get_rank() == 0:
        torch.save(states, sys.argv[1])
