"""The code a user would write instead: a term of the loss, and four metrics in tensors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from benchmarks.speed.control.networks import Network, tensor_of
from torch import Tensor, nn

LINES: Mapping[str, Callable[[Tensor], Tensor]] = {
    "L1": lambda x: x.abs().sum() / len(x),
    "L2Norm": lambda x: torch.linalg.vector_norm(x, dim=1).mean(),
    "AR": lambda x: x.pow(2).mean(),
    "TAR": lambda x: (x[1:] - x[:-1]).pow(2).mean(),
}


def penalty(model: nn.Module, network: Network, formula: str) -> Callable[[], Tensor]:
    """Register hooks that append a number each; return a function that sums them up."""
    recorded: list[Tensor] = []
    line = LINES[formula]
    for module in network.sites_of(model).values():
        module.register_forward_hook(lambda *of: recorded.append(line(tensor_of(of[-1]))))

    def total() -> Tensor:
        whole = torch.stack(recorded).sum()
        recorded.clear()
        return whole

    return total


class Metrics:
    """Active units, dead units, mean and norm of one module's outputs.

    Nothing waits for the device: sums and counts stay in tensors until they are read.
    """

    def __init__(self, module: nn.Module, sample_axes: int) -> None:
        self._sample_axes = sample_axes
        self._samples = 0
        self._sums: dict[str, Tensor] = {}
        module.register_forward_hook(self._update)

    @torch.no_grad()
    def _update(self, *of: Any) -> None:
        output = tensor_of(of[-1])
        x = output.flatten(0, self._sample_axes - 1)
        active = x != 0
        if not self._sums:
            self._begin(x)
        self._samples += len(x)
        self._sums["active"] += torch.count_nonzero(active)
        self._sums["fired"] |= active.any(dim=0)
        self._sums["total"] += x.sum()
        self._sums["norms"] += torch.linalg.vector_norm(x, dim=1).sum()

    def _begin(self, x: Tensor) -> None:
        self._sums = {
            "active": x.new_zeros((), dtype=torch.int64),
            "fired": x.new_zeros(x.shape[1:], dtype=torch.bool),
            "total": x.new_zeros((), dtype=torch.float64),
            "norms": x.new_zeros((), dtype=torch.float64),
        }

    def as_dict(self) -> dict[str, float]:
        """Return the four metrics, by the names that a Monitor has for them."""
        sums, samples = self._sums, self._samples
        return {
            "active_units": sums["active"].item() / samples,
            "dead_units": float((~sums["fired"]).sum().item()),
            "mean_activation": sums["total"].item() / (samples * sums["fired"].numel()),
            "norm": sums["norms"].item() / samples,
        }


def metrics(model: nn.Module, network: Network) -> dict[str, Metrics]:
    """Register hooks that measure; return what they measure, by the name of the site."""
    sites = network.sites_of(model)
    return {name: Metrics(module, network.sample_axes) for name, module in sites.items()}
