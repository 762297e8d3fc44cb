"""Whether a training fits on a device, asked before its first step."""

from __future__ import annotations

from pathlib import Path

import torch

from regularizers.errors import ConfigurationError
from regularizers.sae._memory import Memory


def check_room(need: Memory, device: torch.device, processes: int) -> None:
    """Raise if a device has not the memory that a training takes; weights are there already.

    Args:
        need: what each process takes.
        device: the device of this process.
        processes: how many share the memory of this machine, if the device is a CPU.

    Raises:
        ConfigurationError: there is less.
    """
    free = free_memory(device)
    if free is None:
        return
    free //= processes if device.type == "cpu" else 1
    wanted = need.total - need.weights
    if wanted > free:
        raise ConfigurationError(
            f"train: expected {wanted / 2**20:,.0f} MiB of free memory on {device} besides the "
            f"weights, got {free / 2**20:,.0f} MiB; lower batch_size, with "
            f"accumulate_grad_batches= for as many samples in a step, or units, or take a device "
            f"with more memory. By rz.sae.memory:\n{need}"
        )


def free_memory(device: torch.device) -> int | None:
    """Return the free bytes of a device; None if they cannot be known."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        return free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    known = Path("/proc/meminfo")
    if device.type != "cpu" or not known.is_file():
        return None
    for line in known.read_text("utf-8").splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return None
